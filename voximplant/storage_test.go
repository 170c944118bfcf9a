package voximplant_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"voxkv/voximplant"
)

// lasts is a lifetime of ttl.
func lasts(ttl time.Duration) voximplant.Lifetime { return voximplant.Lifetime{TTL: &ttl} }

// until is a lifetime that ends at a Unix second.
func until(unix int64) voximplant.Lifetime {
	return voximplant.Lifetime{ExpiresAt: time.Unix(unix, 0)}
}

// A storageCall is a call of one of the methods beside GetKeyValueItem; its
// outcome is in words, as outcome gives them.
type storageCall func(t *testing.T, ctx context.Context, c *voximplant.Client) string

func set(key, value string, life voximplant.Lifetime) storageCall {
	return func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		got, err := c.SetKeyValueItem(ctx, key, value, life)
		return outcome(t, got, err)
	}
}

func del(key string) storageCall {
	return func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		if err := c.DelKeyValueItem(ctx, key); err != nil {
			return failure(t, err)
		}
		return "deleted"
	}
}

func items(prefix string, page voximplant.Page) storageCall {
	return func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		return listed(t)(c.GetKeyValueItems(ctx, prefix, page))
	}
}

func keys(prefix string, page voximplant.Page) storageCall {
	return func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		return listed(t)(c.GetKeyValueKeys(ctx, prefix, page))
	}
}

// listed puts a list into words: `a "v" until 1795430000, b "" until unknown`,
// and ", next 10" if another page follows.
func listed(t *testing.T) func([]voximplant.KeyValueItem, int, error) string {
	return func(got []voximplant.KeyValueItem, next int, err error) string {
		t.Helper()
		switch {
		case err != nil && (got != nil || next != 0):
			t.Errorf("list = %v, %d, %v; want a list or an error", got, next, err)
		case err != nil:
			return failure(t, err)
		case got == nil:
			t.Error("list = nil; want an empty one")
		}
		var words []string
		for _, item := range got {
			words = append(words, item.Key+" "+inWords(item))
		}
		if next != 0 {
			words = append(words, fmt.Sprint("next ", next))
		}
		return strings.Join(words, ", ")
	}
}

