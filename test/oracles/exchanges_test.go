// Package oracles asks programs that were not written for voxkv what caches make of its headers: a Go library, and the
// npm one that most of the JavaScript world caches with. What they should say is worked out here from the life of the
// item, by the rules of the HTTP contract and without a look at the handler's own arithmetic.
//
// The npm library needs node, npm and, once, the npm registry, and so is asked only when VOXKV_ORACLES is set.
package oracles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"voxkv/handler"
	"voxkv/internal/requestlog"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// never says that a cache may not store a response.
const never = -1

// An exchange is a request, the handler's answer, and for how many seconds caches should reuse it.
type exchange struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"`
	Request map[string]string `json:"request"`
	Status  int               `json:"status"`
	Header  map[string]string `json:"header"`           // names in lower case
	Stored  map[string]string `json:"stored,omitempty"` // of the response that a 304 is about

	Of      life  `json:"-"` // zero where there is no item
	Shared  int64 `json:"-"` // what a cache for many should make of it
	Private int64 `json:"-"` // and a browser
}

// A life is an item at the moment of the answer, and how the function is set up.
type life struct {
	left, age, ceiling time.Duration
	private            bool   // by CACHE_SCOPE
	target             string // what is asked for
	listed             bool   // CORS_ORIGINS is a list
}

const (
	byPath   = "/v1/items/k"
	optional = "/v1/optional/k"
	parsed   = "/v1/parsed/k"
	alone    = "/v1/values/k"
	byQuery  = "/v1/items?key=k"
	batch    = "/v1/items?key=k&key=l"
)

// query reports whether l is asked for by query.
func (l life) query() bool { return strings.Contains(l.target, "?") }

func lives() []life {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	var all []life
	for _, ceiling := range []float64{0, 1, 60, 3600, 7776000} {
		for _, left := range []float64{0, 0.5, 1, 2, 3, 3.9, 4, 5, 7.9, 8, 10, 61, 121.9, 122, 123.5, 126, 3600, 7776000} {
			for _, age := range []float64{0, 0.2, 20, 59, 59.1, 61} {
				l := life{left: seconds(left), age: seconds(age), ceiling: seconds(ceiling)}
				for _, l.target = range []string{byPath, optional, parsed, alone} {
					all = append(all, l)
				}
				l.private, l.target = true, byPath
				all = append(all, l)
				l.private, l.listed = false, true
				for _, l.target = range []string{byQuery, batch} {
					all = append(all, l)
				}
			}
		}
	}
	return all
}

// maxAges is section B3 of the HTTP contract, for caches for many and for browsers: 2 s are never handed out, a cache
// without Age doubles what it gets, a cache for many gets 2 s less of what is left, and nothing is reused for longer than
// the ceiling after it was read. An unknown end (left 0) forbids all.
func (l life) maxAges() (shared, private int64) {
	remaining := math.Floor(l.left.Seconds()) - 2
	if l.private || l.query() {
		return never, l.maxAge(remaining)
	}
	return l.maxAge(math.Floor(remaining/2) - 2), l.maxAge(math.Floor(remaining / 2))
}

// maxAge is what is handed out of a life of so many seconds.
func (l life) maxAge(life float64) int64 {
	m := math.Min(l.ceiling.Seconds()-math.Ceil(l.age.Seconds()), life)
	if m < 1 {
		return never
	}
	return int64(m)
}

// at is the time of every answer. Date and Expires have whole seconds.
var at = time.Unix(1795430000, 250_000_000)

// handler returns a handler that finds item or err.
func (l life) handler(found func() (lookup.Answer, error)) *handler.Handler {
	h := &handler.Handler{
		Lookup:         func(context.Context, string) (lookup.Answer, error) { return found() },
		MaxAge:         l.ceiling,
		NotFoundMaxAge: 5 * time.Second,
		Private:        l.private,
		RawValues:      true,
		Origins:        []string{"*"},
		Log:            &requestlog.Log{Logger: slog.New(slog.DiscardHandler)},
	}
	if l.listed {
		h.Origins = []string{"https://app.example.com"}
	}
	return h
}

func (l life) answer() (lookup.Answer, error) {
	item := &voximplant.KeyValueItem{Key: "k", Value: "v"}
	if l.left > 0 {
		item.ExpiresAt = at.Add(l.left)
	}
	return lookup.Answer{Item: item, At: at, Age: l.age, Left: l.left}, nil
}

