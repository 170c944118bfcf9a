package voximplanttest_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"voxkv/internal/voximplanttest"
)

func TestParameters(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ё", 201)
	tests := []struct {
		name   string
		method string
		form   string
		want   int
	}{
		{"unknown method", "GetKeyValueThing", "application_id=42", 103},
		{"method in another case", "getKeyValueItem", form("application_id", "42", "key", "a"), 103},
		{"no method", "", "application_id=42", 102},

		{"no application", "GetKeyValueItem", "key=a", 485},
		{"another application", "GetKeyValueItem", "key=a&application_id=43", 116},
		{"application not a number", "GetKeyValueItem", "key=a&application_id=x", 116},
		{"application by name", "GetKeyValueItem", "key=a&application_name=app.example", 0},
		{"another name", "GetKeyValueItem", "key=a&application_name=other", 107},
		{"application by id and name", "GetKeyValueItem", "key=a&application_id=42&application_name=app.example", 458},

		{"set: nothing missing", "SetKeyValueItem", "application_id=42&key=a&value=b&ttl=60", 0},
		{"set: no key", "SetKeyValueItem", "application_id=42&value=b&ttl=60", 485},
		{"set: empty key", "SetKeyValueItem", "application_id=42&key=&value=b&ttl=60", 485},
		{"set: no value", "SetKeyValueItem", "application_id=42&key=a&ttl=60", 485},
		{"set: empty value", "SetKeyValueItem", "application_id=42&key=a&value=&ttl=60", 0},
		{"set: longest value", "SetKeyValueItem", form("application_id", "42", "key", "a", "ttl", "60", "value", strings.Repeat("я", 2000)), 0},
		{"set: value too long", "SetKeyValueItem", form("application_id", "42", "key", "a", "ttl", "60", "value", strings.Repeat("я", 2001)), 477},
		{"set: neither ttl nor expires_at", "SetKeyValueItem", "application_id=42&key=a&value=b", 485},
		{"set: ttl and expires_at", "SetKeyValueItem", "application_id=42&key=a&value=b&ttl=60&expires_at=1800000060", 458},
		{"set: ttl not a number", "SetKeyValueItem", "application_id=42&key=a&value=b&ttl=1m", 496},
		{"set: shortest ttl", "SetKeyValueItem", "application_id=42&key=a&value=b&ttl=0", 0},
		{"set: negative ttl", "SetKeyValueItem", "application_id=42&key=a&value=b&ttl=-1", 497},
		{"set: longest ttl", "SetKeyValueItem", "application_id=42&key=a&value=b&ttl=7776000", 0},
		{"set: ttl too long", "SetKeyValueItem", "application_id=42&key=a&value=b&ttl=7776001", 497},
		{"set: latest expires_at", "SetKeyValueItem", "application_id=42&key=a&value=b&expires_at=1807776000", 0},
		{"set: expires_at too late", "SetKeyValueItem", "application_id=42&key=a&value=b&expires_at=1807776001", 497},
		{"set: expires_at in the past", "SetKeyValueItem", "application_id=42&key=a&value=b&expires_at=1799999999", 497},

		{"get: no key", "GetKeyValueItem", "application_id=42", 485},
		{"get: every kind of character", "GetKeyValueItem", form("application_id", "42", "key", "aZ09яАёЁ_-:;.#+"), 0},
		{"get: space in the key", "GetKeyValueItem", "application_id=42&key=a+b", 496},
		{"get: slash in the key", "GetKeyValueItem", "application_id=42&key=a/b", 496},
		{"get: line break after the key", "GetKeyValueItem", "application_id=42&key=a%0A", 496},
		{"get: key not in UTF-8", "GetKeyValueItem", "application_id=42&key=a%FF", 496},
		{"get: longest key", "GetKeyValueItem", form("application_id", "42", "key", long[2:]), 0},
		{"get: key too long", "GetKeyValueItem", form("application_id", "42", "key", long), 477},

		{"delete: no key", "DelKeyValueItem", "application_id=42", 485},
		{"delete: bad key", "DelKeyValueItem", "application_id=42&key=%25", 496},

		{"items: no key", "GetKeyValueItems", "application_id=42", 485},
		{"items: bad key", "GetKeyValueItems", "application_id=42&key=@", 496},
		{"items: smallest page", "GetKeyValueItems", "application_id=42&key=a&count=1", 0},
		{"items: empty page", "GetKeyValueItems", "application_id=42&key=a&count=0", 497},
		{"items: largest page", "GetKeyValueItems", "application_id=42&key=a&count=50", 0},
		{"items: page too large", "GetKeyValueItems", "application_id=42&key=a&count=51", 497},
		{"items: negative offset", "GetKeyValueItems", "application_id=42&key=a&offset=-1", 497},

		{"keys: no key", "GetKeyValueKeys", "application_id=42", 0},
		{"keys: bad key", "GetKeyValueKeys", "application_id=42&key=@", 496},
		{"keys: page too large", "GetKeyValueKeys", "application_id=42&count=51", 497},
		{"keys: offset not a number", "GetKeyValueKeys", "application_id=42&offset=x", 496},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkCode(t, send(t, newServer(t), post(t, "/platform_api/"+tt.method, tt.form)), tt.want)
		})
	}
}