func TestStorageRequestsAsSent(t *testing.T) {
	t.Parallel()
	const difficult = "tel:+1555#a;b.c-d_Ключ:ё"
	soon := time.Now().Add(time.Hour)
	tests := []struct {
		name, method string
		call         storageCall
		want         url.Values
	}{
		{"ttl", "SetKeyValueItem", set(difficult, "a&b=c+d й 😀\x00", lasts(time.Minute)),
			url.Values{"key": {difficult}, "value": {"a&b=c+d й 😀\x00"}, "ttl": {"60"}}},
		{"shortest ttl", "SetKeyValueItem", set(key, "v", lasts(0)), url.Values{"key": {key}, "value": {"v"}, "ttl": {"0"}}},
		{"longest ttl", "SetKeyValueItem", set(key, "v", lasts(7_776_000*time.Second)), url.Values{"key": {key}, "value": {"v"}, "ttl": {"7776000"}}},
		{"expires_at", "SetKeyValueItem", set(key, "v", voximplant.Lifetime{ExpiresAt: soon}),
			url.Values{"key": {key}, "value": {"v"}, "expires_at": {formatUnix(soon)}}},
		{"empty value", "SetKeyValueItem", set(key, "", lasts(1*time.Second)), url.Values{"key": {key}, "value": {""}, "ttl": {"1"}}},
		{"delete", "DelKeyValueItem", del(difficult), url.Values{"key": {difficult}}},
		{"items", "GetKeyValueItems", items("tel:+1", voximplant.Page{}), url.Values{"key": {"tel"}, "count": {"10"}, "offset": {"0"}}},
		{"a page of items", "GetKeyValueItems", items("test:", voximplant.Page{Offset: 150, Count: 50}),
			url.Values{"key": {"test"}, "count": {"50"}, "offset": {"150"}}},
		{"keys", "GetKeyValueKeys", keys("Ключ:", voximplant.Page{Count: 1}), url.Values{"key": {"Ключ"}, "count": {"1"}, "offset": {"0"}}},
		{"two colons", "GetKeyValueKeys", keys("a:b:c", voximplant.Page{}), url.Values{"key": {"a"}, "count": {"10"}, "offset": {"0"}}},
		{"no namespace", "GetKeyValueItems", items("exact", voximplant.Page{}), url.Values{"key": {"exact"}, "count": {"10"}, "offset": {"0"}}},
		{"an empty namespace", "GetKeyValueKeys", keys(":a", voximplant.Page{}), url.Values{"key": {":a"}, "count": {"10"}, "offset": {"0"}}},
		{"all keys", "GetKeyValueKeys", keys("", voximplant.Page{Offset: 10}), url.Values{"count": {"10"}, "offset": {"10"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var requests []*http.Request
			var body []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests = append(requests, r)
				body, _ = io.ReadAll(r.Body)
			}))
			defer server.Close()
			test.call(t, t.Context(), clientOf(t, server))
			if len(requests) != 1 {
				t.Fatalf("%d requests; want 1", len(requests))
			}
			if r := requests[0]; r.Method != "POST" || r.RequestURI != "/platform_api/"+test.method || r.Header.Get("Authorization") != "Bearer "+bearer {
				t.Errorf("request = %s %s, Authorization %q; want POST %s with the token", r.Method, r.RequestURI, r.Header.Get("Authorization"), test.method)
			}
			test.want.Set("application_id", "42")
			form, err := url.ParseQuery(string(body))
			if err != nil || form.Encode() != test.want.Encode() {
				t.Errorf("body = %s, %v; want %s", body, err, test.want.Encode())
			}
		})
	}
}

// TestStorageLimits: what the API documents as too much is told without asking it.
func TestStorageLimits(t *testing.T) {
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
		call storageCall
		want string
	}{
		{"set without key", set("", "v", lasts(minute)), "the key is empty"},
		{"set of a long key", set(long, "v", lasts(minute)), "the key has more than 200 characters"},
		{"set of a key with a space", set("a b", "v", lasts(minute)), letter},
		{"2001 Latin letters", set(key, strings.Repeat("z", 2001), lasts(minute)), value},
		{"2001 Cyrillic letters", set(key, strings.Repeat("я", 2001), lasts(minute)), value},
		{"2001 emoji", set(key, strings.Repeat("😀", 2001), lasts(minute)), value},
		{"no UTF-8", set(key, "v\xff", lasts(minute)), value},
		{"half a character", set(key, "я"[:1], lasts(minute)), value},
		{"ttl below 0", set(key, "v", lasts(-time.Second)), ttl},
		{"ttl just below 0", set(key, "v", lasts(-1)), ttl},
		{"ttl above 90 days", set(key, "v", lasts(7_776_001*time.Second)), ttl},
		{"ttl just above 90 days", set(key, "v", lasts(7_776_000*time.Second+1)), ttl},
		{"ttl of part of a second", set(key, "v", lasts(500*time.Millisecond)), ttl},
		{"neither ttl nor expires_at", set(key, "v", voximplant.Lifetime{}), one},
		{"both", set(key, "v", voximplant.Lifetime{TTL: &minute, ExpiresAt: time.Unix(1_795_430_000, 0)}), one},
		{"expires_at in milliseconds", set(key, "v", until(1_795_430_000_000)), unix},
		{"expires_at in the past", set(key, "v", until(900_000_000)), unix},
		{"expires_at 0", set(key, "v", until(0)), unix},
		{"expires_at below 0", set(key, "v", until(-1)), unix},
		{"expires_at beyond all times", set(key, "v", until(1<<63-1)), unix},
		{"delete without key", del(""), "the key is empty"},
		{"delete of a long key", del(long), "the key has more than 200 characters"},
		{"delete of a pattern", del("a*"), letter},
		{"items without prefix", items("", voximplant.Page{}), "a prefix is required"},
		{"items of a pattern", items("a*", voximplant.Page{}), "as a prefix, " + letter},
		{"keys of a long prefix", keys(long, voximplant.Page{}), "as a prefix, the key has more than 200 characters"},
		{"keys of a pattern", keys("*", voximplant.Page{}), "as a prefix, " + letter},
		{"51 items", items("a", voximplant.Page{Count: 51}), page},
		{"51 keys", keys("a", voximplant.Page{Count: 51}), page},
		{"fewer than no items", items("a", voximplant.Page{Count: -1}), page},
		{"offset below 0", keys("", voximplant.Page{Offset: -1}), page},
		{"offset beyond all pages", keys("", voximplant.Page{Offset: 1 << 31}), page},
		{"offset at the end of its range", items("a", voximplant.Page{Offset: 1<<63 - 1}), page},
		{"items of a pattern after a namespace", items("a:*", voximplant.Page{}), "as a prefix, " + letter},
		{"keys of a long prefix after a namespace", keys("a:"+long, voximplant.Page{}), "as a prefix, the key has more than 200 characters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, ctx context.Context) {
				api := &network{answers: []answer{says(200, item)}}
				if got := test.call(t, ctx, api.client(oneToken)); got != test.want || len(api.requests) != 0 {
					t.Errorf("%s after %d requests; want %s after none", got, len(api.requests), test.want)
				}
			})
		})
	}
}

