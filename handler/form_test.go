package handler_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"voxkv/internal/lookuptest"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// TestForms are the other ways to write an item.
func TestForms(t *testing.T) {
	t.Parallel()
	serve := func(value string) *site {
		s := newSite(holding(value))
		s.RawValues = true
		return s
	}
	const object = `{ "n": 12345678901234567890, "n": 1, "tag": "<b>" }`
	var parsed struct {
		Value     string
		ValueJSON json.RawMessage `json:"value_json"`
	}
	got := serve(object).get(t, "/v1/parsed/k")
	if err := json.Unmarshal([]byte(got.body), &parsed); err != nil || parsed.Value != object || string(parsed.ValueJSON) != object {
		t.Errorf("parsed: %s, %v; want the value twice, byte for byte", got.body, err)
	}
	for _, text := range []string{"ringing", "", "{", `{"a":1} `[:7] + "x", "\x00"} {
		if got := serve(text).get(t, "/v1/parsed/k"); got.status != 200 || strings.Contains(got.body, "value_json") {
			t.Errorf("parsed, of %q: %d %s; want no value_json", text, got.status, got.body)
		}
	}
	raw := serve("<script>").get(t, "/v1/values/k")
	if raw.body != "<script>" || raw.header.Get("Content-Type") != "text/plain; charset=utf-8" ||
		raw.header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || raw.header.Get("Content-Disposition") == "" ||
		!strings.HasPrefix(raw.header.Get("Cache-Control"), "public, max-age=60") {
		t.Errorf("raw: %s, %v", raw.body, raw.header)
	}
	off := newSite(lookuptest.Living(time.Hour, 0))
	if got := off.get(t, "/v1/values/k"); got.status != 404 || got.problem(t).Code != "no_route" {
		t.Errorf("raw, switched off: %d; want 404 no_route", got.status)
	}
	tags := []string{raw.header.Get("Etag"), serve("<script>").get(t, "/v1/items/k").header.Get("Etag"), got.header.Get("Etag")}
	if slices.Sort(tags); len(slices.Compact(tags)) != 3 {
		t.Errorf("ETags of three forms = %q; want three", tags)
	}
}

// TestOptional: an absent item is a 200, which caches may keep as long as the 404
// of the plain form. Everything else is answered as there.
func TestOptional(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		found   lookup.Func
		private bool
		want    int
	}{
		{"an item", lookuptest.Living(time.Hour, 0), false, 200},
		{"no item", lookuptest.Failing(voximplant.ErrNotFound), false, 404},
		{"no item, private", lookuptest.Failing(voximplant.ErrNotFound), true, 404},
		{"a failure", lookuptest.Failing(&voximplant.Error{Kind: voximplant.KindThrottled}), false, 503},
	} {
		s := newSite(tt.found)
		s.Private = tt.private
		want := s.get(t, "/v1/items/k")
		if want.status != tt.want {
			t.Fatalf("%s: the plain form is %d; want %d", tt.name, want.status, tt.want)
		}
		if want.status == 404 {
			want.status, want.body = 200, "null"
			want.header.Set("Content-Type", "application/json; charset=utf-8")
		}
		if got := s.get(t, "/v1/optional/k"); !sameAnswer(got, want) {
			t.Errorf("%s: %s; want %s", tt.name, got.text(), want.text())
		}
	}
}
