package handler_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"voxkv/internal/itemjson"
	"voxkv/internal/lookuptest"
	"voxkv/internal/openapitest"
	"voxkv/internal/problem"
	"voxkv/lookup"
	"voxkv/voximplant"
)

func apiError(kind voximplant.Kind, after time.Duration) error {
	return fmt.Errorf("wrapped: %w", &voximplant.Error{Kind: kind, Code: 100, RetryAfter: after})
}

// TestFailures is E5-13, B3-14 and B3-21: what went wrong inside, and what
// comes out, however conditional the request. At which level it is logged is in
// the tests of requestlog.
func TestFailures(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		err        error
		status     int
		code       problem.Code
		retryAfter string
	}{
		{"credentials", apiError(voximplant.KindCredentials, 0), 502, "upstream_failure", ""},
		{"configuration", apiError(voximplant.KindConfiguration, 0), 500, "internal_error", ""},
		{"throttled", apiError(voximplant.KindThrottled, 0), 503, "upstream_busy", "1"},
		{"throttled for a while", apiError(voximplant.KindThrottled, 6500*time.Millisecond), 503, "upstream_busy", "7"},
		{"throttled for ages", apiError(voximplant.KindThrottled, math.MaxInt64), 503, "upstream_busy", "60"},
		{"throttled until now", apiError(voximplant.KindThrottled, -time.Hour), 503, "upstream_busy", "1"},
		{"throttled until long ago", apiError(voximplant.KindThrottled, math.MinInt64), 503, "upstream_busy", "1"},
		{"unavailable", apiError(voximplant.KindUnavailable, 0), 503, "upstream_unavailable", "2"},
		{"unavailable for a while", apiError(voximplant.KindUnavailable, 6001*time.Millisecond), 503, "upstream_unavailable", "7"},
		{"failed", apiError(voximplant.KindFailed, 0), 502, "upstream_failure", ""},
		{"malformed", apiError(voximplant.KindMalformed, 0), 502, "upstream_failure", ""},
		{"timeout", fmt.Errorf("asking: %w", context.DeadlineExceeded), 504, "upstream_timeout", ""},
		{"timeout of a part", fmt.Errorf("asking: %w", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}), 504, "upstream_timeout", ""},
		{"caller gone", context.Canceled, 504, "upstream_timeout", ""},
		{"unforeseen", errAny, 500, "internal_error", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := newSite(lookuptest.Failing(row.err)).get(t, "/v1/items/k", "If-None-Match", "*")
			p := got.problem(t)
			if got.status != row.status || p.Code != row.code || got.header.Get("Retry-After") != row.retryAfter {
				t.Errorf("GET = %d %s, Retry-After %q; want %d %s, %q", got.status, p.Code, got.header.Get("Retry-After"), row.status, row.code, row.retryAfter)
			}
			if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Etag") != "" {
				t.Errorf("Cache-Control = %q, ETag %q; want no-store and none", got.header.Get("Cache-Control"), got.header.Get("Etag"))
			}
			if strings.Contains(got.body, "+1555") {
				t.Errorf("the problem tells the cause: %s", got.body)
			}
		})
	}
}

// TestNotFound is B3-14, B3-22, B3-23, B3-24 and the body of a 404.
func TestNotFound(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Failing(voximplant.ErrNotFound))
	got := s.get(t, "/v1/items/k", "If-None-Match", "*")
	const public = "public, max-age=0, s-maxage=5, must-revalidate, stale-while-revalidate=0, stale-if-error=0"
	if got.status != 404 || got.header.Get("Cache-Control") != public || got.header.Get("Etag") != "" || got.header.Get("X-Accel-Expires") != "@1795435205" {
		t.Errorf("GET = %d %v; want 404 with %q", got.status, got.header, public)
	}
	if p := got.problem(t); p.Type != "about:blank" || p.Title != "Not Found" || p.Code != "not_found" || p.Detail != "No item with this key." {
		t.Errorf("problem = %+v", p)
	}
	for _, target := range []string{"/v1/items/k", "/v1/items?key=k"} {
		s.Private = target == "/v1/items/k"
		d := directives(t, s.get(t, target))
		if _, ok := d["private"]; !ok || d["s-maxage"] != "" || d["max-age"] != "0" {
			t.Errorf("%s: Cache-Control of a private 404 = %v; want private, max-age=0, no s-maxage", target, d)
		}
	}
}

// TestAbsenceAges is B3-22: an absence that is remembered is kept the shorter,
// so that a new item is seen as soon as if nothing had remembered it.
func TestAbsenceAges(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		age  time.Duration
		want string // s-maxage, "" for no-store
	}{
		{-time.Hour, "5"}, {0, "5"}, {1, "4"}, {time.Second, "4"}, {3500 * time.Millisecond, "1"}, {4 * time.Second, "1"},
		{4*time.Second + 1, ""}, {5 * time.Second, ""}, {math.MaxInt64, ""}, {math.MinInt64, "5"},
	} {
		got := newSite(func(context.Context, string) (lookup.Answer, error) {
			return lookup.Answer{At: lookuptest.At(), Age: row.age, Source: lookup.FromCache}, voximplant.ErrNotFound
		}).get(t, "/v1/items/k")
		if d := directives(t, got); got.status != 404 || d["s-maxage"] != row.want || (row.want == "") != (got.header.Get("Cache-Control") == "no-store") {
			t.Errorf("an absence known for %v: %d %v; want 404, s-maxage=%s", row.age, got.status, got.header, row.want)
		}
	}
}

