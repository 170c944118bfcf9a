package function

import (
	"time"

	"voxkv/handler"
	"voxkv/internal/gateway"
)

// margin is the time kept free at the end of an invocation, so that an answer saying that time ran out still arrives.
const margin = 500 * time.Millisecond

// Gateway returns what answers the invocations of f, as Lambda makes them.
func (f *Function) Gateway() *gateway.Gateway {
	return &gateway.Gateway{HTTP: f, Headers: handler.RequestHeaders(), Claims: f.Tokens, Direct: f.Direct, Margin: margin, Log: f.log}
}
