package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// A batch is the answer to several keys.
type batchBody struct {
	Items  map[string]*itemBody
	Errors map[string]struct{ Code, ErrorType, ErrorMessage string }
}

func decodeBatch(t *testing.T, body string) (b batchBody) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		t.Fatalf("body %q is no batch: %v", body, err)
	}
	return b
}

// mixed has the keys short and long, lacks absent, and fails for busy.
func mixed(ctx context.Context, key string) (lookup.Answer, error) {
	switch key {
	case "short":
		return living(30*time.Second, 0)(ctx, key)
	case "long":
		return living(time.Hour, 20*time.Second)(ctx, key)
	case "busy":
		return failing(apiError(voximplant.KindThrottled, 0))(ctx, key)
	case "panic":
		panic(key)
	}
	return failing(voximplant.ErrNotFound)(ctx, key)
}

func checkMixed(t *testing.T, b batchBody) {
	t.Helper()
	if b.Items["short"] == nil || b.Items["short"].Value != value || b.Items["long"] == nil {
		t.Errorf("items = %v; want short and long", b.Items)
	}
	if item, ok := b.Items["absent"]; !ok || item != nil {
		t.Errorf("absent = %v, %v; want null", item, ok)
	}
	for key, want := range map[string]string{"busy": "UpstreamBusy", "not a key": "InvalidRequest", "panic": "InternalError"} {
		if got := b.Errors[key]; got.ErrorType != want || got.ErrorMessage == "" || got.Code == "" {
			t.Errorf("errors[%s] = %+v; want %s", key, got, want)
		}
	}
	if len(b.Items) != 3 || len(b.Errors) != 3 {
		t.Errorf("batch = %+v; want 3 items and 3 errors", b)
	}
}