// An expiry is to come by our clock; the second it falls into is over with it.
func TestExpiresAtIsToCome(t *testing.T) {
	t.Parallel()
	for after, accepted := range map[time.Duration]bool{-time.Second: false, -1: false, 0: true, time.Hour: true, 100 * 24 * time.Hour: true} {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			api := &network{answers: []answer{says(200, item)}}
			got := set(key, "v", voximplant.Lifetime{ExpiresAt: time.Now().Add(after)})(t, ctx, api.client(oneToken))
			if strings.HasPrefix(got, `"v" until `) != accepted {
				t.Errorf("SetKeyValueItem with expires_at %v from now = %s; want acceptance %v", after, got, accepted)
			}
		})
	}
}

// A storageAnswer is what a method makes of an answer.
type storageAnswer struct {
	name string
	answer
	want string
}

func checkAnswers(t *testing.T, call storageCall, tests []storageAnswer) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, ctx context.Context) {
				if got := call(t, ctx, (&network{answers: []answer{test.answer}}).client(oneToken)); got != test.want {
					t.Errorf("outcome = %s; want %s", got, test.want)
				}
			})
		})
	}
}

// refusals are what no method can make anything of.
var refusals = []storageAnswer{
	{"HTML", says(200, "<html>"), "malformed 0 200"},
	{"empty body", says(200, ""), "malformed 0 200"},
	{"status 502", says(502, "<html>"), "unavailable 0 502 repeat"},
	{"status 429", says(429, ""), "throttled 0 429 repeat"},
	{"role not allowed", code(104), "credentials 104 200"},
	{"wrong application", code(116), "configuration 116 200"},
	{"busy", code(340), "throttled 340 200 repeat"},
	{"fault", code(1), "failed 1 200 repeat"},
	{"parameter refused", code(497), "malformed 497 200"},
}