func TestSetGetDelete(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const stored = `{"key":"order:1","value":"ready","expires_at":1800000060}`
	set := call(t, s, "SetKeyValueItem", "key=order:1&value=ready&ttl=60")
	checkResult(t, set, stored)
	checkResult(t, call(t, s, "GetKeyValueItem", "key=order:1"), stored)
	want := []voximplanttest.Item{{Key: "order:1", Value: "ready", ExpiresAt: time.Unix(start+60, 0).UTC()}}
	if got := s.Items(); !slices.Equal(got, want) {
		t.Errorf("Items() = %v; want %v", got, want)
	}
	const overwritten = `{"key":"order:1","value":"new","expires_at":1800000090}`
	checkResult(t, call(t, s, "SetKeyValueItem", "key=order:1&value=new&expires_at=1800000090"), overwritten)
	checkResult(t, call(t, s, "GetKeyValueItem", "key=order:1"), overwritten)
	checkResult(t, call(t, s, "DelKeyValueItem", "key=order:1"), `1`)
	checkResult(t, call(t, s, "GetKeyValueItem", "key=order:1"), `{}`)
	if got := s.Items(); len(got) != 0 {
		t.Errorf("Items() after DelKeyValueItem = %v; want none", got)
	}
	s.NotFound = `{"error":{"code":341,"msg":"Record is not found by ID"}}`
	if got := call(t, s, "GetKeyValueItem", "key=order:1"); got.Error.Code != 341 || got.Result != nil {
		t.Errorf("answer = %+v; want only error 341", got)
	}
}

func TestSetAnswersBefore(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.AnswersBefore = true
	const first, second = `{"key":"a","value":"one","expires_at":1800000000}`, `{"key":"a","value":"two","expires_at":1800000060}`
	checkResult(t, call(t, s, "SetKeyValueItem", "key=a&value=one&ttl=0"), first)
	checkResult(t, call(t, s, "SetKeyValueItem", "key=a&value=two&ttl=60"), first) // which has ended
	checkResult(t, call(t, s, "SetKeyValueItem", "key=a&value=three&ttl=90"), second)
	checkResult(t, call(t, s, "GetKeyValueItem", "key=a"), `{"key":"a","value":"three","expires_at":1800000090}`)
}

