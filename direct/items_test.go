package direct_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/direct"
	"voxkv/internal/problem"
	"voxkv/internal/voximplanttest"
	"voxkv/voximplant"
)

// A world is Items of the keys order:* and exact, that may be written, the
// API behind it, and what it was told to forget.
type world struct {
	*direct.Items
	api     *voximplanttest.Server
	mu      sync.Mutex // guards methods
	methods []string   // called
	forgot  []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	api, client := newAPI(t)
	w.api = api
	w.answer(nil)
	w.Items = &direct.Items{
		Client:   client,
		Scope:    newScope(t, "order:*,exact"),
		Writable: true,
		Timeout:  10 * time.Second,
		Forget:   func(key string) { w.forgot = append(w.forgot, key) },
	}
	return w
}

// answer has a body for each method, instead of the API's own.
func (w *world) answer(bodies map[string]string) {
	w.api.Intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		method := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		w.mu.Lock()
		defer w.mu.Unlock()
		w.methods = append(w.methods, method)
		body, ok := bodies[method]
		if ok {
			rw.Write([]byte(body))
		}
		return ok
	})
}

// check compares what was called and forgotten since the world began.
func (w *world) check(t *testing.T, calls []string, forgot ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.methods, calls) || !slices.Equal(w.forgot, forgot) {
		t.Errorf("called %q, forgot %q; want %q and %q", w.methods, w.forgot, calls, forgot)
	}
}

func minute() voximplant.Lifetime { return voximplant.Lifetime{TTL: new(time.Minute)} }

func TestWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := time.Now()
	item, err := w.Set(t.Context(), "order:1", "v", minute())
	if err != nil || item.Value != "v" || item.Key != "order:1" || item.ExpiresAt.Before(before.Add(50*time.Second)) {
		t.Errorf("Set = %+v, %v; want the item, for a minute", item, err)
	}
	if stored := w.api.Items(); len(stored) != 1 || stored[0].Value != "v" {
		t.Errorf("stored are %v; want the item", stored)
	}
	for range 2 { // the second finds nothing
		if err := w.Delete(t.Context(), "order:1"); err != nil {
			t.Errorf("Delete = %v; want no error", err)
		}
	}
	if stored := w.api.Items(); len(stored) != 0 {
		t.Errorf("stored are %v; want nothing", stored)
	}
	w.check(t, []string{"SetKeyValueItem", "DelKeyValueItem", "DelKeyValueItem"}, "order:1", "order:1", "order:1")
}

// TestSetAnswersWhatWasWritten, whichever item the API answers a write with.
func TestSetAnswersWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, before := range []struct {
		value string
		ends  time.Duration
	}{{"before", time.Hour}, {"before", -time.Hour}, {"v", time.Hour}, {"v", -time.Hour}} {
		w := newWorld(t)
		w.api.AnswersBefore = true
		w.api.Put("order:1", before.value, time.Now().Add(before.ends))
		asked := time.Now().Add(-time.Second).Truncate(time.Second)
		item, err := w.Set(t.Context(), "order:1", "v", minute())
		if err != nil {
			t.Fatal(err)
		}
		end := item.ExpiresAt.Add(-time.Minute)
		if item.Key != "order:1" || item.Value != "v" || end.Before(asked) || end.After(time.Now().Add(time.Second)) {
			t.Errorf("Set where %+v was = %+v; want what was written, for a minute", before, item)
		}
	}
}

// TestRefusedBeforeTheCall: what may not be done makes no call.
func TestRefusedBeforeTheCall(t *testing.T) {
	t.Parallel()
	const (
		off   = "Writes are off; ALLOW_WRITES=true would allow them."
		scope = "The key is outside ALLOWED_KEYS."
	)
	tests := []struct {
		name, key string
		readOnly  bool
		want      string
	}{
		{"off", "order:1", true, off},
		{"off and out of scope", "secret:token", true, off},
		{"out of scope", "secret:token", false, scope},
		{"begins with an exact key", "exactly", false, scope},
		{"prefix in other letters", "Order:1", false, scope},
		{"no key", "", false, scope},
		{"not a key", "order: 1", false, "the key has a character outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +"},
		{"long key", "order:" + strings.Repeat("я", 195), false, "the key has more than 200 characters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Writable = !test.readOnly
			if item, err := w.Set(t.Context(), test.key, "v", minute()); item != nil || err == nil || err.Error() != test.want {
				t.Errorf("Set = %v, %v; want %s", item, err, test.want)
			}
			if err := w.Delete(t.Context(), test.key); err == nil || err.Error() != test.want {
				t.Errorf("Delete = %v; want %s", err, test.want)
			}
			if len(w.methods) != 0 {
				t.Errorf("called %q; want no call", w.methods)
			}
		})
	}
}

