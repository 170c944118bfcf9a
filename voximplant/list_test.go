package voximplant_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"voxkv/voximplant"
)

func TestGetKeyValueItems(t *testing.T) {
	t.Parallel()
	checkBodies(t, items("test", voximplant.Page{}), map[string][]string{
		`test:1234 "v" until 1795430000, test:2 "" until 1795430001`: {`{"result":[{"key":"test:1234","value":"v","expires_at":1795430000},{"key":"test:2","value":"","expires_at":1795430001}]}`},
		`test:1234 "v" until 1795430000`:                             {item},
		`test:a "v" until unknown`: {
			`{"result":[{"key":"test:a","value":"v"}],"total_count":1,"count":1}`,
			`{"result":[{"key":"test:a","value":"v","Key":"b","Value":"w","EXPIRES_AT":1}]}`,
		},
		`test:b "v" until unknown, test:a "v" until unknown`:    {`{"result":[{"key":"test:b","value":"v"},{"key":"test:a","value":"v"}]}`},
		`test:a "v" until 1795430000, test:b "v" until unknown`: {`{"result":[{"key":"test:a","value":"v","expires_at":"1795430000.0"},{"key":"test:b","value":"v","expires_at":{}}]}`},
		"malformed 0 200": {
			`{"result":0}`, `{"result":[{"key":"test:a","value":"v"},{"value":"v"}]}`,
			`{"result":[{"key":"","value":"v"}]}`, `{"result":[{"key":"test:a","expires_at":1795430000}]}`, `{"result":1}`,
		},
		`test "v" until unknown`:                                    {`{"result":[{"key":"tes:1","value":"v"},{"key":"test","value":"v"},{"key":"a:test","value":"v"},{"key":"Test","value":"v"}]}`},
		strings.Repeat(`test:1 "v" until unknown, `, 9) + "next 10": {`{"result":[` + strings.Repeat(`{"key":"test:1","value":"v"},`, 9) + `{"key":"other","value":"v"}]}`},
		"next 10":        {`{"result":[` + strings.Repeat(`{"key":"other","value":"v"},`, 9) + `{"key":"other","value":"v"}]}`},
		"":               {`{"error":{"code":341}}`},
		"failed 342 200": {`{"error":{"code":342}}`},
	})
}

func TestGetKeyValueKeys(t *testing.T) {
	t.Parallel()
	checkBodies(t, keys("", voximplant.Page{}), map[string][]string{
		`test:1234 "" until 1795430000, k "" until unknown`: {`{"result":[{"key":"test:1234","expires_at":1795430000},{"key":"k"}]}`},
		`k "" until 1795430000`: {
			`{"result":{"key":"k","expires_at":1795430000}}`,
			`{"result":[{"key":"k","value":"v","expires_at":1795430000}]}`,
		},
	})
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
		{"a", voximplant.Page{}, []int{10}, "a", 10},
		{"a", voximplant.Page{Offset: 10}, []int{10}, "a", 20},
		{"a", voximplant.Page{Count: 50}, []int{49}, "a", 0},
		{"a", voximplant.Page{Count: 50}, []int{50}, "a", 50},
		{"a", voximplant.Page{Offset: 7, Count: 1}, []int{1}, "a", 8},
		{"a", voximplant.Page{Count: 5}, []int{9}, "a", 9}, // more than asked for
		{"", voximplant.Page{}, []int{0}, "", 0},
		{":a", voximplant.Page{}, []int{0}, ":a", 0},

		{"a:", voximplant.Page{}, []int{0, 0}, "a a:", 0},
		{"a:b:c", voximplant.Page{Count: 1}, []int{0, 1}, "a a:b:c", 1},
		{"a:", voximplant.Page{}, []int{10}, "a", 10},
		{"a:", voximplant.Page{}, []int{0, 9}, "a a:", 0},
		{"a:", voximplant.Page{}, []int{0, 10}, "a a:", 10},
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
