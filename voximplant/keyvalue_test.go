package voximplant_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"voxkv/voximplant"
)

func TestGetKeyValueItem(t *testing.T) {
	t.Parallel()
	const (
		notFound  = "not found"
		malformed = "malformed 0 200"
		html      = "<html><body>502 Bad Gateway</body></html>"
	)
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"item", 200, item, found},
		{"another good status", 201, item, found},
		{"byte order mark", 200, "\ufeff" + item, found},
		{"white space around", 200, "\r\n " + item + "\n", found},
		{"unknown members", 200, `{"result":{"key":"test:1234","value":"v","expires_at":1795430000,"ttl":5},"total_count":1}`, found},
		{"null error, empty errors", 200, strings.Replace(item, "{", `{"error":null,"errors":[],`, 1), found},
		{"empty value", 200, `{"result":{"key":"test:1234","value":"","expires_at":1795430000}}`, `"" until 1795430000`},
		{"JSON in the value", 200, `{"result":{"key":"test:1234","value":"{\"a\":\"\\u0000й😀\"}","expires_at":1795430000}}`, `"{\"a\":\"\\u0000й😀\"}" until 1795430000`},
		{"escaped key", 200, `{"result":{"key":"test\u003a1234","value":"v","expires_at":1795430000}}`, found},
		{"array of one", 200, `{"result":[{"key":"test:1234","value":"v","expires_at":1795430000}]}`, found},
		{"array of several", 200, `{"result":[{"key":"test:12345","value":"w"},null,{"key":"test:1234","value":"v","expires_at":1795430000}]}`, found},
		{"members in other letters", 200, strings.Replace(item, "{", `{"Result":{},"ERROR":{"code":341},"Errors":[{"code":2}],`, 1), found},
		{"members of the item in other letters", 200, `{"result":{"key":"test:1234","value":"v","expires_at":1795430000,"Key":"other","VALUE":"w","Expires_At":1}}`, found},

		{"empty answer", 200, `{}`, notFound},
		{"spaced empty answer", 200, " {\n} ", notFound},
		{"null result", 200, `{"result":null}`, notFound},
		{"empty result", 200, `{"result":{}}`, notFound},
		{"empty array", 200, `{"result":[]}`, notFound},
		{"spaced empty array", 200, `{"result": [ ] }`, notFound},
		{"spaced empty object", 200, `{"result": { } }`, notFound},
		{"empty string", 200, `{"result":""}`, notFound},
		{"null result beside empty errors", 200, `{"error":null,"errors":[],"result":null}`, notFound},
		{"code 341", 200, `{"error":{"code":341,"msg":"Record is not found by ID"}}`, notFound},
		{"code 341 with a status", 404, `{"error":{"code":341,"msg":"Record is not found by ID"}}`, notFound},
		{"code 341 as a fraction", 200, `{"error":{"code":341.0}}`, notFound},
		{"code 341 as a string", 200, `{"error":{"code":"341"}}`, notFound},
		{"code 341 as a fraction in a string", 200, `{"error":{"code":"341.0"}}`, notFound},
		{"code 341 with an exponent", 200, `{"error":{"code":3.41e2}}`, notFound},

		{"a message", 200, `{"message":"scheduled maintenance"}`, malformed},
		{"a status", 200, `{"status":"ok"}`, malformed},
		{"a null error", 200, `{"error":null}`, malformed},
		{"a null error and a message", 200, `{"error":null,"msg":"x"}`, malformed},
		{"no errors", 200, `{"errors":[]}`, malformed},
		{"null errors", 200, `{"errors":null}`, malformed},
		{"a count", 200, `{"total_count":0}`, malformed},
		{"result in other letters", 200, `{"Result":null}`, malformed},
		{"item in a result in other letters", 200, strings.Replace(item, "result", "RESULT", 1), malformed},
		{"a status for a result", 200, `{"result":{"status":"maintenance"}}`, malformed},
		{"null members", 200, `{"result":{"key":null,"value":null,"expires_at":null}}`, malformed},
		{"empty key and null value", 200, `{"result":{"key":"","value":null}}`, malformed},
		{"empty key", 200, `{"result":{"key":""}}`, malformed},
		{"empty key and value", 200, `{"result":{"key":"","value":""}}`, malformed},
		{"an expiry alone", 200, `{"result":{"expires_at":1795430000}}`, malformed},
		{"array of an empty object", 200, `{"result":[{}]}`, malformed},
		{"array of null", 200, `{"result":[null]}`, malformed},
		{"array of an empty array", 200, `{"result":[[]]}`, malformed},
		{"array of an empty string", 200, `{"result":[""]}`, malformed},
		{"a space", 200, `{"result":" "}`, malformed},
		{"result 0", 200, `{"result":0}`, malformed},
		{"result true", 200, `{"result":true}`, malformed},

		{"duplicate results", 200, `{"result":null,"result":{"key":"test:1234","value":"v"}}`, malformed},
		{"duplicate values", 200, `{"result":{"key":"test:1234","value":"w","value":"v"}}`, malformed},
		{"duplicate keys", 200, `{"result":{"key":"other","value":"v","key":"test:1234"}}`, malformed},
		{"duplicate expiries", 200, `{"result":{"key":"test:1234","value":"v","expires_at":1795430000,"expires_at":1}}`, malformed},
		{"duplicates that nobody reads", 200, `{"result":{"key":"test:1234","value":"v","more":{"a":1,"\u0061":2}}}`, malformed},
		{"duplicate errors, status 503", 503, `{"error":{"code":116},"error":{"code":2}}`, "unavailable 0 503 repeat"},
		{"array with the key twice", 200, `{"result":[{"key":"test:1234","value":"v"},{"key":"test:1234","value":"w"}]}`, malformed},
		{"half a surrogate pair in the value", 200, strings.Replace(item, `"v"`, `"cut \ud83d"`, 1), malformed},
		{"the other half", 200, strings.Replace(item, `"v"`, `"\ude00"`, 1), malformed},
		{"halves in the wrong order", 200, strings.Replace(item, `"v"`, `"\ude00\ud83d"`, 1), malformed},
		{"half a surrogate pair elsewhere", 200, strings.Replace(item, "{", `{"\udfff":1,`, 1), malformed},
		{"a whole surrogate pair", 200, strings.Replace(item, `"v"`, `"\ud83d\ude00"`, 1), `"😀" until 1795430000`},
		{"a replacement character", 200, strings.Replace(item, `"v"`, `"\ufffd"`, 1), "\"\ufffd\" until 1795430000"},

		{"another key", 200, `{"result":{"key":"test:12345","value":"v"}}`, malformed},
		{"another key of the same letters", 200, `{"result":{"key":"Test:1234","value":"v"}}`, malformed},
		{"last of duplicate keys is another", 200, `{"result":{"key":"test:1234","value":"v","key":"other"}}`, malformed},
		{"no key", 200, `{"result":{"value":"v"}}`, malformed},
		{"no value", 200, `{"result":{"key":"test:1234","expires_at":1795430000}}`, malformed},
		{"another key without value", 200, `{"result":{"key":"other"}}`, malformed},
		{"array of other keys", 200, `{"result":[{"key":"other","value":"v"}]}`, malformed},
		{"array of strings", 200, `{"result":["test:1234"]}`, malformed},
		{"array without value", 200, `{"result":[{"key":"test:1234"}]}`, malformed},
		{"value a number", 200, `{"result":{"key":"test:1234","value":5}}`, malformed},
		{"value an object", 200, `{"result":{"key":"test:1234","value":{}}}`, malformed},
		{"result a string", 200, `{"result":"v"}`, malformed},
		{"result a number", 200, `{"result":1}`, malformed},
		{"result false", 200, `{"result":false}`, malformed},

		{"empty body", 200, "", malformed},
		{"no content", 204, "", "malformed 0 204"},
		{"HTML", 200, html, malformed},
		{"array at the top", 200, "[" + item + "]", malformed},
		{"null at the top", 200, "null", malformed},
		{"cut short", 200, item[:len(item)-3], malformed},
		{"something behind it", 200, item + item, malformed},
		{"invalid UTF-8", 200, strings.Replace(item, `"v"`, "\"v\xff\"", 1), malformed},
		{"Latin-1", 200, strings.Replace(item, `"v"`, "\"\xe4\"", 1), malformed},
		{"deep nesting", 200, `{"result":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, malformed},
		{"too long", 200, strings.Replace(item, `"v"`, `"`+strings.Repeat("v", 2_000_000)+`"`, 1), malformed},
		{"cut in white space", 200, item + strings.Repeat(" ", 2_000_000) + "}", malformed},
		{"more than one item can be", 200, strings.Replace(item, `"v"`, `"`+strings.Repeat("v", 30_000)+`"`, 1), malformed},
		{"the same with a status", 503, strings.Replace(item, `"v"`, `"`+strings.Repeat("v", 30_000)+`"`, 1), "unavailable 0 503 repeat"},
		{"a longest value in JSON's longest form", 200, strings.Replace(item, `"v"`, `"`+strings.Repeat(`\ud83d\ude00`, 2000)+`"`, 1), `"` + strings.Repeat("😀", 2000) + `" until 1795430000`},

		{"error", 200, `{"error":{"code":116,"msg":"test:1234"}}`, "configuration 116 200"},
		{"error with status 400", 400, `{"error":{"code":116}}`, "configuration 116 400"},
		{"error with status 500", 500, `{"error":{"code":116}}`, "configuration 116 500"},
		{"error with more members", 200, `{"error":{"code":116,"msg":"m","field_name":"application_id"}}`, "configuration 116 200"},
		{"code as string", 200, `{"error":{"code":"116"}}`, "configuration 116 200"},
		{"error and errors", 200, `{"error":{"code":116},"errors":[{"code":116},{"code":2}]}`, "configuration 116 200"},
		{"errors only", 200, `{"errors":[{"code":116,"msg":"m"},{"code":2}]}`, "configuration 116 200"},
		{"error beside an item", 200, strings.Replace(item, "{", `{"error":{"code":116},`, 1), "configuration 116 200"},
		{"error without code", 200, `{"error":{"msg":"m"}}`, malformed},
		{"error without code, status 503", 503, `{"error":{"msg":"m"}}`, "unavailable 0 503 repeat"},
		{"errors without code, status 429", 429, `{"errors":[{}]}`, "throttled 0 429 repeat"},
		{"code zero, status 503", 503, `{"error":{"code":0}}`, "unavailable 0 503 repeat"},
		{"code a word", 200, `{"error":{"code":"many"}}`, malformed},
		{"code a fraction", 200, `{"error":{"code":1.5}}`, malformed},
		{"code a fraction in a string", 200, `{"error":{"code":"341.5"}}`, malformed},
		{"code an empty string", 200, `{"error":{"code":""}}`, malformed},
		{"code null", 200, `{"error":{"code":null}}`, malformed},
		{"code an array", 200, `{"error":{"code":[341]}}`, malformed},
		{"code in other letters", 200, `{"error":{"Code":341}}`, malformed},
		{"code beyond 32 bits", 200, `{"error":{"code":4294967637}}`, malformed},
		{"code not a number", 200, `{"error":{"code":"NaN"}}`, malformed},
		{"code infinite", 200, `{"error":{"code":"Inf"}}`, malformed},
		{"code beyond 64 bits", 200, `{"error":{"code":99999999999999999999}}`, malformed},
		{"error a string", 200, `{"error":"m"}`, malformed},
		{"error a string, status 500", 500, `{"error":"m"}`, "unavailable 0 500 repeat"},

		{"item with a bad status", 500, item, "unavailable 0 500 repeat"},
		{"item with a redirect", 302, item, "malformed 0 302"},
		{"status 400", 400, html, "malformed 0 400"},
		{"status 401", 401, html, "credentials 0 401"},
		{"status 403", 403, html, "credentials 0 403"},
		{"status 404", 404, html, "configuration 0 404"},
		{"status 404 and no result", 404, `{"result":null}`, "configuration 0 404"},
		{"status 413", 413, "", "malformed 0 413"},
		{"status 429", 429, html, "throttled 0 429 repeat"},
		{"status 500", 500, "", "unavailable 0 500 repeat"},
		{"status 502", 502, html, "unavailable 0 502 repeat"},
		{"status 503 and a long page", 503, strings.Repeat(html, 100_000), "unavailable 0 503 repeat"},
		{"status 504 and bytes", 504, "\xff\xfe", "unavailable 0 504 repeat"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := answered(t, says(test.status, test.body)); got != test.want {
				t.Errorf("GetKeyValueItem = %.200s; want %.200s", got, test.want)
			}
		})
	}
}

// TestEndlessBody: one must end the call, and not the function's memory. A page
// of items may be longer than one item.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		call storageCall
		most int
	}{
		"get":    {func(t *testing.T, ctx context.Context, c *voximplant.Client) string { return ask(t, ctx, c) }, 30_000},
		"set":    {set(key, "v", lasts(time.Minute)), 30_000},
		"delete": {del(key), 30_000},
		"items":  {items("test:", voximplant.Page{}), 1_500_000},
		"keys":   {keys("test:", voximplant.Page{}), 1_500_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, ctx context.Context) {
				read := 0
				endless := func(r *http.Request) (*http.Response, error) {
					res, err := says(200, "")(r)
					res.Body = zeros{&read}
					return res, err
				}
				if got, want := test.call(t, ctx, (&network{answers: []answer{endless}}).client(oneToken)), "malformed 0 200"; got != want {
					t.Errorf("outcome = %s; want %s", got, want)
				}
				if read > 2*test.most {
					t.Errorf("%d bytes were read of an answer that may have %d", read, test.most)
				}
			})
		})
	}
}

// zeros never end. It counts what is read of them.
type zeros struct{ read *int }

func (z zeros) Read(p []byte) (int, error) {
	*z.read += len(p)
	return len(p), nil
}

func (zeros) Close() error { return nil }

func TestExpiresAt(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		`1795430000`:            "1795430000",
		`"1795430000"`:          "1795430000",
		`1795430000.0`:          "1795430000",
		`"1795430000.0"`:        "1795430000",
		`1.79543e9`:             "1795430000",
		`1795430000.999999`:     "1795430000",
		`1795430000123`:         "1795430000",
		`1795430000999`:         "1795430000",
		`"1795430000999"`:       "1795430000",
		`1795430000999999`:      "1795430000",
		`1`:                     "1",
		`99999999999`:           "99999999999",
		`100000000000`:          "100000000",
		`99999999999999`:        "99999999999",
		`100000000000000`:       "100000000",
		`99999999999999900`:     "99999999999",
		`1795430000999999999`:   "unknown",
		`9223372036854775807`:   "unknown",
		`null`:                  "unknown",
		`0`:                     "unknown",
		`0.5`:                   "unknown",
		`"0"`:                   "unknown",
		`-1`:                    "unknown",
		`-1795430000`:           "unknown",
		`""`:                    "unknown",
		`"soon"`:                "unknown",
		`"NaN"`:                 "unknown",
		`"Infinity"`:            "unknown",
		`"2026-11-23 10:13:20"`: "unknown",
		`true`:                  "unknown",
		`{}`:                    "unknown",
		`[1795430000]`:          "unknown",
		`1e300`:                 "unknown",
		`1e999`:                 "unknown",
	} {
		t.Run(written, func(t *testing.T) {
			t.Parallel()
			body := strings.Replace(item, "1795430000", written, 1)
			if got := answered(t, says(200, body)); got != `"v" until `+want {
				t.Errorf("GetKeyValueItem with expires_at %s = %s; want until %s", written, got, want)
			}
		})
	}
	if got, want := answered(t, says(200, `{"result":{"key":"test:1234","value":"v"}}`)), `"v" until unknown`; got != want {
		t.Errorf("GetKeyValueItem without expires_at = %s; want %s", got, want)
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Time{
		"Mon, 23 Nov 2026 10:13:20 GMT": time.Unix(1795428800, 0).UTC(),
		"Mon, 23 Nov 2026":              {},
		"":                              {},
	} {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			client := (&network{answers: []answer{says(200, item, "Date", header)}}).client(oneToken)
			got, err := client.GetKeyValueItem(ctx, key)
			if err != nil || !got.Date.Equal(want) {
				t.Errorf("Date %q = %v, %v; want %v", header, got.Date, err, want)
			}
		})
	}
}

func TestLeft(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_795_430_000, 0)
	for _, test := range []struct{ lives, ahead, want time.Duration }{
		{time.Hour, 0, time.Hour},
		{time.Hour, time.Minute, 59 * time.Minute},
		{time.Minute, time.Minute, 0},
		{time.Minute, time.Hour, -59 * time.Minute},
		{time.Hour, time.Hour + 1, time.Hour}, // no clock to go by
		{time.Hour, 1<<63 - 1, time.Hour},
		{time.Hour, -time.Minute, time.Hour}, // ours is the stricter
		{time.Hour, -1 << 63, time.Hour},
		{-time.Second, 0, -time.Second},
	} {
		item := voximplant.KeyValueItem{ExpiresAt: now.Add(test.lives)}
		if got := item.Left(now, test.ahead); got != test.want {
			t.Errorf("an item that lives for %v, the API's clock ahead by %v: Left = %v; want %v", test.lives, test.ahead, got, test.want)
		}
	}
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	const letter = "the key has a character outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +"
	tests := []struct{ name, key, want string }{
		{"the alphabet", "azAZ09аяАЯёЁ_-:;.#+", ""},
		{"one character", "a", ""},
		{"a phone number", "+15550001111", ""},
		{"a dot", ".", ""},
		{"200 Latin letters", strings.Repeat("z", 200), ""},
		{"200 Cyrillic letters", strings.Repeat("я", 200), ""},
		{"composed й", "\u0439", ""},
		{"empty", "", "the key is empty"},
		{"201 Latin letters", strings.Repeat("z", 201), "the key has more than 200 characters"},
		{"201 Cyrillic letters", strings.Repeat("я", 201), "the key has more than 200 characters"},
		{"decomposed й", "и\u0306", letter},
		{"Ukrainian і", "і", letter},
		{"before а", "ѐ", letter},
		{"accented Latin", "é", letter},
		{"NUL", "a\x00", letter},
		{"newline at the end", "a\n", letter},
		{"space", "a b", letter},
		{"per cent", "a%2B", letter},
		{"slash", "a/b", letter},
		{"at", "a@b.c", letter},
		{"equals", "a=b", letter},
		{"star", "a*", letter},
		{"caret", "^", letter},
		{"brackets", "[a]", letter},
		{"wide digit", "\uff11", letter},
		{"invalid UTF-8", "a\xff", letter},
		{"replacement character", "\ufffd", letter},
	}
	for _, test := range tests {
		err := voximplant.CheckKey(test.key)
		if got := text(err); got != test.want {
			t.Errorf("CheckKey of %s = %q; want %q", test.name, got, test.want)
		}
	}
}

// text is that of an error, "" if there is none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Whatever the API says, it becomes an item of the key asked for or an error, as ask checks.
func FuzzGetKeyValueItem(f *testing.F) {
	for _, body := range []string{
		item, "", "null", `{"message":"m"}`, `{"Result":{},"result":{"status":"s"}}`, `{"result":[{"key":"test:1234","value":"v","expires_at":"1795430000.5"}]}`,
		`{"error":{"code":"100"},"errors":[{"code":2}]}`, `{"result":{"key":"test:1234","value":"\ud800","expires_at":1e18}}`,
	} {
		f.Add(uint16(200), body)
		f.Add(uint16(503), body)
	}
	f.Fuzz(func(t *testing.T, status uint16, body string) {
		answered(t, says(int(status), body))
	})
}
