// Package direct answers direct invocations of the function: one key, several
// keys, lists of requests as EventBridge Pipes sends them, and operations on the
// storage. It knows nothing of HTTP. Whoever may invoke the function is trusted, but
// where a payload has the claims of a user, that user's rights count.
package direct

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"voxkv/allowlist"
	"voxkv/internal/freshness"
	"voxkv/internal/itemjson"
	"voxkv/internal/panics"
	"voxkv/internal/problem"
	"voxkv/internal/requestlog"
	"voxkv/lookup"
)

// maxKeys is the most keys of one invocation.
const maxKeys = 50

// A Handler answers direct invocations. Lookup and Log are required.
type Handler struct {
	// Lookup finds what is stored under a valid key.
	Lookup lookup.Func

	// MaxAge is the ceiling of any max_age, but for keys whose rule has its own.
	MaxAge time.Duration

	// Items serves the operations. If nil, there are none.
	Items *Items

	// Log gets one line for each invocation.
	Log *requestlog.Log
}

// An Error is a failed invocation: a Lambda function error.
type Error struct {
	Type    string // stable: InvalidRequest, UpstreamBusy, UpstreamUnavailable, UpstreamTimeout, UpstreamFailure, InternalError
	Message string
}

func (e *Error) Error() string { return e.Message }

// ErrorType is the errorType of the function error.
func (e *Error) ErrorType() string { return e.Type }

// A response is what becomes of an invocation.
type response struct {
	value any // is marshaled for the caller

	// What follows is for the log.
	operation string // "" if keys were asked for
	result    lookup.Result
	several   []lookup.Result
}

// Invoke answers one invocation. {"key":"…"} is answered with the item and its
// max_age, or with null where HTTP says 404, so that an absent key is not an
// error. {"keys":[…]} is answered key by key, [{"key":"…"},…] with a list, and
// {"operation":…} by Items. The error is an *Error.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	start := h.Log.Begin(ctx, nil)
	ctx = start.WithTrace(ctx)
	text, res, err := h.respond(ctx, payload)
	line := requestlog.Line{Route: route(res.operation), Status: http.StatusOK, Result: res.result, Several: res.several}
	if err != nil {
		p := problem.Of(err)
		line.Status, line.Err = p.Status, p
		text, err = failure(p)
	}
	h.Log.Write(ctx, start, line)
	return text, err
}

// route is what the log shows in place of a route of HTTP.
func route(operation string) string {
	if operation == "" {
		return "direct"
	}
	return "direct " + operation
}

// failure is what the caller gets instead of a response.
func failure(p *problem.Problem) ([]byte, error) {
	if p.Code == problem.NotFound {
		return []byte("null"), nil
	}
	return nil, &Error{Type: p.ErrorType(), Message: p.Detail}
}

// respond returns the JSON of the response to payload. If there is an error, the
// response has what was found before it.
func (h *Handler) respond(ctx context.Context, payload []byte) (text []byte, res response, err error) {
	defer panics.Recover(&err)
	r, err := parse(payload)
	if err != nil {
		return nil, res, err
	}
	ctx = allowlist.WithCaller(ctx, r.caller)
	switch {
	case r.Operation != nil:
		res, err = h.operate(ctx, r)
	case r.enrichment:
		res, err = h.enrich(ctx, *r.Keys, r.callers)
	case r.Keys != nil:
		res, err = h.several(ctx, *r.Keys)
	default:
		res, err = h.one(ctx, *r.Key)
	}
	if err != nil {
		return nil, res, err
	}
	text, err = json.Marshal(res.value)
	return text, res, err
}

// An item is an item and how long the caller may keep it.
type item struct {
	itemjson.Item
	MaxAge int64 `json:"max_age"` // seconds
}

func (h *Handler) item(a lookup.Answer) item {
	return item{itemjson.Of(a.Item), max(freshness.Of(a, h.MaxAge, true).MaxAge, 0)}
}

func (h *Handler) one(ctx context.Context, key string) (response, error) {
	found := lookup.One(ctx, key, h.Lookup)
	if found.Err != nil {
		return response{result: found}, found.Err
	}
	return response{value: h.item(found.Answer), result: found}, nil
}

func (h *Handler) several(ctx context.Context, keys []string) (response, error) {
	if err := checkCount(keys); err != nil {
		return response{}, err
	}
	results := problem.OfResults(lookup.Several(ctx, keys, h.Lookup))
	return response{value: itemjson.OfResults(results, h.item), several: results}, nil
}

// enrich answers a list of requests with the list of their items, null for absent
// ones: what EventBridge Pipes sends to an enrichment and expects from it. A pipe
// retries the whole list, so one failure fails the list. Each key has a caller.
func (h *Handler) enrich(ctx context.Context, keys []string, callers []allowlist.Caller) (response, error) {
	err := checkCount(keys)
	if err != nil {
		return response{}, err
	}
	results := problem.OfResults(lookup.Each(ctx, len(keys), func(ctx context.Context, i int) lookup.Result {
		return lookup.One(allowlist.WithCaller(ctx, callers[i]), keys[i], h.Lookup)
	}))
	items := make([]*item, len(results))
	for i, r := range results {
		switch {
		case r.Err == nil:
			items[i] = new(h.item(r.Answer))
		case !r.Absent() && err == nil:
			err = r.Err
		}
	}
	return response{value: items, several: results}, err
}

func checkCount(keys []string) error {
	if len(keys) == 0 {
		return problem.BadRequest(problem.InvalidRequest, "The list has no key.")
	}
	return problem.CheckCount(len(keys), maxKeys)
}
