package handler_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// TestLog is one line for each request, with what the one on call asks for.
func TestLog(t *testing.T) {
	t.Parallel()
	s := newSite(func(context.Context, string) (lookup.Answer, error) {
		return lookup.Answer{At: at, Source: lookup.FromNowhere, Upstream: 1500 * time.Microsecond},
			&voximplant.Error{Kind: voximplant.KindCredentials, Code: 433, Status: 200}
	})
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "the-request"})
	ctx = context.WithValue(ctx, "x-amzn-trace-id", "Root=1-trace") //nolint:staticcheck // aws-lambda-go's own key
	if _, err := s.Direct(ctx, []byte(`{"key":"order:1001"}`)); err == nil {
		t.Fatal("Direct succeeded")
	}
	line := s.lastLog(t)
	for name, want := range map[string]any{
		"request_id": "the-request", "trace_id": "Root=1-trace", "route": "direct", "status": 502.0, "code": "upstream_failure",
		"upstream_code": 433.0, "upstream_kind": "credentials", "upstream_ms": 1.5, "cache": "none", "cold_start": true, "key": "hashed",
	} {
		if line[name] != want {
			t.Errorf("log %s = %v; want %v", name, line[name], want)
		}
	}
	got := s.get(t, "/v1/items/order:1001")
	line = s.lastLog(t)
	if line["cold_start"] != false || line["method"] != "GET" || line["route"] != "/v1/items/{key}" || line["request_id"] != got.header.Get("X-Request-Id") {
		t.Errorf("log of the second request = %v", line)
	}
	if n := strings.Count(s.log.String(), "\n"); n != 2 {
		t.Errorf("%d log lines for 2 requests", n)
	}
	if strings.Contains(s.log.String(), "order:1001") {
		t.Errorf("the log holds a key: %s", s.log.String())
	}
}

// TestLogOfOldCopy: the caller is well served, and yet something is wrong.
func TestLogOfOldCopy(t *testing.T) {
	t.Parallel()
	s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
		a, err := living(time.Hour, 30*time.Second)(ctx, key)
		a.UpstreamErr, a.Source = &voximplant.Error{Kind: voximplant.KindUnavailable}, lookup.FromOldCopy
		return a, err
	})
	if got := s.get(t, "/v1/items/k"); got.status != 200 {
		t.Errorf("status %d; want 200", got.status)
	}
	if line := s.lastLog(t); line["level"] != "WARN" || line["cache"] != "stale" || line["upstream_kind"] != "unavailable" || line["error"] == nil {
		t.Errorf("log = %v; want a warning that tells of the upstream", line)
	}
}

// TestLogOfBatch: what goes wrong for one of several keys, or behind an old
// copy, is told as it is for one; a caller's bad key is nobody's failure.
func TestLogOfBatch(t *testing.T) {
	t.Parallel()
	refused := &voximplant.Error{Kind: voximplant.KindCredentials, Code: 433}
	s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
		a, err := living(time.Hour, 0)(ctx, key)
		switch key {
		case "stale":
			a.Source, a.UpstreamErr = lookup.FromOldCopy, refused
		case "refused":
			return lookup.Answer{At: at}, refused
		}
		return a, err
	})
	for query, want := range map[string]struct {
		level string
		kind  any
	}{
		"key=a&key=b":                  {"INFO", nil},
		"key=a&key=no%20key%25":        {"INFO", nil},
		"key=a&key=bad%25":             {"INFO", nil},
		"key=a&key=stale":              {"WARN", "credentials"},
		"key=bad%25&key=a&key=refused": {"ERROR", "credentials"},
	} {
		s.get(t, "/v1/items?"+query)
		if line := s.lastLog(t); line["level"] != want.level || line["upstream_kind"] != want.kind || (line["error"] != nil) != (want.kind != nil) {
			t.Errorf("%s: log = %v; want %+v", query, line, want)
		}
	}
}

// TestLogOfOddities is B3-16's difference of clocks and B3-19's long life.
func TestLogOfOddities(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		ahead, left time.Duration
		attr        string
	}{
		{6 * time.Second, time.Hour, "api_clock_ahead_s"},
		{-2 * time.Hour, time.Hour, "api_clock_ahead_s"},
		{0, 92 * 24 * time.Hour, "expires_in_s"},
		{5 * time.Second, 91 * 24 * time.Hour, ""},
	} {
		s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
			a, err := living(row.left, 0)(ctx, key)
			a.Ahead = row.ahead
			return a, err
		})
		s.get(t, "/v1/items/k")
		line := s.lastLog(t)
		for _, attr := range []string{"api_clock_ahead_s", "expires_in_s"} {
			if _, logged := line[attr]; logged != (attr == row.attr) {
				t.Errorf("API clock ahead %v, %v to live: %s logged: %v", row.ahead, row.left, attr, logged)
			}
		}
	}
}
