package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/internal/voximplanttest"
	"voxkv/lookup"
	"voxkv/storage"
	"voxkv/voximplant"
)

var account = sync.OnceValue(func() *voximplanttest.ServiceAccount {
	account, err := voximplanttest.NewServiceAccount(1234567)
	if err != nil {
		panic(err)
	}
	return account
})

// A storageSite is a site of the keys order:*, over the in-memory API, that may be written.
type storageSite struct {
	*site
	api *voximplanttest.Server
}

func newStorageSite(t *testing.T) *storageSite {
	t.Helper()
	api := &voximplanttest.Server{AccountID: 1234567, ApplicationID: 42}
	api.AddKey(account().KeyID, &account().PrivateKey.PublicKey)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return storageSiteOf(t, api, server.URL, server.Client())
}

// storageSiteOf is a storageSite that reaches api at url by client.
func storageSiteOf(t *testing.T, api *voximplanttest.Server, url string, client *http.Client) *storageSite {
	t.Helper()
	key := func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey(account().Credentials())
	}
	calls := &voximplant.Client{
		Tokens: &auth.TokenSource{Key: key}, ApplicationID: 42, BaseURL: url + "/platform_api", Transport: client.Transport,
	}
	scope, err := lookup.ParseScope("order:*")
	if err != nil {
		t.Fatal(err)
	}
	found, err := lookup.New(lookup.Config{
		Scope: scope, Fetch: calls.GetKeyValueItem, LocalMaxAge: time.Hour, NotFoundMaxAge: time.Hour, MaxItems: 10, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &storageSite{newSite(found.Item), api}
	s.Storage = &storage.Storage{Client: calls, Scope: scope, Forget: found.Forget, Writable: true, Timeout: 10 * time.Second}
	return s
}

// check makes a direct invocation and compares its answer.
func (s *storageSite) check(t *testing.T, payload, want string) {
	t.Helper()
	got, err := s.Direct(t.Context(), []byte(payload))
	if err != nil || string(got) != want {
		t.Errorf("Direct(%s) = %s, %v; want %s", payload, got, err, want)
	}
	if log := s.log.String(); strings.Contains(log, value) || strings.Contains(log, "order:") {
		t.Errorf("Direct(%s): the log holds a key or value: %s", payload, log)
	}
}

// checkRefused makes a direct invocation that must fail as errorType, with text in the message.
func (s *storageSite) checkRefused(t *testing.T, payload, errorType, text string) {
	t.Helper()
	got, err := s.Direct(t.Context(), []byte(payload))
	if got != nil || err == nil {
		t.Errorf("Direct(%.200s) = %s, %v; want an error alone", payload, got, err)
		return
	}
	checkFunctionError(t, err, errorType)
	if !strings.Contains(err.Error(), text) {
		t.Errorf("Direct(%.200s): %v; want %q in it", payload, err, text)
	}
}

// calls is how often the API was called, by all methods.
func (s *storageSite) calls() (n int) {
	for _, method := range []string{"SetKeyValueItem", "DelKeyValueItem", "GetKeyValueItem", "GetKeyValueItems", "GetKeyValueKeys"} {
		n += s.api.Calls(method)
	}
	return n
}

func TestOperations(t *testing.T) {
	t.Parallel()
	s := newStorageSite(t)
	end := time.Now().Add(time.Hour).Unix()
	item := fmt.Sprintf(`{"key":"order:1","value":"%s","expires_at":%d}`, value, end)
	s.check(t, `{"operation":"list","prefix":"order:"}`, `{"items":[],"next_offset":null}`)
	s.check(t, `{"operation":"keys","prefix":"order:"}`, `{"items":[],"next_offset":null}`)
	s.check(t, `{"operation":"delete","key":"order:1"}`, "null")
	s.check(t, `{"key":"order:1"}`, "null")
	s.check(t, fmt.Sprintf(`{"operation":"set","key":"order:1","value":"%s","expires_at":%d}`, value, end), item)
	got, err := s.Direct(t.Context(), []byte(`{"key":"order:1"}`))
	if read := decodeItem(t, string(got)); err != nil || read.Value != value || *read.ExpiresAt != end || *read.MaxAge < 50 {
		t.Errorf("Direct after set = %s, %v; want the new item", got, err)
	}
	s.check(t, `{"operation":"list","prefix":"order:"}`, `{"items":[`+item+`],"next_offset":null}`)
	s.check(t, `{"operation":"keys","prefix":"order:1"}`, fmt.Sprintf(`{"items":[{"key":"order:1","expires_at":%d}],"next_offset":null}`, end))
	s.check(t, `{"operation":"delete","key":"order:1"}`, "null")
	s.check(t, `{"key":"order:1"}`, "null")
	s.api.Put("order:1", value, time.Time{})
	s.check(t, `{"operation":"list","prefix":"order:"}`, `{"items":[{"key":"order:1","value":"`+value+`","expires_at":null}],"next_offset":null}`)
	s.check(t, `{"operation":"keys","prefix":"order:"}`, `{"items":[{"key":"order:1","expires_at":null}],"next_offset":null}`)
}

func TestSetFor(t *testing.T) {
	t.Parallel()
	s := newStorageSite(t)
	for _, ttl := range []int64{0, 1, 60, 7_776_000} {
		before := time.Now().Unix()
		got, err := s.Direct(t.Context(), fmt.Appendf(nil, `{"operation":"set","key":"order:1","value":"","ttl":%d}`, ttl))
		item := decodeItem(t, string(got))
		if err != nil || *item.ExpiresAt < before+ttl || *item.ExpiresAt > time.Now().Unix()+ttl {
			t.Errorf("set with ttl %d = %s, %v; want an end so many seconds from now", ttl, got, err)
		}
	}
	longest := strings.Repeat("😀", 2000)
	got, err := s.Direct(t.Context(), []byte(`{"operation":"set","key":"order:1","value":"`+longest+`","ttl":60}`))
	if err != nil || decodeItem(t, string(got)).Value != longest {
		t.Errorf("set of 2000 emoji: %v; want the value back", err)
	}
}

// TestOperationsRefused: the message says what is accepted, and nobody is asked.
func TestOperationsRefused(t *testing.T) {
	t.Parallel()
	const (
		any      = `{"operation":"list|keys|set|delete",…}`
		setTakes = `set takes {"operation":"set","key":"…","value":"…"} and ttl in seconds or expires_at in Unix seconds.`
		ttl      = "Not accepted: ttl is a whole number of seconds from 0 to 7776000."
		life     = "Not accepted: exactly one of ttl and expires_at is required."
		unix     = "Not accepted: expires_at is a time to come in Unix seconds, without milliseconds."
		page     = "Not accepted: count is a number from 1 to 50, offset one from 0."
		outside  = "outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +"
		scope    = "The key is outside ALLOWED_KEYS."
	)
	s := newStorageSite(t)
	for payload, want := range map[string]string{
		`{"operation":"get","key":"order:1"}`:    any,
		`{"operation":"List","prefix":"order:"}`: any,
		`{"operation":""}`:                       any,
		`{"operation":null}`:                     any,
		`{"operation":1}`:                        `The member "operation" has the wrong JSON type. A direct invocation takes`,
		`{"operation":["set"]}`:                  `The member "operation" has the wrong JSON type.`,
		"{\"operation\":\"set\",\"key\":\"order:1\",\"value\":\"\xff\",\"ttl\":1}": any,

		`{"operation":"set"}`:                                                                      setTakes,
		`{"operation":"set","key":"order:1","ttl":60}`:                                             setTakes,
		`{"operation":"set","key":"order:1","value":null,"ttl":60}`:                                setTakes,
		`{"operation":"set","value":"v","ttl":60}`:                                                 setTakes,
		`{"operation":"set","keys":["order:1"],"value":"v","ttl":60}`:                              setTakes,
		`{"operation":"set","key":"order:1","value":{"a":1},"ttl":60}`:                             `The member "value" has the wrong JSON type.`,
		`{"operation":"set","key":"order:1","value":5,"ttl":60}`:                                   `The member "value" has the wrong JSON type.`,
		`{"operation":"set","key":"order:1","value":"v"}`:                                          life,
		`{"operation":"set","key":"order:1","value":"v","ttl":60,"expires_at":4000000000}`:         life,
		`{"operation":"set","key":"order:1","value":"v","ttl":-1}`:                                 ttl,
		`{"operation":"set","key":"order:1","value":"v","ttl":7776001}`:                            ttl,
		`{"operation":"set","key":"order:1","value":"v","ttl":9223372036854775807}`:                ttl,
		`{"operation":"set","key":"order:1","value":"v","ttl":-9223372036854775808}`:               ttl,
		`{"operation":"set","key":"order:1","value":"v","ttl":9223372036854775808}`:                `The member "ttl" has the wrong JSON type.`,
		`{"operation":"set","key":"order:1","value":"v","ttl":1.5}`:                                `The member "ttl" has the wrong JSON type.`,
		`{"operation":"set","key":"order:1","value":"v","ttl":"60"}`:                               `The member "ttl" has the wrong JSON type.`,
		`{"operation":"set","key":"order:1","value":"v","expires_at":1000000000}`:                  unix,
		`{"operation":"set","key":"order:1","value":"v","expires_at":1795430000000}`:               unix,
		`{"operation":"set","key":"order:1","value":"v","expires_at":0}`:                           unix,
		`{"operation":"set","key":"order:1","value":"v","expires_at":-62135596800}`:                life, // Go's zero time
		`{"operation":"set","key":"order:1","value":"v","expires_at":9223372036854775807}`:         unix,
		`{"operation":"set","key":"order:1","value":"v","expires_at":"2030-01-01"}`:                `The member "expires_at" has the wrong JSON type.`,
		`{"operation":"set","key":"order 1","value":"v","ttl":60}`:                                 "Not a key: the key has a character " + outside,
		`{"operation":"set","key":"","value":"v","ttl":60}`:                                        "Not a key: the key is empty.",
		`{"operation":"set","key":"order:` + strings.Repeat("я", 195) + `","value":"v","ttl":60}`:  "Not a key: the key has more than 200 characters.",
		`{"operation":"set","key":"order:1","value":"` + strings.Repeat("я", 2001) + `","ttl":60}`: "Not accepted: the value is text of at most 2000 characters.",
		`{"operation":"set","key":"secret:token","value":"v","ttl":60}`:                            scope,

		`{"operation":"delete"}`:                               `delete takes {"operation":"delete","key":"…"}.`,
		`{"operation":"delete","key":null}`:                    `delete takes`,
		`{"operation":"delete","keys":["order:1"]}`:            `delete takes`,
		`{"operation":"delete","prefix":"order:"}`:             `delete takes`,
		`{"operation":"delete","key":"order:*"}`:               outside,
		`{"operation":"delete","key":"secret:token"}`:          scope,
		`{"operation":"list"}`:                                 `list takes {"operation":"list","prefix":"…"}`,
		`{"operation":"list","key":"order:"}`:                  `list takes {"operation":"list","prefix":"…"}`,
		`{"operation":"list","prefix":1}`:                      `The member "prefix" has the wrong JSON type.`,
		`{"operation":"list","prefix":"order:*"}`:              "Not accepted: as a prefix, the key has a character " + outside,
		`{"operation":"list","prefix":"order:","count":51}`:    page,
		`{"operation":"list","prefix":"order:","count":-1}`:    page,
		`{"operation":"list","prefix":"order:","count":"all"}`: `The member "count" has the wrong JSON type.`,
		`{"operation":"keys","prefix":"order:","count":51}`:    page,
		`{"operation":"keys","prefix":"order:","offset":-1}`:   page,
		`{"operation":"keys","prefix":"order:*"}`:              outside,
	} {
		s.checkRefused(t, payload, "InvalidRequest", want)
	}
	if n := s.calls(); n != 0 {
		t.Errorf("the API was called %d times; want never", n)
	}
	if log := s.log.String(); strings.Contains(log, "order") || strings.Contains(log, "secret") || strings.Contains(log, "List") {
		t.Errorf("the log holds what callers sent: %s", log)
	}
}

// TestWritesAreOff by default; lists are not.
func TestWritesAreOff(t *testing.T) {
	t.Parallel()
	s := newStorageSite(t)
	s.Storage.Writable = false
	s.api.Put("order:1", "v", time.Time{})
	for _, payload := range []string{
		`{"operation":"set","key":"order:1","value":"w","ttl":60}`,
		`{"operation":"delete","key":"order:1"}`,
		`{"operation":"delete","key":"secret:token"}`,
	} {
		s.checkRefused(t, payload, "InvalidRequest", "Writes are off; ALLOW_WRITES=true switches them on.")
	}
	if n := s.calls(); n != 0 {
		t.Errorf("the API was called %d times; want never", n)
	}
	s.check(t, `{"operation":"keys","prefix":"order:"}`, `{"items":[{"key":"order:1","expires_at":null}],"next_offset":null}`)
}

func TestOperationsNotOffered(t *testing.T) {
	t.Parallel()
	s := &storageSite{site: newSite(living(time.Hour, 0))}
	for _, operation := range []string{"list", "keys", "set", "delete", "other"} {
		s.checkRefused(t, `{"operation":"`+operation+`","key":"order:1","value":"v","ttl":1,"prefix":"o"}`, "InvalidRequest", "Operations are not offered here.")
	}
}

// TestPagesOfOperations follows next_offset to its end. What is outside the
// allow-list takes its place in a page and is not shown.
func TestPagesOfOperations(t *testing.T) {
	t.Parallel()
	s := newStorageSite(t)
	for i := range 12 {
		s.api.Put(fmt.Sprintf("order:%02d", i), "v", time.Time{})
		s.api.Put(fmt.Sprintf("ord-%02d", i), "secret", time.Time{})
	}
	for _, test := range []struct{ request, want string }{
		{`"operation":"list","prefix":"order:","count":5`, "5 until 5, 5 until 10, 2"},
		{`"operation":"list","prefix":"order:","count":6`, "6 until 6, 6 until 12, 0"},
		{`"operation":"list","prefix":"order:"`, "10 until 10, 2"},
		{`"operation":"list","prefix":"order:","count":50`, "12"},
		{`"operation":"list","prefix":"order:1"`, "2"},
		{`"operation":"keys","prefix":"order:"`, "10 until 10, 2"},
		{`"operation":"keys","prefix":"order:none"`, "0"},
	} {
		var pages []string
		for offset := new(0); offset != nil && len(pages) < 9; {
			got, err := s.Direct(t.Context(), fmt.Appendf(nil, `{%s,"offset":%d}`, test.request, *offset))
			var page struct {
				Items      []itemBody
				NextOffset *int `json:"next_offset"`
			}
			if err != nil || json.Unmarshal(got, &page) != nil || strings.Contains(string(got), "secret") {
				t.Fatalf("Direct(%s) = %s, %v; want a page", test.request, got, err)
			}
			words := fmt.Sprint(len(page.Items))
			if offset = page.NextOffset; offset != nil {
				words += fmt.Sprint(" until ", *offset)
			}
			pages = append(pages, words)
		}
		if got := strings.Join(pages, ", "); got != test.want {
			t.Errorf("pages of %s = %s; want %s", test.request, got, test.want)
		}
	}
}

// TestOperationsFail: what the API says becomes the errorType it becomes for reads.
func TestOperationsFail(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, body string
		status     int
		errorType  string
	}{
		{"throttled", `{"error":{"code":340}}`, 200, "UpstreamBusy"},
		{"status 429", "", 429, "UpstreamBusy"},
		{"status 503", "", 503, "UpstreamUnavailable"},
		{"fault", `{"error":{"code":1}}`, 200, "UpstreamFailure"},
		{"role", `{"error":{"code":104}}`, 200, "UpstreamFailure"},
		{"parameter", `{"error":{"code":497}}`, 200, "UpstreamFailure"},
		{"HTML", "<html>", 200, "UpstreamFailure"},
		{"wrong type", `{"result":"order"}`, 200, "UpstreamFailure"},
		{"application", `{"error":{"code":116}}`, 200, "InternalError"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStorageSite(t)
			s.api.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Retry-After", "3600") // no second try within the deadline
				w.WriteHeader(row.status)
				fmt.Fprint(w, row.body)
				return true
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for _, payload := range operations {
				got, err := s.Direct(ctx, []byte(payload))
				if got != nil {
					t.Errorf("Direct(%s) = %s; want nothing", payload, got)
				}
				checkFunctionError(t, err, row.errorType)
			}
			if n := s.calls(); n != 4 {
				t.Errorf("the API was called %d times; want 4", n)
			}
		})
	}
}

