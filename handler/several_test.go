package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/internal/lookuptest"
	"voxkv/lookup"
)

// A severalBody is the answer to several keys.
type severalBody struct {
	Items  map[string]*itemBody
	Errors map[string]struct{ Code, ErrorType, ErrorMessage string }
}

func decodeSeveral(t *testing.T, body string) (b severalBody) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		t.Fatalf("body %q is no answer to several keys: %v", body, err)
	}
	return b
}

// TestSeveral is B3-24: the query form with several keys is for its caller alone, and
// may be kept only if there is an item for each.
func TestSeveral(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Mixed)
	got := s.get(t, "/v1/items?key=short&key=long&key=absent&key=busy&key=panic&key=not%25a%25key")
	if b := decodeSeveral(t, got.body); len(b.Items) != 3 || len(b.Errors) != 3 || b.Items["absent"] != nil || b.Errors["busy"].ErrorType != "UpstreamBusy" {
		t.Errorf("GET = %s; want 3 items, 3 errors", got.body)
	}
	if got.status != 200 || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("GET = %d, Cache-Control %q; want 200, no-store", got.status, got.header.Get("Cache-Control"))
	}
	got = s.get(t, "/v1/items?key=short&key=long")
	if d := directives(t, got); d["max-age"] != "28" || strings.Contains(got.header.Get("Cache-Control"), "public") {
		t.Errorf("Cache-Control = %q; want private, max-age=28: the shorter life", got.header.Get("Cache-Control"))
	}
	far := newSite(lookuptest.Living(time.Hour, 0))
	first := far.get(t, "/v1/items?key=a&key=b")
	if got := far.get(t, "/v1/items?key=a&key=b", "If-None-Match", first.header.Get("Etag")); got.status != 304 {
		t.Errorf("the same keys again: %d; want 304", got.status)
	}
}

// TestMaxKeys: one anonymous request makes so many calls and no more.
func TestMaxKeys(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ setting, most int }{{0, 10}, {1, 1}, {7, 7}, {50, 50}} {
		var asked atomic.Int64
		s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
			asked.Add(1)
			return lookuptest.Living(time.Hour, 0)(ctx, key)
		})
		s.MaxKeys = row.setting
		if got := s.get(t, "/v1/items?"+strings.Repeat("key=a&", row.most)); got.status != 200 || int(asked.Load()) != row.most {
			t.Errorf("MaxKeys %d: %d keys: %d, after %d lookups; want 200, each looked up", row.setting, row.most, got.status, asked.Load())
		}
		asked.Store(0)
		got := s.get(t, "/v1/items?"+strings.Repeat("key=a&", row.most+1))
		p := got.problem(t)
		if got.status != 400 || p.Code != "too_many_keys" || p.Detail != fmt.Sprintf("One request may ask for %d keys at most.", row.most) || asked.Load() != 0 {
			t.Errorf("MaxKeys %d: %d keys: %d %s, after %d lookups; want 400 that tells the limit, and none", row.setting, row.most+1, got.status, got.body, asked.Load())
		}
	}
}

// TestSlowestOfSeveral: while one key is waited for, the items of the others
// become older and may expire.
func TestSlowestOfSeveral(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Waiting)
	for _, query := range []string{"key=long&key=slow", "key=slow&key=long"} {
		if got := s.get(t, "/v1/items?"+query); directives(t, got)["max-age"] != "8" {
			t.Errorf("GET %s = %v; want max-age=8 from the time of the last answer", query, got.header)
		}
	}
	if got := s.get(t, "/v1/items?key=short&key=slow"); got.header.Get("Cache-Control") != "no-store" || decodeSeveral(t, got.body).Items["short"] != nil {
		t.Errorf("GET = %v %s; want no-store, short gone", got.header, got.body)
	}
}
