package handler_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"voxkv/internal/lookuptest"
	"voxkv/voximplant"
)

// TestAnyOrigin is B3-26 and B3-28, for every status.
func TestAnyOrigin(t *testing.T) {
	t.Parallel()
	item, missing := newSite(lookuptest.Living(time.Hour, 0)), newSite(lookuptest.Failing(voximplant.ErrNotFound))
	for _, row := range []struct {
		s              *site
		method, target string
		status         int
		header         []string
	}{
		{item, "GET", "/v1/items/k", 200, nil},
		{item, "GET", "/v1/items/k", 304, []string{"If-None-Match", "*"}},
		{item, "GET", "/v1/items?key=k&key=l", 200, nil},
		{item, "GET", "/v1/parsed/k", 200, nil},
		{item, "GET", "/v1/health", 200, nil},
		{item, "OPTIONS", "/v1/items/k", 204, nil},
		{item, "OPTIONS", "/v1/items/k", 204, []string{"Access-Control-Request-Method", "GET"}},
		{item, "GET", "/v1/items/%20", 400, nil},
		{missing, "GET", "/v1/items/k", 404, nil},
		{item, "GET", "/other", 404, nil},
		{item, "POST", "/v1/items/k", 405, nil},
		{newSite(lookuptest.Failing(errAny)), "GET", "/v1/items/k", 500, nil},
		{newSite(lookuptest.Failing(apiError(voximplant.KindFailed, 0))), "GET", "/v1/items/k", 502, nil},
		{newSite(lookuptest.Failing(apiError(voximplant.KindThrottled, 0))), "GET", "/v1/items/k", 503, nil},
		{newSite(lookuptest.Failing(context.DeadlineExceeded)), "GET", "/v1/items/k", 504, nil},
	} {
		for _, origin := range []string{"", "https://example.com", "null"} {
			got := row.s.ask(t, row.method, row.target, append([]string{"Origin", origin}, row.header...)...)
			if got.status != row.status || got.header.Get("Access-Control-Allow-Origin") != "*" || got.header.Get("Vary") != "" ||
				got.header.Get("Access-Control-Allow-Credentials") != "" ||
				got.header.Get("Access-Control-Expose-Headers") != "ETag, Date, Age, Retry-After, X-Request-Id" {
				t.Errorf("%s %s from %q: %d %v; want %d", row.method, row.target, origin, got.status, got.header, row.status)
			}
		}
	}
}

// TestListedOrigins is B3-27 and E5-18.
func TestListedOrigins(t *testing.T) {
	t.Parallel()
	item, missing := newSite(lookuptest.Living(time.Hour, 0)), newSite(lookuptest.Failing(voximplant.ErrNotFound))
	busy := newSite(lookuptest.Failing(apiError(voximplant.KindThrottled, 0)))
	for origin, allowed := range map[string]bool{
		"https://example.com":       true,
		"http://localhost:3000":     true,
		"":                          false,
		"null":                      false,
		"http://example.com":        false,
		"https://example.com:8443":  false,
		"https://EXAMPLE.com":       false,
		"HTTPS://example.com":       false,
		"https://evil-example.com":  false,
		"https://example.com.evil":  false,
		"https://sub.example.com":   false,
		"https://example.com/":      false,
		"http://localhost:30001":    false,
		"https://example.com, null": false,
	} {
		for status, s := range map[int]*site{200: item, 304: item, 404: missing, 503: busy} {
			s := &site{Handler: s.Handler, log: s.log}
			s.Origins = []string{"https://example.com", "http://localhost:3000"}
			header := []string{"Origin", origin}
			if status == 304 {
				header = append(header, "If-None-Match", "*")
			}
			got := s.get(t, "/v1/items/k", header...)
			want := ""
			if allowed {
				want = origin
			}
			if got.status != status || got.header.Get("Access-Control-Allow-Origin") != want || got.header.Get("Vary") != "Origin" {
				t.Errorf("from %q: %d, Allow-Origin %q, Vary %q; want %d, %q, Origin",
					origin, got.status, got.header.Get("Access-Control-Allow-Origin"), got.header.Get("Vary"), status, want)
			}
		}
	}
}

// TestPreflight is B3-29 and E5-19.
func TestPreflight(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Failing(errAny))
	preflight := func() reply {
		return s.ask(t, http.MethodOptions, "/v1/items/k", "Origin", "https://example.com",
			"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "if-none-match,traceparent")
	}
	check := func(r reply, allowHeaders, vary string) {
		t.Helper()
		if r.status != 204 || r.body != "" ||
			r.header.Get("Access-Control-Allow-Methods") != "GET, HEAD" ||
			r.header.Get("Access-Control-Allow-Headers") != allowHeaders ||
			r.header.Get("Access-Control-Max-Age") != "7200" ||
			r.header.Get("Cache-Control") != "no-store" || r.header.Get("Vary") != vary {
			t.Errorf("preflight = %d %v; want 204, Allow-Headers %q, Vary %q", r.status, r.header, allowHeaders, vary)
		}
	}
	check(preflight(), "If-None-Match, traceparent", "")
	s.Private = true
	check(preflight(), "If-None-Match, traceparent, Authorization", "")
	s.Origins = []string{"https://example.com"}
	check(preflight(), "If-None-Match, traceparent, Authorization", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	s.PageHeaders = []string{"X-Amz-Date", "X-Amz-Security-Token"}
	check(preflight(), "If-None-Match, traceparent, Authorization, X-Amz-Date, X-Amz-Security-Token",
		"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	got := s.ask(t, http.MethodOptions, "/v1/items/k")
	if got.status != 204 || got.header.Get("Allow") != "GET, HEAD, OPTIONS" || got.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("OPTIONS = %d %v; want 204 with Allow", got.status, got.header)
	}
}