func TestSetKeyValueItem(t *testing.T) {
	t.Parallel()
	const written = `"v" until 946684860` // a minute after a bubble begins
	checkAnswers(t, set(key, "v", lasts(time.Minute)), append([]storageAnswer{
		{"the item", says(200, `{"result":{"key":"test:1234","value":"v","expires_at":946684860}}`), written},
		{"the item in an array", says(200, `{"result":[{"key":"test:1234","value":"v","expires_at":946684860}]}`), written},
		{"the item with more", says(200, `{"result":{"key":"test:1234","value":"v","expires_at":"946684860","created":1}}`), written},
		{"another value", says(200, `{"result":{"key":"test:1234","value":"before","expires_at":946684860}}`), written},
		{"another end", says(200, item), written},
		{"no expiry", says(200, `{"result":{"key":"test:1234","value":"v"}}`), written},
		{"an item that has ended", says(200, `{"result":{"key":"test:1234","value":"before","expires_at":946684799}}`), written},
		{"the same item that has ended", says(200, `{"result":{"key":"test:1234","value":"v","expires_at":946684799}}`), written},

		{"another key", says(200, `{"result":{"key":"test:12345","value":"v"}}`), "malformed 0 200"},
		{"no value", says(200, `{"result":{"key":"test:1234","expires_at":1795430000}}`), "malformed 0 200"},
		{"a message", says(200, `{"message":"scheduled maintenance"}`), "malformed 0 200"},
		{"a status for a result", says(200, `{"result":{"status":"maintenance"}}`), "malformed 0 200"},
		{"no result", says(200, `{}`), "malformed 0 200"},
		{"null", says(200, `{"result":null}`), "malformed 0 200"},
		{"empty object", says(200, `{"result":{}}`), "malformed 0 200"},
		{"empty array", says(200, `{"result":[]}`), "malformed 0 200"},
		{"1", says(200, `{"result":1}`), "malformed 0 200"},
		{"an error beside the item", says(200, strings.Replace(item, "{", `{"error":{"code":104},`, 1)), "credentials 104 200"},
		{"not found", code(341), "failed 341 200"},
	}, refusals...))
}

// TestEndOfWhatIsSet: a ttl counts from the API's clock where that is one to go
// by, and its own reckoning counts where it is of this write.
func TestEndOfWhatIsSet(t *testing.T) {
	t.Parallel()
	const now = 946684800 // in a bubble
	tests := []struct {
		name       string
		life       voximplant.Lifetime
		date, echo int64 // relative to now
		want       int64
	}{
		{"clocks agree", lasts(time.Minute), 0, 60, 60},
		{"reckoned a second before", lasts(time.Minute), 0, 59, 59},
		{"reckoned a second after", lasts(time.Minute), 0, 61, 61},
		{"set before for a little less", lasts(time.Minute), 0, 58, 60},
		{"set before for a little more", lasts(time.Minute), 0, 62, 60},
		{"set before for long", lasts(time.Minute), 0, 7_000_000, 60},
		{"no time at all", lasts(0), 0, 0, 0},
		{"the longest time", lasts(voximplant.MaxTTL), 0, 1, 7_776_000},
		{"a clock ahead", lasts(time.Minute), 600, 660, 660},
		{"a clock ahead, and another end", lasts(time.Minute), 600, 60, 660},
		{"a clock behind", lasts(time.Minute), -600, 1, -540},
		{"a clock an hour ahead", lasts(time.Minute), 3600, 1, 3660},
		{"a clock out of order", lasts(time.Minute), 3601, 3661, 60},
		{"a clock out of order behind", lasts(time.Minute), -3601, -3541, 60},
		{"a given end", until(now + 90), 600, 90, 90},
		{"a given end, and another one", until(now + 90), 0, 91, 90},
		{"an end within a second", voximplant.Lifetime{ExpiresAt: time.Unix(now+90, 999_999_999)}, 0, 1, 90},
	}
	for _, test := range tests {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			body := fmt.Sprintf(`{"result":{"key":"test:1234","value":"v","expires_at":%d}}`, now+test.echo)
			date := time.Unix(now+test.date, 0).UTC().Format(http.TimeFormat)
			got := set(key, "v", test.life)(t, ctx, (&network{answers: []answer{says(200, body, "Date", date)}}).client(oneToken))
			if want := fmt.Sprintf(`"v" until %d`, now+test.want); got != want {
				t.Errorf("%s: SetKeyValueItem = %s; want %s", test.name, got, want)
			}
		})
	}
}