var operations = []string{
	`{"operation":"set","key":"order:1","value":"` + value + `","ttl":60}`,
	`{"operation":"delete","key":"order:1"}`,
	`{"operation":"list","prefix":"order:"}`,
	`{"operation":"keys","prefix":"order:"}`,
}

func TestOperationsTimeOut(t *testing.T) {
	t.Parallel()
	s := newStorageSite(t)
	s.api.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	for _, payload := range operations {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err := s.Direct(ctx, []byte(payload))
		cancel()
		checkFunctionError(t, err, "UpstreamTimeout")
	}
}

// TestSetWithoutAnswer: a set that brings no item back is no absent item, which would be null.
func TestSetWithoutAnswer(t *testing.T) {
	t.Parallel()
	s := newStorageSite(t)
	s.api.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprint(w, `{"result":{}}`)
		return true
	})
	s.checkRefused(t, operations[0], "UpstreamFailure", "")
}

// TestNoOperationsOverHTTP: HTTPS reads single keys, whatever it is sent.
func TestNoOperationsOverHTTP(t *testing.T) {
	t.Parallel()
	s := newStorageSite(t)
	s.api.Put("order:1", "v", time.Time{})
	for target, status := range map[string]int{
		"/v1/items":                             400,
		"/v1/items?operation=keys":              400,
		"/v1/items?operation=list&prefix=order": 400,
		"/v1/items?prefix=order:":               400,
		"/v1/items/":                            400,
		"/v1/items/order:":                      404,
		"/v1/keys":                              404,
		"/v1/list?prefix=order:":                404,
		"/v1/items/order:1?operation=delete":    200,
	} {
		if got := s.get(t, target); got.status != status {
			t.Errorf("GET %s = %d %s; want %d", target, got.status, got.body, status)
		}
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		for _, payload := range operations {
			r := httptest.NewRequest(method, "/v1/items/order:1", strings.NewReader(payload))
			if got := s.serve(r); got.status != 405 {
				t.Errorf("%s = %d; want 405", method, got.status)
			}
		}
	}
	if n, reads := s.calls(), s.api.Calls("GetKeyValueItem"); n != reads {
		t.Errorf("%d calls beside %d reads; want none", n-reads, reads)
	}
	if stored := s.api.Items(); len(stored) != 1 || stored[0].Value != "v" {
		t.Errorf("stored are %v; want what was", stored)
	}
}
