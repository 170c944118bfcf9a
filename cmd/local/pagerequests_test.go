package main

import (
	"encoding/json"
	"strings"
	"testing"

	"voxkv/test/tools"
)

// TestPageRequests asks what the log says of requests of the page.
func TestPageRequests(t *testing.T) {
	t.Parallel()
	// What the log leaves out, the page is told all the same. The function's copies outlive the test on any machine.
	root, _ := start(t, map[string]string{"LOG_LEVEL": "error", "CACHE_MAX_AGE": "1h", "LOCAL_MAX_AGE": "1h"})
	res, _ := tools.Do(t, "GET", root+"/v1/items/feature:dark-mode", "")
	etag := res.Header.Get("ETag")
	long := strings.Repeat("я", 2000)
	check(t, "PUT", root+"/storage/order:long", long, 204, "")
	tests := []struct {
		id, key, etag string
		status        int
		cache         string
	}{
		{"m1", "order:1001", "", 200, "miss"},
		{"m2", "order:1001", "", 200, "hit"},
		{"m3", "feature:dark-mode", etag, 304, "hit"},
		{"m4", "order:missing", "", 404, "miss"},
		{"m5", "secret:token", "", 404, "scope"},
		{"m6", "a%20b", "", 400, ""},
		{"m7", "order:long", "", 200, "miss"},
	}
	for _, tt := range tests {
		tools.Do(t, "GET", root+"/v1/items/"+tt.key, "", "Playground-Request", tt.id, "If-None-Match", tt.etag)
		_, body := tools.Do(t, "GET", root+"/playground/requests/"+tt.id, "")
		var got pageRequest
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.Status != tt.status || got.Cache != tt.cache || got.Ms <= 0 || (got.UpstreamMs > 0) != (tt.cache == "miss") {
			t.Errorf("%s: the page is told %s; want %d %q and times", tt.key, body, tt.status, tt.cache)
		}
	}
	check(t, "GET", root+"/playground/requests/unknown", "", 200, "null")
}

func TestPageRequestsAreForgotten(t *testing.T) {
	t.Parallel()
	var p pageRequests
	for range maxPageRequests {
		close(p.begin("first").ended)
	}
	close(p.begin("last").ended)
	if len(p.latest) != maxPageRequests || p.wait(t.Context(), "last") == nil {
		t.Errorf("%d requests are remembered; want %d, the last among them", len(p.latest), maxPageRequests)
	}
	for range maxPageRequests {
		close(p.begin("more").ended)
	}
	if p.wait(t.Context(), "last") != nil {
		t.Error("a request is remembered for ever")
	}
}

// TestPageRequestUnderWay has the answer about a request wait for its end.
func TestPageRequestUnderWay(t *testing.T) {
	t.Parallel()
	var p pageRequests
	this := p.begin("m")
	told := make(chan *pageRequest)
	go func() { told <- p.wait(t.Context(), "m") }()
	this.Status = 200
	close(this.ended)
	if got := <-told; got == nil || got.Status != 200 {
		t.Errorf("wait = %v; want the request as it ended", got)
	}
}