func TestDelKeyValueItem(t *testing.T) {
	t.Parallel()
	checkAnswers(t, del(key), append([]storageAnswer{
		{"1", says(200, `{"result":1}`), "deleted"},
		{"spaced 1", says(200, `{"result": 1 }`), "deleted"},
		{"a string", says(200, `{"result":"1"}`), "deleted"},
		{"1.0", says(200, `{"result":1.0}`), "deleted"},
		{"0", says(200, `{"result":0}`), "not found"},
		{"string 0", says(200, `{"result":"0"}`), "not found"},
		{"null", says(200, `{"result":null}`), "not found"},
		{"empty answer", says(200, `{}`), "not found"},
		{"empty string", says(200, `{"result":""}`), "not found"},
		{"empty object", says(200, `{"result":{}}`), "not found"},
		{"empty array", says(200, `{"result":[]}`), "not found"},
		{"code 341", code(341), "not found"},
		{"a message", says(200, `{"message":"scheduled maintenance"}`), "malformed 0 200"},
		{"a null error", says(200, `{"error":null}`), "malformed 0 200"},
		{"no errors", says(200, `{"errors":[]}`), "malformed 0 200"},
		{"result in other letters", says(200, `{"Result":1}`), "malformed 0 200"},
		{"a status for a result", says(200, `{"result":{"status":"maintenance"}}`), "malformed 0 200"},
		{"array of null", says(200, `{"result":[null]}`), "malformed 0 200"},
		{"true", says(200, `{"result":true}`), "malformed 0 200"},
		{"a space", says(200, `{"result":" "}`), "malformed 0 200"},
		{"duplicate results", says(200, `{"result":1,"result":1}`), "malformed 0 200"},
		{"2", says(200, `{"result":2}`), "malformed 0 200"},
		{"-1", says(200, `{"result":-1}`), "malformed 0 200"},
		{"11", says(200, `{"result":11}`), "malformed 0 200"},
		{"an item", says(200, item), "malformed 0 200"},
		{"an error beside a result", says(200, `{"result":1,"error":{"code":104,"msg":""}}`), "credentials 104 200"},
	}, refusals...))
}