// TestOutcomes: a key is forgotten after every write, whatever came of it.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, set, del string
		failed         bool
	}{
		{"done", `{"result":{"key":"order:1","value":"v","expires_at":4000000000}}`, `{"result":1}`, false},
		{"another value", `{"result":{"key":"order:1","value":"before","expires_at":4000000000}}`, `{"result":0}`, false},
		{"no expiry", `{"result":{"key":"order:1","value":"v"}}`, `{"result":null}`, false},
		{"refused", `{"error":{"code":497}}`, `{"error":{"code":104}}`, true},
		{"no answer to it", `{}`, `{"result":2}`, true},
		{"not JSON", `<html>`, `<html>`, true},
		{"maintenance", `{"message":"maintenance"}`, `{"message":"maintenance"}`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.answer(map[string]string{"SetKeyValueItem": row.set, "DelKeyValueItem": row.del})
			item, err := w.Set(t.Context(), "order:1", "v", minute())
			deleted := w.Delete(t.Context(), "order:1")
			for name, err := range map[string]error{"Set": err, "Delete": deleted} {
				if _, typed := errors.AsType[*voximplant.Error](err); typed != row.failed || err != nil != row.failed {
					t.Errorf("%s = %v; want failure %v", name, err, row.failed)
				}
			}
			if !row.failed && item.Value != "v" {
				t.Errorf("Set = %+v; want what was written", item)
			}
			w.check(t, []string{"SetKeyValueItem", "DelKeyValueItem"}, "order:1", "order:1")
		})
	}
}

// TestKeyNotFoundCode: deletion of nothing is a deletion.
func TestKeyNotFoundCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Client.NotFoundCodes = []int{496}
	w.answer(map[string]string{"DelKeyValueItem": `{"error":{"code":496}}`})
	if err := w.Delete(t.Context(), "exact"); err != nil {
		t.Errorf("Delete = %v; want no error", err)
	}
	w.check(t, []string{"DelKeyValueItem"}, "exact")
}

// A lister is List or ListKeys.
type lister = func(context.Context, string, voximplant.Page) ([]voximplant.KeyValueItem, int, error)

func (w *world) listers() map[string]lister {
	return map[string]lister{"List": w.List, "ListKeys": w.ListKeys}
}

// TestListsInScope: the offset of the next page counts what the API listed, not what is shown of it.
func TestListsInScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Writable = false // lists are no writes
	end := time.Now().Add(time.Hour)
	for i := range 12 {
		w.api.Put(fmt.Sprintf("order:%02d", i), "v", end)
		w.api.Put(fmt.Sprintf("ord-%02d", i), "secret", end) // these come first
	}
	w.api.Put("exact", "v", end)
	w.api.Put("exactly", "secret", end)
	tests := []struct {
		prefix string
		page   voximplant.Page
		want   int
		next   int
	}{
		{"order:", voximplant.Page{}, 10, 10},
		{"order:", voximplant.Page{Offset: 10}, 2, 0},
		{"order:", voximplant.Page{Offset: 12}, 0, 0},
		{"order:", voximplant.Page{Count: 12}, 12, 12},
		{"order:1", voximplant.Page{}, 2, 0},
		{"order:none", voximplant.Page{}, 0, 0},
	}
	for _, test := range tests {
		for name, list := range w.listers() {
			got, next, err := list(t.Context(), test.prefix, test.page)
			if err != nil || len(got) != test.want || next != test.next {
				t.Errorf("%s(%q, %+v) = %d items, next %d, %v; want %d, next %d", name, test.prefix, test.page, len(got), next, err, test.want, test.next)
			}
			for _, item := range got {
				if value := map[string]string{"List": "v"}[name]; item.Value != value || !strings.HasPrefix(item.Key, test.prefix) {
					t.Errorf("%s(%q) has %+v; want the value %q", name, test.prefix, item, value)
				}
			}
		}
	}
	if w.forgot != nil {
		t.Errorf("lists made it forget %q; want nothing", w.forgot)
	}
}

// withColon lists as no document has it: by a prefix that has a colon.
func withColon(pattern, key string) bool {
	return strings.Contains(pattern, ":") && strings.HasPrefix(key, pattern)
}

// TestReadingsOfPattern: whatever the API takes the pattern of a list for, the
// pages hold each key of the prefix once and no other.
func TestReadingsOfPattern(t *testing.T) {
	t.Parallel()
	for name, lists := range map[string]func(pattern, key string) bool{
		"namespace": voximplanttest.ByNamespace, "namespace's beginning": voximplanttest.ByNamespacePrefix,
		"prefix": voximplanttest.ByPrefix, "with a colon": withColon, "anywhere": func(pattern, key string) bool { return strings.Contains(key, pattern) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.api.Lists = lists
			for i := range 7 {
				for _, prefix := range []string{"order:", "order", "order-", "orders:", "ord:", "a:order:", "order:x:", "other:"} {
					w.api.Put(fmt.Sprintf("%s%02d", prefix, 7+i), "v", time.Now().Add(time.Hour))
				}
			}
			for _, prefix := range []string{"order:", "order:x:", "order:1", "order:none"} {
				var want []string
				for _, item := range w.api.Items() {
					if strings.HasPrefix(item.Key, prefix) {
						want = append(want, item.Key)
					}
				}
				for name, list := range w.listers() {
					for _, count := range []int{0, 1, 7, 50} {
						if got := read(t, list, prefix, count); !slices.Equal(got, want) {
							t.Errorf("%s(%q) by %d = %q; want %q", name, prefix, count, got, want)
						}
					}
				}
			}
		})
	}
}