// TestBadRequests is B3-21, E5-4, E5-5 and E5-7, as far as net/http lets them
// through. What is wrong with a path alone is in TestPathHasNoAlias, and with a key
// alone in voximplant.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := newSite(func(context.Context, string) (lookup.Answer, error) {
		t.Error("a bad request was looked up")
		return lookup.Answer{}, errAny
	})
	const (
		noKey     = "The query has no key."
		semicolon = "The query is malformed. Write a semicolon in it as %3B."
	)
	for _, row := range []struct {
		method, target string
		status         int
		code           problem.Code
		detail         string // "" for any
	}{
		{"GET", "/v1/items", 400, problem.InvalidKey, noKey},
		{"GET", "/v1/items?Key=a", 400, problem.InvalidKey, noKey},
		{"GET", "/v1/items?key=", 400, problem.InvalidKey, "Not a key: the key is empty."},
		{"GET", "/v1/items?key=a+b", 400, problem.InvalidKey, "A key cannot have a space. Write a plus sign in a query as %2B."},
		{"GET", "/v1/items?key=a;b", 400, problem.InvalidRequest, semicolon},
		{"GET", "/v1/items?key=a;b&key=c", 400, problem.InvalidRequest, semicolon},
		{"GET", "/v1/items?key=%FF&key=%FE", 400, problem.InvalidRequest, semicolon},
		{"GET", "/v1/items?key=%ZZ", 400, problem.InvalidRequest, semicolon},
		{"GET", "/v1/items/%3Cscript%3E", 400, problem.InvalidKey, ""},
		{"POST", "/v1/items/k", 405, problem.MethodNotAllowed, ""},
		{"PUT", "/v1/items/k", 405, problem.MethodNotAllowed, ""},
		{"PATCH", "/v1/items", 405, problem.MethodNotAllowed, ""},
		{"DELETE", "/v1/items/k", 405, problem.MethodNotAllowed, ""},
		{"POST", "/v1/health", 405, problem.MethodNotAllowed, ""},
		{"GET", "/", 404, problem.NoRoute, ""},
		{"POST", "/v2/items/k", 404, problem.NoRoute, ""},
		{"OPTIONS", "/other", 404, problem.NoRoute, ""},
	} {
		got := s.ask(t, row.method, row.target, "If-None-Match", "*")
		if p := got.problem(t); got.status != row.status || p.Code != row.code || row.detail != "" && p.Detail != row.detail {
			t.Errorf("%s %s = %s; want %d %s %q", row.method, row.target, got.body, row.status, row.code, row.detail)
		}
		if got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: Cache-Control = %q; want no-store", row.method, row.target, got.header.Get("Cache-Control"))
		}
		if allow := got.header.Get("Allow"); (allow == "GET, HEAD, OPTIONS") != (row.status == 405) {
			t.Errorf("%s %s: Allow = %q", row.method, row.target, allow)
		}
		if strings.Contains(got.body, "script") {
			t.Errorf("%s %s: the problem reflects input: %s", row.method, row.target, got.body)
		}
	}
}

// TestKeys is the query form for what a path cannot hold.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Living(time.Hour, 0))
	for query, want := range map[string]string{"key=.": ".", "key=..": "..", "key=a%2Bb": "a+b", "key=a%3Bb&x=%3B": "a;b"} {
		got := s.get(t, "/v1/items?"+query)
		if item := decode[itemjson.Item](t, got.body); got.status != 200 || item.Key != want {
			t.Errorf("GET ?%s = %d, key %q; want 200, %q", query, got.status, item.Key, want)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Failing(errAny))
	got := s.get(t, "/v1/health")
	if got.status != 200 || got.body != `{"status":"ok"}` || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("GET = %d %s, Cache-Control %q", got.status, got.body, got.header.Get("Cache-Control"))
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	s := newSite(func(context.Context, string) (lookup.Answer, error) { panic("token-in-a-panic") })
	got := s.get(t, "/v1/items/k")
	if p := got.problem(t); got.status != 500 || p.Code != "internal_error" {
		t.Errorf("GET = %d %s; want 500 internal_error", got.status, p.Code)
	}
	if stack, _ := s.log.Last(t)["stack"].(string); !strings.Contains(stack, "problem_test.go") {
		t.Errorf("logged stack = %q; want one that leads to the panic", stack)
	}
	if log := s.log.String(); strings.Contains(log, "token-in-a-panic") {
		t.Errorf("the log holds the panic's value: %s", log)
	}
}

// FuzzRequest is E5-12: any method, path and query gets a documented response
// and one that keeps what is true of every response.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/v1/items/k", "")
	f.Add("HEAD", "/v1/items", "key=a%2Bb")
	f.Add("BREW", "//v1/../items", "key=;&key")
	f.Fuzz(func(t *testing.T, method, path, query string) {
		s := newSite(lookuptest.Failing(voximplant.ErrNotFound))
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}}
		got := s.serve(r.WithContext(t.Context()))
		checkEvery(t, got)
		openapitest.Validate(t, r, got.response())
		switch got.status {
		case 200, 204, 400, 404, 405:
		default:
			t.Errorf("%s %q?%q: status %d", method, path, query, got.status)
		}
	})
}
