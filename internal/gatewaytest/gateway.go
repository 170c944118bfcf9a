// Package gatewaytest stands in for the AWS services that invoke a function for HTTP requests. It turns an HTTP request
// into the event of a REST API, an HTTP API or a Function URL, and the function's output into the response of that service.
//
// It follows recordings of the real services where there are any: the events of hotsock/voker, captured live, and the
// snapshots of localstack, recorded on AWS. Where there are none, it is strict: what it accepts, AWS should accept too.
package gatewaytest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// A Kind is a kind of gateway.
type Kind int

const (
	REST        Kind = iota // a REST API with a Lambda proxy integration on ANY /{proxy+}
	HTTPAPI                 // an HTTP API with payload format 2.0 and the route $default
	FunctionURL             // in the mode BUFFERED
)

// A Gateway is a service in front of a function. Invoke is required.
type Gateway struct {
	Kind Kind

	// Stage is the first segment of the paths that clients request. It is empty for the stage $default of an HTTP API,
	// for a REST API behind a custom domain, and for a Function URL.
	Stage string

	// Authorize returns what an authorizer has verified of the client: the member "authorizer" of the event's request
	// context, in the form of that authorizer. The event has none if it returns nil, or is nil.
	Authorize func(*http.Request) any

	// Invoke runs the function. Its error is a function error.
	Invoke func(ctx context.Context, payload []byte) ([]byte, error)
}

// ServeHTTP answers a request as a client sends it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, query := target(r)
	inStage, ok := g.cutStage(path)
	if !ok {
		g.refuse(w, r, http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.refuse(w, r, http.StatusBadRequest)
		return
	}
	out, err := g.Invoke(r.Context(), g.event(r, path, inStage, query, body))
	if err != nil {
		g.refuse(w, r, http.StatusBadGateway)
		return
	}
	answer, err := g.parse(out)
	if err != nil {
		g.refuse(w, r, http.StatusBadGateway)
		return
	}
	g.send(w, r, answer)
}

// Do sends a request to g and returns the answer. The target is sent as it is written, so its escapes may be malformed.
// Names and values of header fields take turns in header.
func (g Gateway) Do(ctx context.Context, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, "/", nil)
	r.RequestURI = target
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

// target returns path and query as the client wrote them. A parsed URL would not do, because the escapes matter.
func target(r *http.Request) (path, query string) {
	if r.RequestURI == "" {
		return r.URL.EscapedPath(), r.URL.RawQuery
	}
	path, query, _ = strings.Cut(r.RequestURI, "?")
	return path, query
}

// cutStage returns path without the stage, and whether path is in it.
func (g *Gateway) cutStage(path string) (string, bool) {
	if g.Stage == "" {
		return path, true
	}
	rest, ok := strings.CutPrefix(path, "/"+g.Stage)
	return rest, ok && strings.HasPrefix(rest, "/")
}

// decoded decodes the escapes of a path once. A path with a malformed escape stays as it is.
func decoded(path string) string {
	if d, err := url.PathUnescape(path); err == nil {
		return d
	}
	return path
}