func TestGetKeyValueItems(t *testing.T) {
	t.Parallel()
	checkAnswers(t, items("test", voximplant.Page{}), append([]storageAnswer{
		// As the documentation shows it.
		{"an array", says(200, `{"result":[{"key":"test:1234","value":"v","expires_at":1795430000},{"key":"test:2","value":"","expires_at":1795430001}]}`),
			`test:1234 "v" until 1795430000, test:2 "" until 1795430001`},
		// As most official clients' types have it.
		{"a single object", says(200, item), `test:1234 "v" until 1795430000`},
		{"counts beside it", says(200, `{"result":[{"key":"test:a","value":"v"}],"total_count":1,"count":1}`), `test:a "v" until unknown`},
		{"any order", says(200, `{"result":[{"key":"test:b","value":"v"},{"key":"test:a","value":"v"}]}`), `test:b "v" until unknown, test:a "v" until unknown`},
		{"strange expiry", says(200, `{"result":[{"key":"test:a","value":"v","expires_at":"1795430000.0"},{"key":"test:b","value":"v","expires_at":{}}]}`),
			`test:a "v" until 1795430000, test:b "v" until unknown`},
		{"empty array", says(200, `{"result":[]}`), ""},
		{"spaced empty array", says(200, `{"result": [ ] }`), ""},
		{"null", says(200, `{"result":null}`), ""},
		{"empty answer", says(200, `{}`), ""},
		{"empty object", says(200, `{"result":{}}`), ""},
		{"spaced empty object", says(200, `{"result": { } }`), ""},
		{"empty string", says(200, `{"result":""}`), ""},
		{"a message", says(200, `{"message":"scheduled maintenance"}`), "malformed 0 200"},
		{"a count", says(200, `{"total_count":0}`), "malformed 0 200"},
		{"a null error", says(200, `{"error":null}`), "malformed 0 200"},
		{"no errors", says(200, `{"errors":[]}`), "malformed 0 200"},
		{"result in other letters", says(200, `{"RESULT":[]}`), "malformed 0 200"},
		{"a status for a result", says(200, `{"result":{"status":"maintenance"}}`), "malformed 0 200"},
		{"null members", says(200, `{"result":{"key":null,"value":null}}`), "malformed 0 200"},
		{"array of an empty object", says(200, `{"result":[{}]}`), "malformed 0 200"},
		{"0", says(200, `{"result":0}`), "malformed 0 200"},
		{"duplicate keys", says(200, `{"result":[{"key":"test:a","key":"test:b","value":"v"}]}`), "malformed 0 200"},
		{"half a surrogate pair", says(200, `{"result":[{"key":"test:a","value":"\ud83d"}]}`), "malformed 0 200"},
		{"members in other letters", says(200, `{"result":[{"key":"test:a","value":"v","Key":"b","Value":"w","EXPIRES_AT":1}]}`), `test:a "v" until unknown`},
		{"other keys beside", says(200, `{"result":[{"key":"tes:1","value":"v"},{"key":"test","value":"v"},{"key":"a:test","value":"v"},{"key":"Test","value":"v"}]}`),
			`test "v" until unknown`},
		{"a full page", says(200, `{"result":[`+strings.Repeat(`{"key":"test:1","value":"v"},`, 9)+`{"key":"other","value":"v"}]}`),
			strings.Repeat(`test:1 "v" until unknown, `, 9) + "next 10"},
		{"a full page of other keys", says(200, `{"result":[`+strings.Repeat(`{"key":"other","value":"v"},`, 9)+`{"key":"other","value":"v"}]}`), "next 10"},
		{"an item without a key", says(200, `{"result":[{"key":"test:a","value":"v"},{"value":"v"}]}`), "malformed 0 200"},
		{"an item with an empty key", says(200, `{"result":[{"key":"","value":"v"}]}`), "malformed 0 200"},
		{"an item without a value", says(200, `{"result":[{"key":"test:a","expires_at":1795430000}]}`), "malformed 0 200"},
		{"a null item", says(200, `{"result":[null]}`), "malformed 0 200"},
		{"an object without a key", says(200, `{"result":{"value":"v"}}`), "malformed 0 200"},
		{"a string", says(200, `{"result":"test:1234"}`), "malformed 0 200"},
		{"a number", says(200, `{"result":1}`), "malformed 0 200"},
		{"strings", says(200, `{"result":["test:1234"]}`), "malformed 0 200"},
		{"value a number", says(200, `{"result":[{"key":"test:a","value":1}]}`), "malformed 0 200"},
		{"single value a number", says(200, `{"result":{"key":"test:a","value":1}}`), "malformed 0 200"},
		{"not found", code(341), "failed 341 200"},
	}, refusals...))
}

func TestGetKeyValueKeys(t *testing.T) {
	t.Parallel()
	checkAnswers(t, keys("", voximplant.Page{}), append([]storageAnswer{
		{"an array", says(200, `{"result":[{"key":"test:1234","expires_at":1795430000},{"key":"k"}]}`), `test:1234 "" until 1795430000, k "" until unknown`},
		{"a single object", says(200, `{"result":{"key":"k","expires_at":1795430000}}`), `k "" until 1795430000`},
		{"values nobody asked for", says(200, `{"result":[{"key":"k","value":"v","expires_at":1795430000}]}`), `k "" until 1795430000`},
		{"empty array", says(200, `{"result":[]}`), ""},
		{"null", says(200, `{"result":null}`), ""},
		{"empty object", says(200, `{"result":{}}`), ""},
		{"a message", says(200, `{"message":"scheduled maintenance"}`), "malformed 0 200"},
		{"no key", says(200, `{"result":[{"expires_at":1795430000}]}`), "malformed 0 200"},
		{"a single object without a key", says(200, `{"result":{"expires_at":1795430000}}`), "malformed 0 200"},
		{"strings", says(200, `{"result":["k"]}`), "malformed 0 200"},
	}, refusals...))
}

