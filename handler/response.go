package handler

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
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

// perCaller reports whether another caller could get another response.
func (r response) perCaller() bool {
	return r.result.Answer.Rule.Private || slices.ContainsFunc(r.several, func(one lookup.Result) bool { return one.Answer.Rule.Private })
}

func (h *Handler) item(ctx context.Context, q request) (response, error) {
	found := lookup.One(ctx, q.key, h.Lookup)
	if found.Absent() && q.form.absent != "" {
		return h.absence(q, found), nil
	}
	if found.Err != nil {
		return response{result: found}, found.Err
	}
	res := h.cacheable([]lookup.Result{found}, q.private)
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
	res := h.cacheable(results, q.private)
	res.several = results
	body, err := json.Marshal(itemjson.OfResults(results, func(a lookup.Answer) itemjson.Item { return itemjson.Of(a.Item) }))
	res.contentType, res.body = jsonType, body
	return res, err
}

// cacheable is a 200 that caches may keep as long as each of results allows. If one
// of them has no item, they may not keep it at all.
func (h *Handler) cacheable(results []lookup.Result, private bool) response {
	var fresh, unaged freshness.Freshness
	for i, r := range results {
		if r.Err != nil {
			return response{status: http.StatusOK, caching: uncached()}
		}
		f, u := freshness.Of(r.Answer, h.MaxAge, private), freshness.Of(lookup.Answer{Left: r.Answer.Left, Rule: r.Answer.Rule}, h.MaxAge, private)
		if i > 0 {
			f, u = fresh.Shorter(f), unaged.Shorter(u)
		}
		fresh, unaged = f, u
	}
	return response{status: http.StatusOK, caching: cachingOf(fresh, results[0].Answer.At), fresh: fresh, unaged: unaged}
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
