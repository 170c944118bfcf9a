package handler_test

import (
	"net/http"
	"testing"
	"time"

	"voxkv/internal/lookuptest"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// TestListedOrigins is B3-27 and E5-18.
func TestListedOrigins(t *testing.T) {
	t.Parallel()
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
		for status, find := range map[int]lookup.Func{
			200: lookuptest.Living(time.Hour, 0), 404: lookuptest.Failing(voximplant.ErrNotFound), 500: lookuptest.Failing(errAny),
		} {
			s := newSite(find)
			s.Origins = []string{"https://example.com", "http://localhost:3000"}
			got := s.get(t, "/v1/items/k", "Origin", origin)
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
	s.Tokens = true
	check(preflight(), "If-None-Match, traceparent, Authorization", "")
	s.Tokens, s.Private = false, true
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