// TestDateOfTheAPI: what the API's clock said goes with every item.
func TestDateOfTheAPI(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, ctx context.Context) {
		c := (&network{answers: []answer{says(200, item, "Date", "Mon, 23 Nov 2026 10:13:20 GMT")}}).client(oneToken)
		stored, err := c.SetKeyValueItem(ctx, key, "v", lasts(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := c.GetKeyValueItems(ctx, key, voximplant.Page{})
		if err != nil || len(list) != 1 {
			t.Fatalf("GetKeyValueItems = %v, %v; want an item", list, err)
		}
		for _, got := range []time.Time{stored.Date, list[0].Date} {
			if got.Unix() != 1795428800 {
				t.Errorf("Date = %v; want the API's", got)
			}
		}
	})
}

// TestWritesAreRepeated: both writes come to the same when made twice.
func TestWritesAreRepeated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		call    storageCall
		answers []answer
		want    string
		tries   int
	}{
		"set":                        {set(key, "v", until(1795430000)), []answer{says(503, ""), code(484), says(200, item)}, found, 3},
		"delete":                     {del(key), []answer{fails(io.ErrUnexpectedEOF), says(200, `{"result":1}`)}, "deleted", 2},
		"delete that went unheard":   {del(key), []answer{stalls, code(341)}, "not found", 2},
		"refused token":              {set(key, "v", until(1795430000)), []answer{code(456), says(200, item)}, found, 2},
		"list":                       {items("test", voximplant.Page{}), []answer{code(340), says(200, item)}, "test:1234 " + found, 2},
		"set that is not understood": {set(key, "v", lasts(time.Minute)), []answer{says(200, "{}"), says(200, item)}, "malformed 0 200", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, ctx context.Context) {
				api := &network{answers: test.answers}
				if got := test.call(t, ctx, api.client(numbered())); got != test.want || len(api.requests) != test.tries {
					t.Errorf("%s after %d tries; want %s after %d", got, len(api.requests), test.want, test.tries)
				}
			})
		})
	}
}

// TestNotFoundCodes: what stands for an absent key can be set; a set, which
// needs none to be there, is not concerned.
func TestNotFoundCodes(t *testing.T) {
	t.Parallel()
	read := func(t *testing.T, ctx context.Context, c *voximplant.Client) string { return ask(t, ctx, c) }
	tests := []struct {
		codes []int
		code  int
		call  storageCall
		want  string
	}{
		{nil, 341, read, "not found"},
		{nil, 496, read, "malformed 496 200"},
		{[]int{496, 501}, 496, read, "not found"},
		{[]int{496, 501}, 501, read, "not found"},
		{[]int{496, 501}, 501, del(key), "not found"},
		{[]int{496, 501}, 341, read, "failed 341 200"},
		{[]int{496, 501}, 341, del(key), "failed 341 200"},
		{[]int{}, 341, read, "failed 341 200"},
		{[]int{0}, 0, read, "failed 0 200"},
		{[]int{496}, 496, set(key, "v", lasts(time.Minute)), "malformed 496 200"},
		{[]int{496}, 496, items("test", voximplant.Page{}), "malformed 496 200"},
	}
	for _, test := range tests {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			c := (&network{answers: []answer{code(test.code)}}).client(oneToken)
			c.NotFoundCodes = test.codes
			if got := test.call(t, ctx, c); got != test.want {
				t.Errorf("code %d with NotFoundCodes %v = %s; want %s", test.code, test.codes, got, test.want)
			}
		})
	}
}

