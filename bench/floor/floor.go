// Package floor is the least that a Go function behind an HTTP API can do:
// decode the event with AWS's own types and answer with an item that it holds.
// Whatever voxkv takes beyond it, voxkv is to blame for.
package floor

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// Value is the value of every item, here and in the benchmark's storage.
var Value = strings.Repeat("v", 100)

type item struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	ExpiresAt int64  `json:"expires_at"`
}

// Handler answers each event with the item whose key its path names.
func Handler() lambda.Handler { return lambda.NewHandler(answer) }

func answer(_ context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	body, err := json.Marshal(item{strings.TrimPrefix(e.RawPath, "/v1/items/"), Value, 1795451572})
	return events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusOK,
		Headers:    map[string]string{"Content-Type": "application/json", "Cache-Control": "public, max-age=60"},
		Body:       string(body),
	}, err
}
