// Package handler serves items over HTTP and to direct invocations. It makes
// the response, its cache headers and its problems from what lookup finds,
// and logs each request once.
package handler

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"voxkv/internal/panics"
	"voxkv/internal/problem"
	"voxkv/lookup"
	"voxkv/storage"
)

const (
	itemsPath  = "/v1/items"
	parsedPath = "/v1/parsed"
	valuesPath = "/v1/values"
	healthPath = "/v1/health"
)

// A Handler serves items. Lookup, Log and HashKey are required.
type Handler struct {
	// Lookup finds what is stored under a key that voximplant.CheckKey accepts.
	Lookup func(ctx context.Context, key string) (lookup.Answer, error)

	// MaxAge is the ceiling of any freshness handed out. 0 forbids all caching.
	MaxAge time.Duration

	// NotFoundMaxAge is how long shared caches may keep a 404.
	NotFoundMaxAge time.Duration

	// BasePath may stand before the routes: "", or a path such as /phone/v2.
	BasePath string

	// Private keeps responses out of shared caches, as they must be where
	// callers are authenticated.
	Private bool

	// MaxKeys bounds the keys of one HTTP request, each of which may cost a call
	// to the storage. If 0, it is 10. Direct invocations may ask for 50.
	MaxKeys int

	// RawValues serves values as they are at /v1/values/{key}.
	RawValues bool

	// Storage serves the operations of direct invocation. If nil, there are none.
	Storage *storage.Storage

	// Origins are the web origins that may read responses, or "*".
	Origins []string

	// Log gets one line for each request.
	Log *slog.Logger

	// HashKey is what logs show of a key.
	HashKey func(key string) string

	// Metrics makes each log line a CloudWatch metric document as well.
	Metrics bool

	// TokenCounts tells how many tokens were signed and how often the key was
	// read since it was last called, for the metrics. It may be nil.
	TokenCounts func() (signed, read int64)

	warm   atomic.Bool // a request was served before
	once   sync.Once   // makes common
	common http.Header // the same in every response; its values are shared and never changed
}

// RequestHeaders are the header fields that a request is read for. The last one
// goes to the log and to the API, the others make a difference to the response.
func RequestHeaders() []string {
	return []string{"Origin", "If-None-Match", "Access-Control-Request-Method", "Traceparent"}
}

// ServeHTTP answers one request: common headers, route, problem, log line.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := h.begin(r.Context(), r.Header.Values("Traceparent"))
	e.method = r.Method
	r = r.WithContext(e.trace(r.Context()))
	h.commonHeaders(w.Header(), r.Header.Get("Origin"), e.requestID)
	if err := h.guarded(func() error { return h.route(w, r, e) }); err != nil {
		e.fail(err)
		p := e.problem
		p.RequestID = e.requestID
		h.serveProblem(w, p, h.problemCaching(p, e))
	}
	h.log(r.Context(), e)
}

// guarded turns a panic in serve into an error.
func (h *Handler) guarded(serve func() error) (err error) {
	defer panics.Recover(&err)
	return serve()
}

// commonHeaders are on every response, whatever becomes of it. All but the
// last two are made once, which saves a warm hit eight of its allocations.
func (h *Handler) commonHeaders(header http.Header, origin, requestID string) {
	h.once.Do(func() {
		h.common = http.Header{}
		h.common.Set("X-Content-Type-Options", "nosniff")
		h.common.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.common.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.common.Set("Referrer-Policy", "no-referrer")
		h.corsHeaders(h.common)
	})
	maps.Copy(header, h.common)
	h.allowOrigin(header, origin)
	header.Set("X-Request-Id", requestID)
}

// route serves the request or returns why it cannot. It does not use
// http.ServeMux, whose redirects to a cleaned path would answer keys that are
// none ("..", "a//b") with a 301 of its own.
func (h *Handler) route(w http.ResponseWriter, r *http.Request, e *entry) error {
	path := h.path(r.URL)
	form, key, found := h.formOf(path)
	key = unescaped(key)
	switch {
	case found:
		e.route, e.private = form.prefix+"{key}", h.Private
	case path == itemsPath:
		// A CDN may leave the query out of its cache key and mix up two items.
		e.route, e.private = itemsPath, true
	case path == healthPath:
		e.route = healthPath
	default:
		return noRoute()
	}
	switch {
	case r.Method == http.MethodOptions:
		h.serveOptions(w, r)
		e.status = http.StatusNoContent
		return nil
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return methodNotAllowed()
	case e.route == healthPath:
		return serveHealth(w, e)
	case !found:
		return h.query(w, r, e)
	}
	if err := checkPath(form, key); err != nil {
		return err
	}
	return h.item(w, r, key, form, e)
}

// checkPath refuses what a path cannot hold, and tells what is likely meant.
func checkPath(f form, key string) error {
	switch {
	case key == "." || key == "..":
		// URL parsers on the way take these for steps of the path.
		return problem.BadRequest(problem.InvalidKey, "A path cannot hold this key. Use /v1/items?key= for it.")
	case key == "":
		return problem.BadRequest(problem.InvalidKey, "The path ends without a key. It is "+f.prefix+"{key}.")
	case strings.HasSuffix(key, "/"):
		return problem.BadRequest(problem.InvalidKey, "A key has no slash. Leave out the one at the end of the path.")
	}
	return nil
}

func (h *Handler) item(w http.ResponseWriter, r *http.Request, key string, f form, e *entry) error {
	a, err := h.find(r.Context(), key, e)
	if err != nil {
		return err
	}
	e.status = h.serveItem(w, r, a, f, e.private)
	return nil
}

// find looks key up, for HTTP and direct invocation alike.
func (h *Handler) find(ctx context.Context, key string, e *entry) (lookup.Answer, error) {
	if err := e.noteKey(key); err != nil {
		return lookup.Answer{}, err
	}
	a, err := h.Lookup(ctx, key)
	e.answer = a
	return a, err
}

// query serves the query form: one item, or several.
func (h *Handler) query(w http.ResponseWriter, r *http.Request, e *entry) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	keys := values["key"]
	switch {
	case err != nil, slices.ContainsFunc(keys, func(key string) bool { return !utf8.ValidString(key) }):
		return problem.BadRequest(problem.InvalidRequest, "The query is malformed. A semicolon in it is written %3B.")
	case len(keys) == 0:
		return problem.BadRequest(problem.InvalidKey, "The query holds no key.")
	case slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(key, " ") }):
		return problem.BadRequest(problem.InvalidKey, "A key has no space. A plus sign in a query is written %2B.")
	case len(keys) == 1:
		return h.item(w, r, keys[0], jsonForm(), e)
	}
	return h.items(w, r, keys, e)
}

// serveHealth tells that the function runs. It asks nobody.
func serveHealth(w http.ResponseWriter, e *entry) error {
	w.Header().Set("Content-Type", jsonType)
	uncached().set(w.Header())
	e.status = http.StatusOK
	w.WriteHeader(e.status)
	w.Write([]byte(`{"status":"ok"}`))
	return nil
}

// problemCaching lets shared caches keep the absence of an item, and nothing else.
func (h *Handler) problemCaching(p problem.Problem, e *entry) caching {
	if p.Code != problem.NotFound {
		return uncached()
	}
	return absence(e.answer, h.NotFoundMaxAge, e.private)
}
