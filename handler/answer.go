package handler

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"voxkv/internal/freshness"
	"voxkv/internal/itemjson"
	"voxkv/internal/problem"
	"voxkv/lookup"
)

// An answer is what becomes of a request: the response without the header fields
// that every response has, and what the log says of it.
type answer struct {
	status      int
	contentType string      // "" if there is no body
	header      http.Header // further fields; may be nil
	body        []byte
	caching     caching

	// fresh is the freshness of an item, and unaged the one it had when it was just
	// read. An answer without an item has neither, and so no ETag.
	fresh, unaged freshness.Freshness

	// What follows is for the log.
	result  lookup.Result
	several []lookup.Result
}

func (h *Handler) item(ctx context.Context, q request) (answer, error) {
	found := lookup.One(ctx, q.key, h.Lookup)
	if found.Err != nil {
		return answer{result: found}, found.Err
	}
	a := h.fresh(found.Answer, q.private)
	a.contentType, a.header, a.body = q.form.contentType, q.form.header, q.form.encode(found.Answer.Item)
	a.result = found
	return a, nil
}

// several answers with several items at once. A browser may keep the response only
// if each key has an item, and as long as it may keep the shortest-lived of them.
func (h *Handler) several(ctx context.Context, q request) (answer, error) {
	results := problem.OfResults(lookup.Several(ctx, q.keys, h.Lookup))
	a := h.fresh(shortestLived(results), q.private)
	a.several = results
	body, err := json.Marshal(itemjson.OfResults(results, func(a lookup.Answer) itemjson.Item { return itemjson.Of(a.Item) }))
	a.contentType, a.body = jsonType, body
	return a, err
}

// shortestLived is an answer with the least life and the greatest age of all. If a
// key has no item, nothing is left of its life.
func shortestLived(results []lookup.Result) lookup.Answer {
	a := results[0].Answer
	for _, r := range results {
		if r.Err != nil {
			return lookup.Answer{}
		}
		a.Left, a.Age = min(a.Left, r.Answer.Left), max(a.Age, r.Answer.Age)
	}
	return a
}

// fresh is a 200 that may be kept as long as found allows.
func (h *Handler) fresh(found lookup.Answer, private bool) answer {
	f := freshness.Of(found, h.MaxAge, private)
	return answer{
		status:  http.StatusOK,
		caching: cachingOf(f, found.At),
		fresh:   f,
		unaged:  freshness.Of(lookup.Answer{Left: found.Left}, h.MaxAge, private),
	}
}

// health says that the function runs. Nothing is looked up for it.
func health() answer {
	return answer{status: http.StatusOK, contentType: jsonType, body: []byte(`{"status":"ok"}`), caching: uncached()}
}

// problem answers with p instead of a. Shared caches may keep the absence of an
// item, and no other problem.
func (h *Handler) problem(q request, a answer, p *problem.Problem, requestID string) answer {
	document := *p
	document.RequestID = requestID
	body, _ := json.Marshal(document) // strings and numbers always marshal
	header := http.Header{}
	if p.Code == problem.MethodNotAllowed {
		header.Set("Allow", allowedMethods)
	}
	if p.RetryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
	}
	c := uncached()
	if p.Code == problem.NotFound {
		c = absenceCaching(a.result.Answer, h.NotFoundMaxAge, q.private)
	}
	a.result.Err = p
	return answer{
		status: p.Status, contentType: problemType, header: header, body: body, caching: c,
		result: a.result, several: a.several,
	}
}