func TestDirectBatch(t *testing.T) {
	t.Parallel()
	s := newSite(mixed)
	got, err := s.Direct(t.Context(), []byte(`{"keys":["short","long","absent","busy","not a key","panic","short"]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := decodeBatch(t, string(got))
	checkMixed(t, b)
	if *b.Items["short"].MaxAge != 28 || *b.Items["long"].MaxAge != 40 {
		t.Errorf("max_age = %d and %d; want 28 and 40", *b.Items["short"].MaxAge, *b.Items["long"].MaxAge)
	}
	if line := s.lastLog(t); line["keys"] != 7.0 || line["failed"] != 3.0 || line["level"] != "ERROR" || line["upstream_kind"] != "throttled" {
		t.Errorf("log = %v; want 7 keys, 3 failed, an error for the panic", line)
	}
	for _, payload := range []string{`{"keys":[]}`, `{"keys":[1]}`, `{"keys":"a"}`, `{"keys":null}`, `{"key":"a","keys":["b"]}`,
		`{"keys":["` + strings.Repeat(`a","`, 50) + `a"]}`} {
		_, err := s.Direct(t.Context(), []byte(payload))
		checkFunctionError(t, err, "InvalidRequest")
	}
}

// TestDirectList is the enrichment of a pipe: a list in, a list out, and one
// failure fails it, since a pipe tries the whole list again.
func TestDirectList(t *testing.T) {
	t.Parallel()
	s := newSite(mixed)
	got, err := s.Direct(t.Context(), []byte(` [{"key":"short"},{"key":"absent","more":1},{"key":"long"}]`))
	if err != nil {
		t.Fatal(err)
	}
	var items []*itemBody
	if err := json.Unmarshal(got, &items); err != nil || len(items) != 3 || items[1] != nil || items[0].Key != "short" || *items[2].MaxAge != 40 {
		t.Errorf("Direct = %s, %v; want short, null, long", got, err)
	}
	for payload, want := range map[string]string{
		`[{"key":"short"},{"key":"busy"}]`: "UpstreamBusy",
		`[{"key":"short"},{}]`:             "InvalidRequest",
		`[]`:                               "InvalidRequest",
		`["short"]`:                        "InvalidRequest",
		`[{"key":1}]`:                      "InvalidRequest",
		`[` + strings.Repeat(" ", 1<<20) + `{"key":"short"}]`: "InvalidRequest", // more than 1 MiB
	} {
		_, err := s.Direct(t.Context(), []byte(payload))
		checkFunctionError(t, err, want)
	}
}

// TestHTTPBatch is B3-24: the query form with several keys is for its caller alone, and
// may be kept only if there is an item for each.
func TestHTTPBatch(t *testing.T) {
	t.Parallel()
	s := newSite(mixed)
	got := s.get(t, "/v1/items?key=short&key=long&key=absent&key=busy&key=panic&key=not%25a%25key")
	b := decodeBatch(t, strings.ReplaceAll(got.body, "not%a%key", "not a key"))
	checkMixed(t, b)
	if got.status != 200 || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("GET = %d, Cache-Control %q; want 200, no-store", got.status, got.header.Get("Cache-Control"))
	}
	got = s.get(t, "/v1/items?key=short&key=long")
	if d := directives(t, got); d["max-age"] != "28" || strings.Contains(got.header.Get("Cache-Control"), "public") {
		t.Errorf("Cache-Control = %q; want private, max-age=28: the shorter life", got.header.Get("Cache-Control"))
	}
	far := newSite(living(time.Hour, 0))
	first := far.get(t, "/v1/items?key=a&key=b")
	if got := far.get(t, "/v1/items?key=a&key=b", "If-None-Match", first.header.Get("Etag")); got.status != 304 {
		t.Errorf("the same batch again: %d; want 304", got.status)
	}
}

// TestMaxKeys: one anonymous request makes so many calls and no more. Trusted
// callers may ask for 50 keys whatever the setting.
func TestMaxKeys(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ setting, most int }{{0, 10}, {1, 1}, {7, 7}, {50, 50}} {
		var asked atomic.Int64
		s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
			asked.Add(1)
			return living(time.Hour, 0)(ctx, key)
		})
		s.MaxKeys = row.setting
		if got := s.get(t, "/v1/items?"+strings.Repeat("key=a&", row.most)); got.status != 200 || int(asked.Load()) != row.most {
			t.Errorf("MaxKeys %d: %d keys: %d, after %d lookups; want 200, each looked up", row.setting, row.most, got.status, asked.Load())
		}
		asked.Store(0)
		got := s.get(t, "/v1/items?"+strings.Repeat("key=a&", row.most+1))
		p := got.problem(t)
		if got.status != 400 || p.Code != "too_many_keys" || p.Detail != fmt.Sprintf("At most %d keys may be asked for at once.", row.most) || asked.Load() != 0 {
			t.Errorf("MaxKeys %d: %d keys: %d %s, after %d lookups; want 400 that tells the limit, and none", row.setting, row.most+1, got.status, got.body, asked.Load())
		}
		for form, payload := range map[string]string{"keys": `{"keys":["a"%s]}`, "list": `[{"key":"a"}%s]`} {
			more := map[string]string{"keys": `,"a"`, "list": `,{"key":"a"}`}[form]
			if _, err := s.Direct(t.Context(), fmt.Appendf(nil, payload, strings.Repeat(more, 49))); err != nil {
				t.Errorf("MaxKeys %d: 50 keys, direct: %v", row.setting, err)
			}
			_, err := s.Direct(t.Context(), fmt.Appendf(nil, payload, strings.Repeat(more, 50)))
			checkFunctionError(t, err, "InvalidRequest")
		}
	}
}

// TestSlowestOfABatch: while one key is waited for, the items of the others
// grow old and may end.
func TestSlowestOfABatch(t *testing.T) {
	t.Parallel()
	s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
		a, err := living(map[string]time.Duration{"short": 3 * time.Second, "long": 14 * time.Second, "slow": time.Hour}[key], time.Second)(ctx, key)
		if key == "slow" {
			a.At = a.At.Add(4 * time.Second)
		}
		return a, err
	})
	got, err := s.Direct(t.Context(), []byte(`{"keys":["short","long","slow"]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := decodeBatch(t, string(got))
	if b.Items["short"] != nil || *b.Items["long"].MaxAge != 14-4-2 || *b.Items["slow"].MaxAge != 59 {
		t.Errorf("Direct = %s; want short gone, long for 8 s, slow for 59 s", got)
	}
	if got := s.get(t, "/v1/items?key=long&key=slow"); directives(t, got)["max-age"] != "8" {
		t.Errorf("GET = %v; want max-age=8 from the time of the last answer", got.header)
	}
	if got := s.get(t, "/v1/items?key=short&key=slow"); got.header.Get("Cache-Control") != "no-store" || decodeBatch(t, got.body).Items["short"] != nil {
		t.Errorf("GET = %v %s; want no-store, short gone", got.header, got.body)
	}
}

// TestForms are the other ways to write an item.
func TestForms(t *testing.T) {
	t.Parallel()
	serve := func(value string) *site {
		s := newSite(func(_ context.Context, key string) (lookup.Answer, error) {
			return lookup.Answer{Item: &voximplant.KeyValueItem{Key: key, Value: value, ExpiresAt: at.Add(time.Hour)}, At: at, Left: time.Hour}, nil
		})
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
	off := newSite(living(time.Hour, 0))
	if got := off.get(t, "/v1/values/k"); got.status != 404 || got.problem(t).Code != "no_route" {
		t.Errorf("raw, switched off: %d; want 404 no_route", got.status)
	}
	tags := []string{raw.header.Get("Etag"), serve("<script>").get(t, "/v1/items/k").header.Get("Etag"), got.header.Get("Etag")}
	if slices.Sort(tags); len(slices.Compact(tags)) != 3 {
		t.Errorf("ETags of three forms = %q; want three", tags)
	}
}
