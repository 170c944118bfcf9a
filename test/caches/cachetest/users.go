package cachetest

import (
	"net/http"
	"strings"

	"voxkv/internal/function"
	"voxkv/internal/gatewaytest"
)

// TokenHeaders returns the headers in which users may show who they are. Caches
// have rules for requests with the first, and know nothing of the second.
func TokenHeaders() []string { return []string{"Authorization", "X-Token"} }

// tokenPrefix begins a token; the user's claim sub follows.
const tokenPrefix = "Bearer "

// Token returns what the user with a claim sub sends in one of TokenHeaders.
func Token(sub string) string { return tokenPrefix + sub }

// behindAuthorizer is f behind an API Gateway, since claims exist only in the
// events of one. Its Lambda authorizer reads a token from any of TokenHeaders, and
// lets clients without one through.
func behindAuthorizer(f *function.Function) http.Handler {
	return &gatewaytest.Gateway{Kind: gatewaytest.HTTPAPI, Authorize: authorize, Invoke: f.Gateway().Invoke}
}

func authorize(r *http.Request) any {
	for _, name := range TokenHeaders() {
		if sub, ok := strings.CutPrefix(r.Header.Get(name), tokenPrefix); ok {
			return map[string]any{"lambda": map[string]any{"sub": sub}}
		}
	}
	return nil
}