func TestStoredForms(t *testing.T) {
	t.Parallel()
	const (
		item = `{"key":"a","value":"v","expires_at":1800000001}`
		keys = `[{"key":"a","expires_at":1800000001}]`
	)
	expiry := time.Unix(start+1, 0)
	tests := []struct {
		name       string
		value      string
		expiresAt  time.Time
		now        time.Time
		item, keys string
	}{
		{"without expiry", "v", time.Time{}, expiry, `{"key":"a","value":"v"}`, `[{"key":"a"}]`},
		{"empty value", "", expiry, expiry.Add(-1), `{"key":"a","value":"","expires_at":1800000001}`, keys},
		{"before expiry", "v", expiry, expiry.Add(-1), item, keys},
		{"at expiry", "v", expiry, expiry, `{}`, `[]`},
		{"fraction before expiry", "v", expiry.Add(999e6), expiry.Add(-1), item, keys},
		{"fraction at expiry", "v", expiry.Add(999e6), expiry, `{}`, `[]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.Now = func() time.Time { return tt.now }
			s.Put("a", tt.value, tt.expiresAt)
			checkResult(t, call(t, s, "GetKeyValueItem", "key=a"), tt.item)
			checkResult(t, call(t, s, "GetKeyValueKeys", ""), tt.keys)
			if got, want := len(s.Items()), strings.Count(tt.keys, "key"); got != want {
				t.Errorf("len(Items()) = %d; want %d", got, want)
			}
		})
	}
}

// TestPatterns: what a list is asked for with can be read in several ways.
func TestPatterns(t *testing.T) {
	t.Parallel()
	keys := []string{"exact", "exactly:1", "order", "order:1", "order:2:a", "orders:1", "ordinary"}
	for _, test := range []struct {
		name    string
		lists   func(pattern, key string) bool
		pattern string
		want    string
	}{
		{"not told", nil, "order", "order order:1 order:2:a"},
		{"namespace", voximplanttest.ByNamespace, "order", "order order:1 order:2:a"},
		{"namespace", voximplanttest.ByNamespace, "order:", ""},
		{"namespace", voximplanttest.ByNamespace, "order:1", ""},
		{"namespace", voximplanttest.ByNamespace, "ord", ""},
		{"namespace", voximplanttest.ByNamespace, "exact", "exact"},
		{"namespace", voximplanttest.ByNamespace, "", strings.Join(keys, " ")},
		{"namespace's beginning", voximplanttest.ByNamespacePrefix, "order", "order order:1 order:2:a orders:1"},
		{"namespace's beginning", voximplanttest.ByNamespacePrefix, "order:", ""},
		{"namespace's beginning", voximplanttest.ByNamespacePrefix, "exact", "exact exactly:1"},
		{"namespace's beginning", voximplanttest.ByNamespacePrefix, "", strings.Join(keys, " ")},
		{"prefix", voximplanttest.ByPrefix, "order", "order order:1 order:2:a orders:1"},
		{"prefix", voximplanttest.ByPrefix, "order:", "order:1 order:2:a"},
		{"prefix", voximplanttest.ByPrefix, "order:1", "order:1"},
		{"prefix", voximplanttest.ByPrefix, "", strings.Join(keys, " ")},
	} {
		s := newServer(t)
		s.Lists = test.lists
		for _, key := range keys {
			s.Put(key, "v", time.Time{})
		}
		if got := strings.Join(listedKeys(t, call(t, s, "GetKeyValueKeys", form("key", test.pattern))), " "); got != test.want {
			t.Errorf("%s: %q lists %s; want %s", test.name, test.pattern, got, test.want)
		}
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Lists = voximplanttest.ByPrefix
	for i := range 60 {
		s.Put(fmt.Sprintf("n:%02d", 59-i), "v", time.Time{})
	}
	s.Put("a:n:3", "v", time.Time{})
	s.Put("n:60", "v", time.Unix(start, 0))
	tests := []struct {
		name        string
		method      string
		form        string
		first, size int
	}{
		{"first page of items", "GetKeyValueItems", "key=n:", 0, 10},
		{"first page of keys", "GetKeyValueKeys", "key=n:", 0, 10},
		{"largest page", "GetKeyValueItems", "key=n:&count=50", 0, 50},
		{"second page", "GetKeyValueKeys", "key=n:&count=50&offset=50", 50, 10},
		{"last item", "GetKeyValueItems", "key=n:&offset=59", 59, 1},
		{"past the end", "GetKeyValueItems", "key=n:&offset=60", 60, 0},
		{"far past the end", "GetKeyValueKeys", "key=n:&offset=2147483647", 60, 0},
		{"prefix of some", "GetKeyValueKeys", "key=n:3", 30, 10},
		{"prefix of none", "GetKeyValueItems", "key=x", 0, 0},
		{"after the foreign key", "GetKeyValueKeys", "offset=1", 0, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := listedKeys(t, call(t, s, tt.method, tt.form))
			want := []string{}
			for i := range tt.size {
				want = append(want, fmt.Sprintf("n:%02d", tt.first+i))
			}
			if !slices.Equal(got, want) {
				t.Errorf("keys = %v; want %v", got, want)
			}
		})
	}
}

func TestItemsSorted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, key := range []string{"b", "a", "c"} {
		s.Put(key, "v", time.Time{})
	}
	var got []string
	for _, item := range s.Items() {
		got = append(got, item.Key)
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("keys of Items() = %v; want %v", got, want)
	}
}

// listedKeys fails on null, which a list must never be.
func listedKeys(t *testing.T, a answer) []string {
	t.Helper()
	checkCode(t, a, 0)
	if !strings.HasPrefix(string(a.Result), "[") {
		t.Fatalf("result = %s; want an array", a.Result)
	}
	var items []struct{ Key string }
	if err := json.Unmarshal(a.Result, &items); err != nil {
		t.Fatal(err)
	}
	keys := []string{}
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}

// checkResult compares the meaning of a result, not its bytes.
func checkResult(t *testing.T, a answer, want string) {
	t.Helper()
	checkCode(t, a, 0)
	var got, wanted any
	if err := json.Unmarshal(a.Result, &got); err != nil {
		t.Fatalf("result %q: %v", a.Result, err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("result = %s; want %s", a.Result, want)
	}
}