// exchanges are all that the handler may say to caches.
func exchanges() []exchange {
	var all []exchange
	for _, l := range lives() {
		all = append(all, l.exchanges()...)
	}
	for _, l := range []life{
		{target: byPath}, {target: byPath, private: true}, {target: byQuery}, {target: byPath, listed: true}, {target: optional}, {target: parsed}, {target: alone},
	} {
		all = append(all, absences(l)...)
		all = append(all, uncacheable(l)...)
	}
	return all
}

// exchanges are the answers with the item: 200, and 304 for one who holds it.
func (l life) exchanges() []exchange {
	h, name := l.handler(l.answer), fmt.Sprintf("item %+v", l)
	shared, m := l.maxAges()
	full := ask(h, name, "GET", l.target, l.request())
	full.Shared, full.Private = shared, m
	head := ask(h, name+", HEAD", "HEAD", l.target, l.request())
	head.Shared, head.Private = shared, m
	all := []exchange{full, head}
	if tag := full.Header["etag"]; tag != "" {
		request := l.request()
		request["if-none-match"] = tag
		not := ask(h, name+", not modified", "GET", l.target, request)
		not.Stored, not.Shared, not.Private = full.Header, shared, m
		all = append(all, not)
	}
	for i := range all {
		all[i].Of = l
	}
	return all
}

// request is the header of a request. Where the function says private, callers are authenticated.
func (l life) request() map[string]string {
	request := map[string]string{"host": "kv.test", "origin": "https://app.example.com"}
	if l.private {
		request["authorization"] = "Bearer token"
	}
	return request
}

// absences may be remembered by shared caches for NOT_FOUND_MAX_AGE, and by browsers for no time at all.
func absences(l life) []exchange {
	var all []exchange
	for _, remembered := range []time.Duration{0, time.Second, 5 * time.Second, time.Minute} {
		h := l.handler(func() (lookup.Answer, error) { return lookup.Answer{At: at}, voximplant.ErrNotFound })
		h.NotFoundMaxAge = remembered
		e := ask(h, fmt.Sprintf("absent for %v, %+v", remembered, l), "GET", l.target, l.request())
		e.Shared, e.Private = int64(remembered/time.Second), 0
		if l.private || l.query() {
			e.Shared = never
		}
		if remembered == 0 {
			e.Shared, e.Private = never, never
		}
		all = append(all, e)
	}
	return all
}

// uncacheable are all the other answers.
func uncacheable(l life) []exchange {
	l.ceiling = time.Hour
	var all []exchange
	add := func(name, method, target string, err error) {
		h := l.handler(func() (lookup.Answer, error) { return lookup.Answer{At: at}, err })
		e := ask(h, fmt.Sprintf("%s, %+v", name, l), method, target, l.request())
		e.Shared, e.Private = never, never
		all = append(all, e)
	}
	for name, err := range map[string]error{
		"throttled":     &voximplant.Error{Kind: voximplant.KindThrottled},
		"unavailable":   &voximplant.Error{Kind: voximplant.KindUnavailable},
		"refused":       &voximplant.Error{Kind: voximplant.KindCredentials},
		"misconfigured": &voximplant.Error{Kind: voximplant.KindConfiguration},
		"late":          context.DeadlineExceeded,
		"a bug":         errors.New("a bug"),
	} {
		add(name, "GET", l.target, err)
		add(name+" in a batch", "GET", batch, err)
		add(name+" to HEAD", "HEAD", l.target, err)
	}
	add("nothing of a batch", "GET", batch, voximplant.ErrNotFound)
	add("bad key", "GET", "/v1/items/%20", nil)
	add("dots", "GET", "/v1/items/..", nil)
	add("no key in a batch", "GET", "/v1/items?key=k&key=%25", voximplant.ErrNotFound)
	add("no route", "GET", "/favicon.ico", nil)
	add("no method", "POST", "/v1/items/k", nil)
	add("preflight", "OPTIONS", "/v1/items/k", nil)
	add("health", "GET", "/v1/health", nil)
	return all
}

// ask sends a request to h.
func ask(h http.Handler, name, method, target string, request map[string]string) exchange {
	r := httptest.NewRequest(method, target, nil)
	for field, value := range request {
		r.Header.Set(field, value)
	}
	if method == http.MethodOptions {
		r.Header.Set("Access-Control-Request-Method", "GET")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	// The server in front adds this.
	header := map[string]string{"date": at.UTC().Format(http.TimeFormat)}
	for field, values := range w.Header() {
		header[strings.ToLower(field)] = strings.Join(values, ", ")
	}
	return exchange{Name: name, Method: method, Request: maps.Clone(request), Status: w.Code, Header: header}
}
