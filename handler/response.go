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

// A response is what becomes of a request, without the header fields that every
// response has.
type response struct {
	status      int
	contentType string      // "" if there is no body
	header      http.Header // further fields; may be nil
	body        []byte
	caching     caching

	// fresh is the freshness of an item, and unaged what it was when the item had
	// just been fetched. A response without an item has neither, and so no ETag.
	fresh, unaged freshness.Freshness

	// What follows is for the log.
	result  lookup.Result
	several []lookup.Result
}

func (h *Handler) item(ctx context.Context, q request) (response, error) {
	found := lookup.One(ctx, q.key, h.Lookup)
	if found.Absent() && q.form.absent != "" {
		return h.absence(q, found), nil
	}
	if found.Err != nil {
		return response{result: found}, found.Err
	}
	res := h.cacheable(found.Answer, q.private)
	res.contentType, res.header, res.body = q.form.contentType, q.form.header, q.form.encode(found.Answer.Item)
	res.result = found
	return res, nil
}

// absence is a 200 without an item, which caches treat as they treat a 404.
func (h *Handler) absence(q request, found lookup.Result) response {
	found.Err = problem.Of(found.Err)
	return response{
		status: http.StatusOK, contentType: q.form.contentType, body: []byte(q.form.absent),
		caching: absenceCaching(found.Answer, h.NotFoundMaxAge, q.private),
		result:  found,
	}
}

// several answers with several items at once. A browser may keep the response only
// if each key has an item, and as long as it may keep the shortest-lived of them.
func (h *Handler) several(ctx context.Context, q request) (response, error) {
	results := problem.OfResults(lookup.Several(ctx, q.keys, h.Lookup))
	res := h.cacheable(shortestLived(results), q.private)
	res.several = results
	body, err := json.Marshal(itemjson.OfResults(results, func(a lookup.Answer) itemjson.Item { return itemjson.Of(a.Item) }))
	res.contentType, res.body = jsonType, body
	return res, err
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

// cacheable is a 200 that caches may keep as long as found allows.
func (h *Handler) cacheable(found lookup.Answer, private bool) response {
	f := freshness.Of(found, h.MaxAge, private)
	return response{
		status:  http.StatusOK,
		caching: cachingOf(f, found.At),
		fresh:   f,
		unaged:  freshness.Of(lookup.Answer{Left: found.Left}, h.MaxAge, private),
	}
}

// health says that the function runs. Nothing is looked up for it.
func health() response {
	return response{status: http.StatusOK, contentType: jsonType, body: []byte(`{"status":"ok"}`), caching: uncached()}
}

// failure is the response to q with a problem document in place of res. Shared
// caches may keep the absence of an item, and no other problem.
func (h *Handler) failure(q request, res response, p *problem.Problem, requestID string) response {
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
		c = absenceCaching(res.result.Answer, h.NotFoundMaxAge, q.private)
	}
	res.result.Err = p
	return response{
		status: p.Status, contentType: problemType, header: header, body: body, caching: c,
		result: res.result, several: res.several,
	}
}
