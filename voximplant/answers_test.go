package voximplant_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"voxkv/voximplant"
)

// allCalls are one call of each method.
func allCalls() map[string]call {
	return map[string]call{
		"get": ask, "set": set(key, "v", lasts(time.Minute)), "delete": del(key),
		"items": items("test", voximplant.Page{}), "keys": keys("", voximplant.Page{}),
	}
}

// TestAnswersOfNoUse: what is no answer to any of the methods.
func TestAnswersOfNoUse(t *testing.T) {
	t.Parallel()
	bodies := map[string][]string{
		"malformed 0 200": {
			// No result.
			`{"message":"scheduled maintenance"}`, `{"status":"ok"}`, `{"error":null}`, `{"error":null,"msg":"x"}`,
			`{"errors":[]}`, `{"errors":null}`, `{"total_count":0}`, `{"Result":null}`,
			strings.Replace(item, "result", "RESULT", 1),
			// A result that is neither an item nor a number.
			`{"result":{"status":"maintenance"}}`, `{"result":{"key":null,"value":null,"expires_at":null}}`,
			`{"result":{"key":"","value":null}}`, `{"result":{"key":""}}`, `{"result":{"key":"","value":""}}`,
			`{"result":{"expires_at":1795430000}}`, `{"result":[{}]}`, `{"result":[null]}`, `{"result":[[]]}`,
			`{"result":[""]}`, `{"result":" "}`, `{"result":true}`, `{"result":false}`, `{"result":"v"}`,
			`{"result":{"value":"v"}}`, `{"result":["test:1234"]}`, `{"result":{"key":"test:1234","value":5}}`,
			`{"result":[{"key":"test:1234","value":5}]}`, `{"result":{"key":"test:1234","value":{}}}`,
			`{"result":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
			// A name that stands twice.
			`{"result":null,"result":{"key":"test:1234","value":"v"}}`, `{"result":1,"result":1}`,
			`{"result":{"key":"test:1234","value":"w","value":"v"}}`,
			`{"result":{"key":"other","value":"v","key":"test:1234"}}`,
			`{"result":{"key":"test:1234","value":"v","expires_at":1795430000,"expires_at":1}}`,
			`{"result":{"key":"test:1234","value":"v","more":{"a":1,"\u0061":2}}}`,
			// Half a surrogate pair, or two in the wrong order.
			strings.Replace(item, `"v"`, `"cut \ud83d"`, 1), strings.Replace(item, `"v"`, `"\ude00"`, 1),
			strings.Replace(item, `"v"`, `"\ude00\ud83d"`, 1), strings.Replace(item, "{", `{"\udfff":1,`, 1),
			// No JSON object, or not in UTF-8, or too long.
			"", "<html>", "[" + item + "]", "null", item[:len(item)-3], item + item,
			strings.Replace(item, `"v"`, "\"v\xff\"", 1), strings.Replace(item, `"v"`, "\"\xe4\"", 1),
			strings.Replace(item, `"v"`, `"`+strings.Repeat("v", 2_000_000)+`"`, 1),
			item + strings.Repeat(" ", 2_000_000) + "}",
			// An error without a code.
			`{"error":"m"}`, `{"error":{"msg":"m"}}`, `{"error":{"code":"many"}}`, `{"error":{"code":1.5}}`,
			`{"error":{"code":"341.5"}}`, `{"error":{"code":""}}`, `{"error":{"code":null}}`, `{"error":{"code":[341]}}`,
			`{"error":{"Code":341}}`, `{"error":{"code":4294967637}}`, `{"error":{"code":"NaN"}}`,
			`{"error":{"code":"Inf"}}`, `{"error":{"code":99999999999999999999}}`,
		},
		"configuration 116 200": {
			`{"error":{"code":116,"msg":"test:1234"}}`, `{"error":{"code":116,"msg":"m","field_name":"application_id"}}`,
			`{"error":{"code":"116"}}`, `{"error":{"code":116},"errors":[{"code":116},{"code":2}]}`,
			`{"errors":[{"code":116,"msg":"m"},{"code":2}]}`, strings.Replace(item, "{", `{"error":{"code":116},`, 1),
		},
		"failed 1 200 repeat": {`{"error":{"code":1}}`},
		"malformed 497 200":   {`{"error":{"code":497}}`},
	}
	statuses := []struct {
		status int
		body   string
		want   string
	}{
		{503, `{"error":{"code":116},"error":{"code":2}}`, "unavailable 0 503 repeat"},
		{204, "", "malformed 0 204"},
		{400, `{"error":{"code":116}}`, "configuration 116 400"},
		{503, `{"error":{"msg":"m"}}`, "unavailable 0 503 repeat"},
		{429, `{"errors":[{}]}`, "throttled 0 429 repeat"},
		{503, `{"error":{"code":0}}`, "unavailable 0 503 repeat"},
		{500, item, "unavailable 0 500 repeat"},
		{400, "<html>", "malformed 0 400"},
		{401, "<html>", "credentials 0 401"},
		{403, "<html>", "credentials 0 403"},
		{404, "<html>", "configuration 0 404"},
		{404, `{"result":null}`, "configuration 0 404"},
		{429, "<html>", "throttled 0 429 repeat"},
		{500, "", "unavailable 0 500 repeat"},
		{503, strings.Repeat("<html>", 100_000), "unavailable 0 503 repeat"},
		{300, item, "malformed 0 300"},
		{199, item, "malformed 0 199"},
		{499, item, "malformed 0 499"},
	}
	for name, call := range allCalls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkBodies(t, call, bodies)
			for _, test := range statuses {
				if got := answered(t, call, says(test.status, test.body)); got != test.want {
					t.Errorf("status %d, %.100q: %.200s; want %s", test.status, test.body, got, test.want)
				}
			}
		})
	}
}

// TestEmptyAnswers: what says that there is nothing. No item can be written so.
func TestEmptyAnswers(t *testing.T) {
	t.Parallel()
	outcomes := map[string]string{"get": "not found", "set": "malformed 0 200", "delete": "not found", "items": "", "keys": ""}
	for _, body := range []string{
		`{}`, " {\n} ", `{"result":null}`, `{"error":null,"errors":[],"result":null}`, `{"result":{}}`, `{"result": { } }`,
		`{"result":[]}`, `{"result": [ ] }`, `{"result":""}`,
	} {
		for name, call := range allCalls() {
			if got := answered(t, call, says(200, body)); got != outcomes[name] {
				t.Errorf("%s: %s = %s; want %s", name, body, got, outcomes[name])
			}
		}
	}
}

// TestLongestAnswer: a longer one must end the call, and not the function's memory.
// A page of items may be longer than one item.
func TestLongestAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		call call
		most int
		want string
	}{
		{ask, 30_000, found},
		{items("test", voximplant.Page{}), 30_000 * voximplant.MaxCount, "test:1234 " + found},
		{keys("test", voximplant.Page{}), 30_000 * voximplant.MaxCount, `test:1234 "" until 1795430000`},
	} {
		for size, want := range map[int]string{test.most: test.want, test.most + 1: "malformed 0 200"} {
			if got := answered(t, test.call, says(200, item+strings.Repeat(" ", size-len(item)))); got != want {
				t.Errorf("an answer of %d bytes = %s; want %s", size, got, want)
			}
		}
		var read zeros
		endless := func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(&read)}, nil
		}
		if got := answered(t, test.call, endless); got != "malformed 0 200" || int(read) > 2*test.most {
			t.Errorf("an endless answer = %s after %d bytes; want malformed 0 200 after little more than %d", got, read, test.most)
		}
	}
}

// zeros never end. Its value is how many were read.
type zeros int

func (z *zeros) Read(p []byte) (int, error) {
	*z += zeros(len(p))
	return len(p), nil
}

// The codes are those of voximplant.com's error reference that a call may meet.
func TestCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind  voximplant.Kind
		tries int  // 3 where a repeat is worth it
		anew  bool // another token is asked for
		codes []int
	}{
		{voximplant.KindCredentials, 1, true, []int{100, 433, 447, 455, 456}},
		{voximplant.KindCredentials, 1, false, []int{104, 127, 131, 135, 137, 315, 316, 317, 320, 321, 322, 323, 527}},
		{voximplant.KindConfiguration, 1, false, []int{
			12, 101, 102, 103, 105, 107, 115, 116, 134, 195, 196, 454, 458, 485, 492, 545, 546, 558,
		}},
		{voximplant.KindThrottled, 3, false, []int{162, 314, 340, 416, 484, 515}},
		{voximplant.KindMalformed, 1, false, []int{477, 496, 497, 499}},
		{voximplant.KindFailed, 3, false, []int{1, 2, 4, 13}},
		{voximplant.KindFailed, 1, false, []int{5, 122, 429, 434, 435, 437, 501, 512, 0, -1, 9999}},
	}
	for _, test := range tests {
		for _, n := range test.codes {
			inBubble(t, func(t *testing.T, ctx context.Context) {
				anew := false
				api := &network{answers: []answer{code(n)}}
				outcome := ask(t, ctx, api.client(func(refused string) (string, error) {
					if refused == "" {
						return bearer, nil
					}
					anew = true
					return "", errors.New("no other token")
				}))
				want := fmt.Sprintf("%s %d 200", test.kind, n)
				if test.tries == 3 {
					want += " repeat"
				}
				if outcome != want || len(api.requests) != test.tries || anew != test.anew {
					t.Errorf("code %d = %s after %d tries, another token asked for: %t; want %s, %d, %t",
						n, outcome, len(api.requests), anew, want, test.tries, test.anew)
				}
			})
		}
	}
}

// TestErrorText: it tells all that is known of the failure.
func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]answer{
		"voximplant: GetKeyValueItem: configuration, code 116, HTTP status 200":            code(116),
		"voximplant: GetKeyValueItem: credentials, HTTP status 401":                        says(401, ""),
		"voximplant: GetKeyValueItem: malformed, HTTP status 200: an item without a value": says(200, `{"result":{"key":"test:1234"}}`),
		"voximplant: GetKeyValueItem: unavailable: lost":                                   fails(errors.New("lost")),
	} {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			_, err := (&network{answers: []answer{a}}).client(upTo(1)).GetKeyValueItem(ctx, key)
			if err == nil || err.Error() != want {
				t.Errorf("GetKeyValueItem = %v; want %s", err, want)
			}
		})
	}
}

// A named error tells its kind, as those of package auth do.
type named struct {
	kind string
	error
}

func (n named) Kind() string  { return n.kind }
func (n named) Unwrap() error { return n.error }

func TestTokenSourceFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want string
	}{
		{errors.New("out of reach"), "unavailable 0 0"},
		{named{"unavailable", context.DeadlineExceeded}, "unavailable 0 0"},
		{named{"configuration", errors.New("no such secret")}, "configuration 0 0"},
		{fmt.Errorf("token: %w", named{"credentials", errors.New("refused")}), "credentials 0 0"},
	}
	for _, test := range tests {
		api := &network{answers: []answer{says(200, item)}}
		client := api.client(func(string) (string, error) { return "", test.err })
		got, err := client.GetKeyValueItem(t.Context(), key)
		if outcome := outcome(t, got, err); outcome != test.want || !errors.Is(err, test.err) || len(api.requests) != 0 {
			t.Errorf("GetKeyValueItem = %s, %v, %d requests; want %s, with %v in it, and none", outcome, err, len(api.requests), test.want, test.err)
		}
	}
}

// TestRetryAfterIsHandedOn: a very long wait is a very long wait, and sums with it do not overflow.
func TestRetryAfterIsHandedOn(t *testing.T) {
	t.Parallel()
	const century = 100 * 365 * 24 * time.Hour
	for header, want := range map[string]time.Duration{
		"30":                            30 * time.Second,
		"2147483647":                    2147483647 * time.Second,
		"9223372036":                    century,
		"18446744073709551616":          century,
		strings.Repeat("9", 400):        century,
		"Sat, 01 Jan 2000 00:01:00 GMT": time.Minute, // a bubble begins a minute earlier
		"Fri, 31 Dec 2400 23:59:59 GMT": century,
		"Fri, 31 Dec 1999 23:59:59 GMT": 0,
		"-1":                            0,
		"1.5":                           0,
		"soon":                          0,
		"":                              0,
	} {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, err := (&network{answers: []answer{says(503, "", "Retry-After", header)}}).client(oneToken).GetKeyValueItem(ctx, key)
			if failed, ok := errors.AsType[*voximplant.Error](err); !ok || failed.RetryAfter != want {
				t.Errorf("Retry-After %.40s: GetKeyValueItem = %#v; want RetryAfter %v", header, err, want)
			}
		})
	}
}

// TestDate: the time of the API's clock goes with every item.
func TestDate(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Time{
		"Mon, 23 Nov 2026 10:13:20 GMT": time.Unix(1795428800, 0).UTC(),
		"Mon, 23 Nov 2026":              {},
		"":                              {},
	} {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			c := (&network{answers: []answer{says(200, item, "Date", header)}}).client(oneToken)
			read, errRead := c.GetKeyValueItem(ctx, key)
			stored, errStored := c.SetKeyValueItem(ctx, key, "v", lasts(time.Minute))
			list, _, errList := c.GetKeyValueItems(ctx, key, voximplant.Page{})
			if err := errors.Join(errRead, errStored, errList); err != nil || len(list) != 1 {
				t.Fatalf("%d items, %v; want one and no error", len(list), err)
			}
			for _, got := range []time.Time{read.Date, stored.Date, list[0].Date} {
				if !got.Equal(want) {
					t.Errorf("Date %q = %v; want %v", header, got, want)
				}
			}
		})
	}
}
