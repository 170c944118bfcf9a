package handler_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/internal/itemjson"
	"voxkv/internal/lookuptest"
	"voxkv/lookup"
)

// TestSeveral is B3-24: the query form with several keys is for its caller alone, and
// may be kept only if there is an item for each.
func TestSeveral(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Mixed)
	got := s.get(t, "/v1/items?key=short&key=long&key=absent&key=busy&key=panic&key=not%25a%25key")
	if b := decode[itemjson.Several[itemjson.Item]](t, got.body); len(b.Items) != 3 || len(b.Errors) != 3 || b.Items["absent"] != nil || b.Errors["busy"].ErrorType != "UpstreamBusy" {
		t.Errorf("GET = %s; want 3 items, 3 errors", got.body)
	}
	if got.status != 200 || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("GET = %d, Cache-Control %q; want 200, no-store", got.status, got.header.Get("Cache-Control"))
	}
	for _, row := range []struct {
		find        lookup.Func
		query, want string
	}{
		{lookuptest.Mixed, "key=short&key=long", "private, max-age=28"}, // the shorter life
		{lookuptest.Waiting, "key=long&key=slow", "private, max-age=8"}, // at the time of the last answer
		{lookuptest.Waiting, "key=slow&key=long", "private, max-age=8"},
		{lookuptest.Waiting, "key=short&key=slow", "no-store"}, // short expired meanwhile
	} {
		if control := newSite(row.find).get(t, "/v1/items?"+row.query).header.Get("Cache-Control"); !strings.HasPrefix(control+",", row.want+",") {
			t.Errorf("GET ?%s: Cache-Control = %q; want %s", row.query, control, row.want)
		}
	}
	first := s.get(t, "/v1/items?key=long&key=long")
	if got := s.get(t, "/v1/items?key=long&key=long", "If-None-Match", first.header.Get("Etag")); got.status != 304 {
		t.Errorf("the same keys again: %d; want 304", got.status)
	}
}

// TestMaxKeys: one anonymous request makes so many calls and no more.
func TestMaxKeys(t *testing.T) {
	t.Parallel()
	for setting, most := range map[int]int{0: 10, 1: 1, 7: 7} {
		var asked atomic.Int64
		s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
			asked.Add(1)
			return lookuptest.Living(time.Hour, 0)(ctx, key)
		})
		s.MaxKeys = setting
		if got := s.get(t, "/v1/items?"+strings.Repeat("key=a&", most)); got.status != 200 || int(asked.Load()) != most {
			t.Errorf("MaxKeys %d: %d keys: %d, after %d lookups; want 200, each looked up", setting, most, got.status, asked.Load())
		}
		got := s.get(t, "/v1/items?"+strings.Repeat("key=a&", most+1))
		p := got.problem(t)
		if got.status != 400 || p.Code != "too_many_keys" || p.Detail != fmt.Sprintf("One request may ask for %d keys at most.", most) || int(asked.Load()) != most {
			t.Errorf("MaxKeys %d: %d keys: %d %s, after %d lookups; want 400 that tells the limit, and no more of them", setting, most+1, got.status, got.body, asked.Load())
		}
	}
}