// TestListPatterns: a page is asked for by namespace, and where that finds
// nothing, by prefix. A page that is not full is the last.
func TestListPatterns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		prefix string
		page   voximplant.Page
		finds  []int  // how many items each request finds
		asked  string // the pattern of each request
		next   int
	}{
		{"a", voximplant.Page{}, []int{0}, "a", 0},
		{"a", voximplant.Page{}, []int{9}, "a", 0},
		{"a", voximplant.Page{}, []int{10}, "a", 10},
		{"a", voximplant.Page{Offset: 10}, []int{10}, "a", 20},
		{"a", voximplant.Page{Offset: 20}, []int{0}, "a", 0},
		{"a", voximplant.Page{Count: 50}, []int{49}, "a", 0},
		{"a", voximplant.Page{Count: 50}, []int{50}, "a", 50},
		{"a", voximplant.Page{Offset: 7, Count: 1}, []int{1}, "a", 8},
		{"a", voximplant.Page{Count: 5}, []int{9}, "a", 9}, // more than asked for
		{"", voximplant.Page{}, []int{0}, "", 0},
		{":a", voximplant.Page{}, []int{0}, ":a", 0},

		{"a:", voximplant.Page{}, []int{0, 0}, "a a:", 0},
		{"a:b:c", voximplant.Page{Count: 1}, []int{0, 1}, "a a:b:c", 1},
		{"a:", voximplant.Page{}, []int{1}, "a", 0},
		{"a:", voximplant.Page{}, []int{10}, "a", 10},
		{"a:", voximplant.Page{}, []int{0, 9}, "a a:", 0},
		{"a:", voximplant.Page{}, []int{0, 10}, "a a:", 10},
		{"a:", voximplant.Page{Offset: 10}, []int{0, 0}, "a a:", 0},
		{"a:", voximplant.Page{Offset: 10}, []int{0, 10}, "a a:", 20},
	} {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			api := new(network)
			for _, n := range test.finds {
				items := strings.TrimSuffix(strings.Repeat(`{"key":"a"},`, n), ",")
				api.answers = append(api.answers, says(200, `{"result":[`+items+`]}`))
			}
			_, next, err := api.client(oneToken).GetKeyValueKeys(ctx, test.prefix, test.page)
			var asked []string
			for _, r := range api.requests {
				asked = append(asked, r.PostFormValue("key"))
			}
			if got := strings.Join(asked, " "); err != nil || next != test.next || got != test.asked {
				t.Errorf("keys under %q, %+v, that finds %d: next = %d, %v, asked for by %q; want %d, by %q",
					test.prefix, test.page, test.finds, next, err, got, test.next, test.asked)
			}
		})
	}
}

// Whatever the API says, it becomes a list of items with keys or an error, as listed checks.
func FuzzGetKeyValueItems(f *testing.F) {
	for _, body := range []string{item, `{"result":[{"key":"a","value":"v"}]}`, `{"result":[null]}`, `{"result":{}}`, "{}", ""} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			c := (&network{answers: []answer{says(200, body)}}).client(oneToken)
			got, next, err := c.GetKeyValueItems(ctx, "a", voximplant.Page{})
			if listed(t)(got, next, err); slices.ContainsFunc(got, func(i voximplant.KeyValueItem) bool { return !strings.HasPrefix(i.Key, "a") }) {
				t.Errorf("an item of another prefix in %v", got)
			}
			if _, _, err := c.GetKeyValueKeys(ctx, "", voximplant.Page{}); err != nil && errors.Is(err, voximplant.ErrNotFound) {
				t.Errorf("GetKeyValueKeys = %v; want a list or an *Error", err)
			}
		})
	})
}

func formatUnix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
