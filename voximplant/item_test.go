package voximplant_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"voxkv/voximplant"
)

func TestGetKeyValueItem(t *testing.T) {
	t.Parallel()
	checkBodies(t, ask, map[string][]string{
		found: {
			item, "\ufeff" + item, "\r\n " + item + "\n",
			`{"result":{"key":"test:1234","value":"v","expires_at":1795430000,"ttl":5},"total_count":1}`,
			strings.Replace(item, "{", `{"error":null,"errors":[],`, 1),
			`{"result":{"key":"test\u003a1234","value":"v","expires_at":1795430000}}`,
			`{"result":[{"key":"test:1234","value":"v","expires_at":1795430000}]}`,
			`{"result":[{"key":"test:12345","value":"w"},null,{"key":"test:1234","value":"v","expires_at":1795430000}]}`,
			strings.Replace(item, "{", `{"Result":{},"ERROR":{"code":341},"Errors":[{"code":2}],`, 1),
			`{"result":{"key":"test:1234","value":"v","expires_at":1795430000,"Key":"other","VALUE":"w","Expires_At":1}}`,
		},
		`"" until 1795430000`:                      {`{"result":{"key":"test:1234","value":"","expires_at":1795430000}}`},
		`"{\"a\":\"\\u0000й😀\"}" until 1795430000`: {`{"result":{"key":"test:1234","value":"{\"a\":\"\\u0000й😀\"}","expires_at":1795430000}}`},
		"not found": {
			`{"error":{"code":341,"msg":"Record is not found by ID"}}`, `{"error":{"code":341.0}}`,
			`{"error":{"code":"341"}}`, `{"error":{"code":"341.0"}}`, `{"error":{"code":3.41e2}}`,
		},
		"malformed 0 200": {
			`{"result":0}`, `{"result":[{"key":"test:1234","value":"v"},{"key":"test:1234","value":"w"}]}`,
			`{"result":{"key":"test:12345","value":"v"}}`, `{"result":{"key":"Test:1234","value":"v"}}`,
			`{"result":{"key":"test:1234","expires_at":1795430000}}`, `{"result":{"key":"other"}}`,
			`{"result":[{"key":"other","value":"v"}]}`, `{"result":[{"key":"test:1234"}]}`, `{"result":1}`,
			strings.Replace(item, `"v"`, `"`+strings.Repeat("v", 30_000)+`"`, 1),
		},
		`"😀" until 1795430000`:                                 {strings.Replace(item, `"v"`, `"\ud83d\ude00"`, 1)},
		"\"\ufffd\" until 1795430000":                          {strings.Replace(item, `"v"`, `"\ufffd"`, 1)},
		`"` + strings.Repeat("😀", 2000) + `" until 1795430000`: {strings.Replace(item, `"v"`, `"`+strings.Repeat(`\ud83d\ude00`, 2000)+`"`, 1)},
	})
	if got := answered(t, ask, says(201, item)); got != found {
		t.Errorf("status 201: GetKeyValueItem = %s; want %s", got, found)
	}
	if got := answered(t, ask, says(404, `{"error":{"code":341}}`)); got != "not found" {
		t.Errorf("status 404, code 341: GetKeyValueItem = %s; want not found", got)
	}
}

// TestNotFoundCodes: what stands for an absent key can be set; a set, which
// needs none to be there, is not concerned.
func TestNotFoundCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		codes []int
		code  int
		call  call
		want  string
	}{
		{nil, 341, ask, "not found"},
		{nil, 496, ask, "malformed 496 200"},
		{[]int{496, 501}, 496, ask, "not found"},
		{[]int{496, 501}, 501, ask, "not found"},
		{[]int{496, 501}, 501, del(key), "not found"},
		{[]int{496, 501}, 341, ask, "failed 341 200"},
		{[]int{496, 501}, 341, del(key), "failed 341 200"},
		{[]int{}, 341, ask, "failed 341 200"},
		{[]int{0}, 0, ask, "failed 0 200"},
		{[]int{496}, 496, set(key, "v", lasts(time.Minute)), "malformed 496 200"},
		{[]int{496}, 496, items("test", voximplant.Page{}), ""},
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

// TestExpiresAt is B3-18 and E5-21 of docs/http-statements.md.
func TestExpiresAt(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		`1795430000`:            "1795430000",
		`"1795430000"`:          "1795430000",
		`1795430000.0`:          "1795430000",
		`1795430000.999999`:     "1795430000",
		`1795430000123`:         "1795430000",
		`"1795430000999"`:       "1795430000",
		`1795430000999999`:      "1795430000",
		`1`:                     "1",
		`99999999999`:           "99999999999",
		`100000000000`:          "100000000",
		`99999999999999`:        "99999999999",
		`100000000000000`:       "100000000",
		`99999999999999900`:     "99999999999",
		`1795430000999999999`:   "unknown",
		`null`:                  "unknown",
		`0`:                     "unknown",
		`0.5`:                   "unknown",
		`-1`:                    "unknown",
		`""`:                    "unknown",
		`"soon"`:                "unknown",
		`"NaN"`:                 "unknown",
		`"2026-11-23 10:13:20"`: "unknown",
		`true`:                  "unknown",
		`{}`:                    "unknown",
		`[1795430000]`:          "unknown",
		`1e999`:                 "unknown",
	} {
		body := strings.Replace(item, "1795430000", written, 1)
		if got := answered(t, ask, says(200, body)); got != `"v" until `+want {
			t.Errorf("GetKeyValueItem with expires_at %s = %s; want until %s", written, got, want)
		}
	}
	if got, want := answered(t, ask, says(200, `{"result":{"key":"test:1234","value":"v"}}`)), `"v" until unknown`; got != want {
		t.Errorf("GetKeyValueItem without expires_at = %s; want %s", got, want)
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
		answered(t, ask, says(int(status), body))
	})
}
