package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// direct invokes the function with a payload and returns its answer, which must be no error.
func (s *sandbox) direct(t *testing.T, payload string) string {
	t.Helper()
	result := s.invoke(t, []byte(payload))
	if result.FunctionError != nil {
		t.Fatalf("%s: function error %v", payload, result.FunctionError)
	}
	return string(result.Payload)
}

// directEvent is direct with a file of events/.
func (s *sandbox) directEvent(t *testing.T, name string) string {
	t.Helper()
	payload, err := os.ReadFile(filepath.Join("..", "..", "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return s.direct(t, string(payload))
}

// TestWriteThenRead: a read after a write gets what was written, whatever copies there were.
func TestWriteThenRead(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "ALLOW_WRITES=true")
	read := func() string {
		t.Helper()
		var item *struct{ Value string }
		if err := json.Unmarshal([]byte(s.direct(t, `{"key":"order:1001"}`)), &item); err != nil {
			t.Fatal(err)
		}
		if item == nil {
			return "absent"
		}
		return item.Value
	}
	if got := read(); got != itemValue {
		t.Errorf("before: %s; want %s", got, itemValue)
	}
	s.Voximplant.Put("order:1001", "by others", time.Now().Add(time.Hour)) // not read before the copy is old
	end := time.Now().Add(time.Hour).Unix()
	set := fmt.Sprintf(`{"operation":"set","key":"order:1001","value":"on its way","expires_at":%d}`, end)
	if got, want := s.direct(t, set), fmt.Sprintf(`{"key":"order:1001","value":"on its way","expires_at":%d}`, end); got != want {
		t.Errorf("set: %s; want %s", got, want)
	}
	if got := read(); got != "on its way" {
		t.Errorf("after set: %s; want the new value", got)
	}
	if got := s.event(t, "http-api-item"); !strings.Contains(got.Body, "on its way") {
		t.Errorf("over HTTP after set: %s; want the new value", got.Body)
	}
	if got := s.direct(t, `{"operation":"delete","key":"order:1001"}`); got != "null" {
		t.Errorf("delete: %s; want null", got)
	}
	if got := read(); got != "absent" {
		t.Errorf("after delete: %s; want nothing", got)
	}
	if got := s.directEvent(t, "direct-set"); !strings.Contains(got, `"key":"order:1001"`) {
		t.Errorf("direct-set: %s; want the item", got)
	}
	if got := read(); got != itemValue {
		t.Errorf("after direct-set: %s; want %s", got, itemValue)
	}
}

// TestListing: a page holds no key outside the allow-list.
func TestListing(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	type page struct {
		Items      []struct{ Key, Value string }
		NextOffset *int `json:"next_offset"`
	}
	read := func(answer string) (p page) {
		t.Helper()
		if err := json.Unmarshal([]byte(answer), &p); err != nil || p.NextOffset != nil || strings.Contains(answer, "secret") {
			t.Fatalf("page = %s, %v; want the only one, without secret:token", answer, err)
		}
		return p
	}
	if p := read(s.directEvent(t, "direct-list")); len(p.Items) != 1 || p.Items[0].Key != "order:1001" || p.Items[0].Value != itemValue {
		t.Errorf("direct-list = %+v; want order:1001", p)
	}
	if p := read(s.direct(t, `{"operation":"keys","prefix":"order:"}`)); len(p.Items) != 1 || p.Items[0].Value != "" {
		t.Errorf("keys = %+v; want one, without its value", p)
	}
	for _, prefix := range []string{"secret:", "secret:t", "", "o"} {
		got := s.invoke(t, fmt.Appendf(nil, `{"operation":"keys","prefix":%q}`, prefix))
		if got.FunctionError == nil || got.FunctionError.Type != "InvalidRequest" {
			t.Errorf("keys under %q: %s; want InvalidRequest", prefix, got.Payload)
		}
	}
	var batch struct {
		Items  map[string]*struct{ Value string }
		Errors map[string]struct{ ErrorType string }
	}
	if err := json.Unmarshal([]byte(s.directEvent(t, "direct-batch")), &batch); err != nil {
		t.Fatal(err)
	}
	if batch.Items["order:1001"] == nil || batch.Items["order:missing"] != nil || len(batch.Items) != 2 || batch.Errors["a b"].ErrorType != "InvalidRequest" {
		t.Errorf("direct-batch = %+v; want an item, nothing and an error", batch)
	}
}

// TestWritesAreOff by default, and outside the allow-list always.
func TestWritesAreOff(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{"": "Writes are off; ALLOW_WRITES=true", "ALLOW_WRITES=false": "Writes are off; ALLOW_WRITES=true", "ALLOW_WRITES=true": "outside ALLOWED_KEYS"} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, strings.Fields(settings)...)
			for _, payload := range []string{
				`{"operation":"set","key":"secret:token","value":"v","ttl":60}`,
				`{"operation":"delete","key":"secret:token"}`,
			} {
				got := s.invoke(t, []byte(payload)).FunctionError
				if got == nil || got.Type != "InvalidRequest" || !strings.Contains(got.Message, want) {
					t.Errorf("%s: %v; want InvalidRequest that says %q", payload, got, want)
				}
			}
			if n := s.Voximplant.Calls("SetKeyValueItem") + s.Voximplant.Calls("DelKeyValueItem"); n != 0 {
				t.Errorf("%d writes; want none", n)
			}
		})
	}
}
