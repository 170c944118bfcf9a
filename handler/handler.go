// Package handler serves items over HTTP. A request is parsed once, into a
// request; a response to it is made, as a value; then one place writes it, and
// another the log line.
package handler

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"voxkv/internal/panics"
	"voxkv/internal/problem"
	"voxkv/internal/requestlog"
	"voxkv/lookup"
)

// defaultMaxKeys is MaxKeys where that is 0.
const defaultMaxKeys = 10

// A Handler serves items. Lookup and Log are required.
type Handler struct {
	// Lookup finds what is stored under a valid key.
	Lookup lookup.Func

	// MaxAge is the ceiling of any freshness handed out, but for keys whose rule has a
	// max-age of its own. 0 forbids all caching.
	MaxAge time.Duration

	// NotFoundMaxAge is how long shared caches may keep a 404.
	NotFoundMaxAge time.Duration

	// BasePath may stand in front of the routes: "", or a path such as /phone/v2.
	BasePath string

	// Private keeps responses out of shared caches. It must be set if callers are
	// authenticated.
	Private bool

	// Tokens lets pages send Authorization. It must be set if any rule needs claims;
	// Private includes it.
	Tokens bool

	// MaxKeys bounds the keys of one request, each of which may cost a call to the
	// API. If 0, it is 10.
	MaxKeys int

	// RawValues serves values as they are at /v1/values/{key}.
	RawValues bool

	// Origins are the web origins that may read responses, or "*".
	Origins []string

	// PageHeaders are the request headers that pages may send beside those that
	// a page always may: what a gateway in front asks for.
	PageHeaders []string

	// Log gets one line for each request.
	Log *requestlog.Log

	once   sync.Once   // makes common
	common http.Header // is the same in every response; its values are shared and never changed
}

// RequestHeaders returns the names of the header fields that a request is read
// for. Traceparent goes to the log and to the API, the others change the response.
func RequestHeaders() []string {
	return []string{"Origin", "If-None-Match", "Access-Control-Request-Method", "Traceparent"}
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.Log.Begin(r.Context(), r.Header.Values("Traceparent"))
	ctx := start.WithTrace(r.Context())
	q, res, err := h.respond(ctx, r)
	if err != nil {
		res = h.failure(q, res, problem.Of(err), start.RequestID)
	}
	status := h.write(w, r, res, start.RequestID)
	h.Log.Write(ctx, start, requestlog.Line{Method: r.Method, Route: q.route, Status: status, Result: res.result, Several: res.several})
}

// respond parses r and makes the response to it. If there is an error, the request
// and the response have what was found before it.
func (h *Handler) respond(ctx context.Context, r *http.Request) (q request, res response, err error) {
	defer panics.Recover(&err)
	if q, err = h.parse(r); err != nil {
		return q, res, err
	}
	switch {
	case r.Method == http.MethodOptions:
		res = h.options(r)
	case q.route == healthPath:
		res = health()
	case len(q.keys) > 0:
		res, err = h.several(ctx, q)
	default:
		res, err = h.item(ctx, q)
	}
	return q, res, err
}

func (h *Handler) maxKeys() int { return cmp.Or(h.MaxKeys, defaultMaxKeys) }
