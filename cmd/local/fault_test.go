package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mode   string
		status int
		text   string
	}{
		{"off", 200, `"value":"on"`},
		{"throttled", 503, `"code":"upstream_busy"`},
		{"unavailable", 503, `"code":"upstream_unavailable"`},
		{"slow", 504, `"code":"upstream_timeout"`},
		{"hang", 504, `"code":"upstream_timeout"`},
		{"garbage", 502, `"code":"upstream_failure"`},
		{"refused", 502, `"code":"upstream_failure"`},
	}
	if len(tests) != len(faults()) {
		t.Errorf("%d faults are tested; want all %d", len(tests), len(faults()))
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			environ := map[string]string{}
			if tt.mode == "slow" || tt.mode == "hang" {
				environ["UPSTREAM_TIMEOUT"] = "100ms"
			}
			root, _ := start(t, environ, "-fault", tt.mode)
			check(t, "GET", root+"/v1/items/feature:dark-mode", "", tt.status, tt.text)
			check(t, "GET", root+"/", "", 200, `<option value="`+tt.mode+`" selected>`)
		})
	}
}

// TestSlow: the storage answers after all, unless nobody waits any more.
func TestSlow(t *testing.T) {
	t.Parallel()
	slow, ok := faultNamed("slow")
	if !ok {
		t.Fatal("no such fault")
	}
	for patience, want := range map[time.Duration]time.Duration{time.Minute: slowness, time.Second: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			answered := slow.intercept(nil, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil))
			if took := time.Since(began); answered || took != want {
				t.Errorf("the storage is held for %v, and kept from its answer: %t; want %v", took, answered, want)
			}
		})
	}
}

// TestFaultOfThePage begins and ends one as the page does.
func TestFaultOfThePage(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{"LOCAL_MAX_AGE": "0s"})
	check(t, "PUT", root+"/playground/fault", "garbage", 204, "")
	check(t, "GET", root+"/v1/items/feature:dark-mode", "", 502, "upstream_failure")
	check(t, "GET", root+"/", "", 200, `<option value="garbage" selected>`)
	check(t, "PUT", root+"/playground/fault", "off", 204, "")
	check(t, "GET", root+"/v1/items/feature:dark-mode", "", 200, `"value":"on"`)
	for _, mode := range []string{"", "explode", "off\n"} {
		check(t, "PUT", root+"/playground/fault", mode, 400, "accepted: off, throttled, unavailable, slow, hang, garbage, refused")
	}
	check(t, "GET", root+"/playground/fault", "", 405, "")
}
