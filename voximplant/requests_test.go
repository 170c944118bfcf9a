package voximplant_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"voxkv/voximplant"
)

func TestRequestsAsSent(t *testing.T) {
	t.Parallel()
	const difficult = "tel:+1555#a;b.c-d_Ключ:ё"
	longest := strings.Repeat("😀", 2000)
	get := func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		c.GetKeyValueItem(ctx, difficult)
		return ""
	}
	tests := []struct {
		name, method string
		call         call
		want         url.Values
	}{
		{"get", "GetKeyValueItem", get, url.Values{"key": {difficult}}},
		{"by name", "GetKeyValueItem", in(0, "a&b.c", get), url.Values{"key": {difficult}, "application_name": {"a&b.c"}}},
		{"by id where both are set", "GetKeyValueItem", in(42, "a", get), url.Values{"key": {difficult}}},
		{"ttl", "SetKeyValueItem", set(difficult, "a&b=c+d й 😀\x00", lasts(time.Minute)),
			url.Values{"key": {difficult}, "value": {"a&b=c+d й 😀\x00"}, "ttl": {"60"}}},
		{"shortest ttl", "SetKeyValueItem", set(key, "v", lasts(0)), url.Values{"key": {key}, "value": {"v"}, "ttl": {"0"}}},
		{"longest ttl", "SetKeyValueItem", set(key, "v", lasts(7_776_000*time.Second)), url.Values{"key": {key}, "value": {"v"}, "ttl": {"7776000"}}},
		{"expires_at", "SetKeyValueItem", set(key, "v", until(1795430000)), url.Values{"key": {key}, "value": {"v"}, "expires_at": {"1795430000"}}},
		{"empty value", "SetKeyValueItem", set(key, "", lasts(1*time.Second)), url.Values{"key": {key}, "value": {""}, "ttl": {"1"}}},
		{"longest value", "SetKeyValueItem", set(key, longest, lasts(1*time.Second)), url.Values{"key": {key}, "value": {longest}, "ttl": {"1"}}},
		{"delete", "DelKeyValueItem", del(difficult), url.Values{"key": {difficult}}},
		{"items", "GetKeyValueItems", items("tel:+1", voximplant.Page{}), url.Values{"key": {"tel"}, "count": {"10"}, "offset": {"0"}}},
		{"a page of items", "GetKeyValueItems", items("test:", voximplant.Page{Offset: 150, Count: 50}),
			url.Values{"key": {"test"}, "count": {"50"}, "offset": {"150"}}},
		{"keys", "GetKeyValueKeys", keys("Ключ:", voximplant.Page{Count: 1}), url.Values{"key": {"Ключ"}, "count": {"1"}, "offset": {"0"}}},
		{"all keys", "GetKeyValueKeys", keys("", voximplant.Page{Offset: 10}), url.Values{"count": {"10"}, "offset": {"10"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, ctx context.Context) {
				requests := 0
				client := clientOf(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					requests++
					checkRequest(t, r, test.method, test.want)
				}))
				client.BaseURL, client.UserAgent = client.BaseURL+"/", "voxkv/1"
				test.call(t, ctx, client)
				if requests != 1 {
					t.Errorf("%d requests; want 1", requests)
				}
			})
		})
	}
}

// checkRequest compares all of a request.
func checkRequest(t *testing.T, r *http.Request, method string, want url.Values) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	if r.Method != "POST" || r.RequestURI != "/platform_api/"+method {
		t.Errorf("request = %s %s; want POST /platform_api/%s", r.Method, r.RequestURI, method)
	}
	if !want.Has("application_name") {
		want.Set("application_id", "42")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Encode() != want.Encode() {
		t.Errorf("body = %s, %v; want %s", body, err, want.Encode())
	}
	header := http.Header{
		"Accept-Encoding": {"gzip"},
		"Authorization":   {"Bearer " + bearer},
		"Content-Length":  {fmt.Sprint(len(body))},
		"Content-Type":    {"application/x-www-form-urlencoded"},
		"User-Agent":      {"voxkv/1"},
	}
	if fmt.Sprint(r.Header) != fmt.Sprint(header) {
		t.Errorf("header = %v; want %v", r.Header, header)
	}
}

// TestLimits: what the API documents as too much is told without asking it.
func TestLimits(t *testing.T) {
	t.Parallel()
	const (
		letter = "the key has a character outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +"
		value  = "the value is text of at most 2000 characters"
		ttl    = "ttl is a whole number of seconds from 0 to 7776000"
		one    = "exactly one of ttl and expires_at is required"
		unix   = "expires_at is a time to come in Unix seconds, without milliseconds"
		page   = "count is a number from 1 to 50, offset one from 0"
	)
	minute := time.Minute
	long := strings.Repeat("я", 201)
	tests := []struct {
		name string
		call call
		want string
	}{
		{"set without key", set("", "v", lasts(minute)), "the key is empty"},
		{"set of a key with a space", set("a b", "v", lasts(minute)), letter},
		{"2001 emoji", set(key, strings.Repeat("😀", 2001), lasts(minute)), value},
		{"no UTF-8", set(key, "v\xff", lasts(minute)), value},
		{"ttl below 0", set(key, "v", lasts(-time.Second)), ttl},
		{"ttl above 90 days", set(key, "v", lasts(7_776_001*time.Second)), ttl},
		{"ttl of part of a second", set(key, "v", lasts(500*time.Millisecond)), ttl},
		{"neither ttl nor expires_at", set(key, "v", voximplant.Lifetime{}), one},
		{"both", set(key, "v", voximplant.Lifetime{TTL: &minute, ExpiresAt: time.Unix(1_795_430_000, 0)}), one},
		{"expires_at in milliseconds", set(key, "v", until(1_795_430_000_000)), unix},
		{"expires_at just past", set(key, "v", voximplant.Lifetime{ExpiresAt: time.Unix(946684799, 999_999_999)}), unix}, // one nanosecond before the bubble begins
		{"expires_at 0", set(key, "v", until(0)), unix},
		{"expires_at beyond all times", set(key, "v", until(1<<63-1)), unix},
		{"delete without key", del(""), "the key is empty"},
		{"delete of a pattern", del("a*"), letter},
		{"items without prefix", items("", voximplant.Page{}), "a prefix is required"},
		{"items of a pattern", items("a*", voximplant.Page{}), "as a prefix, " + letter},
		{"keys of a pattern", keys("*", voximplant.Page{}), "as a prefix, " + letter},
		{"51 items", items("a", voximplant.Page{Count: 51}), page},
		{"fewer than no items", items("a", voximplant.Page{Count: -1}), page},
		{"offset below 0", keys("", voximplant.Page{Offset: -1}), page},
		{"offset beyond all pages", keys("", voximplant.Page{Offset: 1 << 31}), page},
		{"keys of a long prefix after a namespace", keys("a:"+long, voximplant.Page{}), "as a prefix, the key has more than 200 characters"},
	}
	for _, test := range tests {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			api := &network{answers: []answer{says(200, item)}}
			if got := test.call(t, ctx, api.client(oneToken)); got != test.want || len(api.requests) != 0 {
				t.Errorf("%s: %s after %d requests; want %s after none", test.name, got, len(api.requests), test.want)
			}
		})
	}
}