// read returns the keys of all pages.
func read(t *testing.T, list lister, prefix string, count int) (keys []string) {
	t.Helper()
	page := voximplant.Page{Count: count}
	for range 1000 {
		items, next, err := list(t.Context(), prefix, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			keys = append(keys, item.Key)
		}
		if next == 0 {
			return keys
		}
		page.Offset = next
	}
	t.Fatalf("pages under %q without end", prefix)
	return nil
}

// TestEmptyPages are passed over, ten at the most, and none once half of the time is over.
func TestEmptyPages(t *testing.T) {
	t.Parallel()
	const foreign = `{"result":[{"key":"exact","value":"v"},{"key":"exact","value":"v"}]}`
	w := newWorld(t)
	for takes, want := range map[time.Duration]int{0: 10, 300 * time.Millisecond: 10, time.Second: 6, 1900 * time.Millisecond: 3} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			client := &voximplant.Client{Tokens: tokens(), ApplicationID: 42}
			client.Transport = transport(func(*http.Request) *http.Response {
				calls++
				time.Sleep(takes)
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(foreign))}
			})
			s := &direct.Items{Client: client, Scope: w.Scope, Timeout: 10 * time.Second}
			items, next, err := s.List(t.Context(), "order:", voximplant.Page{Offset: 8, Count: 2})
			if err != nil || len(items) != 0 || calls != want || next != 8+2*want {
				t.Errorf("pages of %v each: %v, next %d, %v after %d calls; want none, next %d after %d", takes, items, next, err, calls, 8+2*want, want)
			}
		})
	}
}

type transport func(*http.Request) *http.Response

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// TestFallbackFails: what the second question comes to is what the list comes to.
func TestFallbackFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.Intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Form.Get("key") == "order" {
			return false
		}
		rw.Write([]byte(`{"error":{"code":104}}`))
		return true
	})
	for name, list := range w.listers() {
		got, next, err := list(t.Context(), "order:", voximplant.Page{})
		if failed, ok := errors.AsType[*voximplant.Error](err); !ok || failed.Code != 104 || got != nil || next != 0 {
			t.Errorf("%s = %v, %d, %v; want code 104 alone", name, got, next, err)
		}
	}
}

// TestWidePrefix: not even how many keys there are outside the allow-list is told.
func TestWidePrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.Put("secret:token", "v", time.Now().Add(time.Hour))
	for _, prefix := range []string{"", "o", "order", "ord-", "exact", "secret:t", "secret:token", "Order:"} {
		for name, list := range w.listers() {
			if got, next, err := list(t.Context(), prefix, voximplant.Page{Count: 1}); got != nil || next != 0 || problem.Of(err).Code != problem.OutOfScope {
				t.Errorf("%s(%q) = %v, %d, %v; want out_of_scope alone", name, prefix, got, next, err)
			}
		}
	}
	w.check(t, nil)
}

// TestEndedItemsAreNotListed, be it by our clock or by the API's, if that is one to go by.
func TestEndedItemsAreNotListed(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration][]string{
		-time.Hour:       {"order:2", "order:3", "order:4"},
		0:                {"order:2", "order:3", "order:4"},
		30 * time.Minute: {"order:3", "order:4"},
		90 * time.Minute: {"order:2", "order:3", "order:4"}, // an hour is the most that a clock may be ahead
	} {
		w := newWorld(t)
		now := time.Now()
		body := fmt.Sprintf(`{"result":[{"key":"order:1","value":"v","expires_at":%d},{"key":"order:2","value":"v","expires_at":%d},`+
			`{"key":"order:3","value":"v","expires_at":%d},{"key":"order:4","value":"v"}]}`, now.Unix()-60, now.Unix()+1200, now.Unix()+3600)
		w.api.Intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Date", now.Add(ahead).UTC().Format(http.TimeFormat))
			rw.Write([]byte(body))
			return true
		})
		for name, list := range w.listers() {
			got, next, err := list(t.Context(), "order:", voximplant.Page{Count: 4})
			var keys []string
			for _, item := range got {
				keys = append(keys, item.Key)
			}
			if err != nil || next != 4 || !slices.Equal(keys, want) {
				t.Errorf("%s, the API's clock ahead by %v = %q, next %d, %v; want %q, next 4", name, ahead, keys, next, err, want)
			}
		}
	}
}

// TestListOfAnotherReading: an API that looks for the prefix anywhere in a key.
func TestListOfAnotherReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"result":[{"key":"order:1","value":"v"},{"key":"order:order:2","value":"v"},{"key":"exact","value":"v"}]}`
	w.answer(map[string]string{"GetKeyValueItems": body, "GetKeyValueKeys": body})
	for name, list := range w.listers() {
		got, next, err := list(t.Context(), "order:", voximplant.Page{Count: 3})
		if err != nil || len(got) != 2 || next != 3 {
			t.Errorf("%s = %v, next %d, %v; want two items, next 3", name, got, next, err)
		}
	}
}
