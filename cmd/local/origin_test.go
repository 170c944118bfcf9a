package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"voxkv/test/tools"
)

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	const evil, ours, vite = "https://evil.test", "http://localhost:8080", "http://localhost:5173"
	tests := []struct {
		name, host, path string
		header           []string
		own, listed      bool // whether it may where no origin is listed, and where that of vite is
	}{
		{"a command line", "localhost:8080", "/storage/", nil, true, true},
		{"by address", "127.0.0.1:8080", "/storage/", nil, true, true},
		{"by another address of this machine", "127.1.2.3", "/storage/", nil, true, true},
		{"by IPv6", "[::1]:8080", "/storage/", nil, true, true},
		{"by IPv6 without a port", "[::1]", "/storage/", nil, true, true},
		{"the page", "LOCALHOST:8080", "/storage/", []string{"Sec-Fetch-Site", "same-origin", "Origin", ours}, true, true},
		{"the address bar", "localhost:8080", "/storage/", []string{"Sec-Fetch-Site", "none"}, true, true},
		{"the page in an old browser", "localhost:8080", "/storage/", []string{"Origin", ours}, true, true},
		{"a link to the page", "localhost:8080", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, true, true},
		{"a developer's page", "localhost:8080", "/storage/", []string{"Sec-Fetch-Site", "same-site", "Origin", vite}, false, true},
		{"a developer's page in an old browser", "localhost:8080", "/storage/", []string{"Origin", vite}, false, true},

		{"a rebound name", "evil.test:8080", "/", nil, false, false},
		{"a rebound name, itself", "evil.test:8080", "/storage/", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://evil.test:8080"}, false, false},
		{"a rebound name, of a listed origin", "evil.test:8080", "/storage/", []string{"Origin", vite}, false, false},
		{"a name that looks like ours", "localhost.evil.test", "/", nil, false, false},
		{"an address that looks like ours", "127.0.0.1.evil.test", "/", nil, false, false},
		{"no host", "", "/", nil, false, false},
		{"another machine's address", "192.0.2.1:8080", "/", nil, false, false},
		{"another site", "localhost:8080", "/storage/", []string{"Sec-Fetch-Site", "cross-site", "Origin", evil}, false, false},
		{"another site in an old browser", "localhost:8080", "/storage/", []string{"Origin", evil}, false, false},
		{"a page without an origin", "localhost:8080", "/storage/", []string{"Origin", "null"}, false, false},
		{"a link to the storage", "localhost:8080", "/storage/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, false, false},
		{"a script of another site", "localhost:8080", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, false, false},
	}
	for _, tt := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.path, nil)
		r.Host = tt.host
		for i := 0; i < len(tt.header); i += 2 {
			r.Header.Set(tt.header[i], tt.header[i+1])
		}
		if why := crossOrigin(r, nil); (why == "") != tt.own {
			t.Errorf("%s: refused with %q; want it to pass: %v", tt.name, why, tt.own)
		}
		if why := crossOrigin(r, []string{vite}); (why == "") != tt.listed {
			t.Errorf("%s: with a listed origin refused with %q; want it to pass: %v", tt.name, why, tt.listed)
		}
	}
}

// TestPagesOfOtherOrigins: none may use what is only for this machine, and none reads items of a real account but those
// that CORS_ORIGINS names. Demo items are there for every page.
func TestPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	const evil, vite = "https://evil.example", "http://localhost:5173"
	demo, _ := start(t, nil)
	every, _ := startReal(t, map[string]string{"CORS_ORIGINS": "*"})
	listed, _ := startReal(t, map[string]string{"CORS_ORIGINS": vite})
	tests := []struct {
		method, url, origin string
		status              int
	}{
		{"GET", demo + "/", evil, 403},
		{"GET", demo + "/playground/page.js", evil, 403},
		{"PUT", demo + "/playground/claims", evil, 403},
		{"GET", demo + "/storage/", evil, 403},
		{"POST", demo + invokeVoxkv, evil, 403},
		{"GET", demo + "/v1/items/order:1001", evil, 200},
		{"OPTIONS", demo + "/v1/items/order:1001", evil, 204},
		{"GET", every + "/v1/items/order:1", evil, 403},
		{"GET", every + "/v1/items?key=order:1", "https://*", 403},
		{"OPTIONS", every + "/v1/items/order:1", vite, 403},
		{"GET", listed + "/v1/items/order:1", evil, 403},
		{"OPTIONS", listed + "/v1/items/order:1", evil, 403},
		{"POST", listed + invokeVoxkv, vite, 403},
		{"GET", listed + "/v1/items/order:1", vite, 200},
		{"OPTIONS", listed + "/v1/items/order:1", vite, 204},
	}
	for _, tt := range tests {
		res, body := tools.Do(t, tt.method, tt.url, "", "Origin", tt.origin, "Access-Control-Request-Method", "GET")
		leave := res.Header.Get("Access-Control-Allow-Origin")
		if res.StatusCode != tt.status || (leave != "") != (tt.status < 300) || tt.status == 403 && strings.Contains(body, "for real") {
			t.Errorf("%s %s from %s = %d %v %s; want %d, and leave to read it or not", tt.method, tt.url, tt.origin, res.StatusCode, res.Header, body, tt.status)
		}
	}
}
