package direct_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"voxkv/internal/lookuptest"
)

func TestOperations(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t)
	end := time.Now().Add(time.Hour).Unix()
	item := fmt.Sprintf(`{"key":"order:1","value":"%s","expires_at":%d}`, lookuptest.Value, end)
	s.check(t, `{"operation":"list","prefix":"order:"}`, `{"items":[],"next_offset":null}`)
	s.check(t, `{"operation":"keys","prefix":"order:"}`, `{"items":[],"next_offset":null}`)
	s.check(t, `{"operation":"delete","key":"order:1"}`, "null")
	s.check(t, `{"key":"order:1"}`, "null")
	s.check(t, fmt.Sprintf(`{"operation":"set","key":"order:1","value":"%s","expires_at":%d}`, lookuptest.Value, end), item)
	got, err := s.Invoke(t.Context(), []byte(`{"key":"order:1"}`))
	if read := decode[itemBody](t, got); err != nil || read.Value != lookuptest.Value || *read.ExpiresAt != end || read.MaxAge == nil {
		t.Errorf("Invoke after set = %s, %v; want the new item", got, err)
	}
	s.check(t, `{"operation":"list","prefix":"order:"}`, `{"items":[`+item+`],"next_offset":null}`)
	s.check(t, `{"operation":"keys","prefix":"order:1"}`, fmt.Sprintf(`{"items":[{"key":"order:1","expires_at":%d}],"next_offset":null}`, end))
	s.check(t, `{"operation":"delete","key":"order:1"}`, "null")
	s.check(t, `{"operation":"delete","key":"order:1"}`, "null")
	s.check(t, `{"key":"order:1"}`, "null")
	if want := []string{"order:1", "order:1", "order:1", "order:1"}; !slices.Equal(s.forgot, want) {
		t.Errorf("forgot %q; want the key of each write", s.forgot)
	}
	s.api.Put("order:1", lookuptest.Value, time.Time{})
	s.check(t, `{"operation":"list","prefix":"order:"}`, `{"items":[{"key":"order:1","value":"`+lookuptest.Value+`","expires_at":null}],"next_offset":null}`)
	s.check(t, `{"operation":"keys","prefix":"order:"}`, `{"items":[{"key":"order:1","expires_at":null}],"next_offset":null}`)
}

func TestSetFor(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t)
	for _, ttl := range []int64{0, 1, 60, 7_776_000} {
		before := time.Now().Unix()
		got, err := s.Invoke(t.Context(), fmt.Appendf(nil, `{"operation":"set","key":"order:1","value":"","ttl":%d}`, ttl))
		item := decode[itemBody](t, got)
		if err != nil || *item.ExpiresAt < before+ttl || *item.ExpiresAt > time.Now().Unix()+ttl {
			t.Errorf("set with ttl %d = %s, %v; want an end so many seconds from now", ttl, got, err)
		}
	}
	longest := strings.Repeat("😀", 2000)
	got, err := s.Invoke(t.Context(), []byte(`{"operation":"set","key":"order:1","value":"`+longest+`","ttl":60}`))
	if err != nil || decode[itemBody](t, got).Value != longest {
		t.Errorf("set of 2000 emoji: %v; want the value back", err)
	}
}

// TestOperationsRefused: the message says what is accepted, and nobody is asked.
func TestOperationsRefused(t *testing.T) {
	t.Parallel()
	const (
		any      = `{"operation":"list|keys|set|delete",…}`
		unknown  = "There is no such operation. A direct invocation takes"
		setTakes = `set takes {"operation":"set","key":"…","value":"…"} and ttl in seconds or expires_at in Unix seconds.`
		ttl      = "Not accepted: ttl is a whole number of seconds from 0 to 7776000."
		life     = "Not accepted: exactly one of ttl and expires_at is required."
		unix     = "Not accepted: expires_at is a time to come in Unix seconds, without milliseconds."
		page     = "Not accepted: count is a number from 1 to 50, offset one from 0."
		outside  = "outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +"
		scope    = "The key is outside ALLOWED_KEYS."
	)
	s := newItemsSite(t)
	for payload, want := range map[string]string{
		`{"operation":"get","key":"order:1"}`:    unknown,
		`{"operation":"List","prefix":"order:"}`: unknown,
		`{"operation":""}`:                       unknown,
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
		`{"operation":"set","key":"Order:1","value":"v","ttl":60}`:                                 scope,

		`{"operation":"delete"}`:                               `delete takes {"operation":"delete","key":"…"}.`,
		`{"operation":"delete","key":null}`:                    `delete takes`,
		`{"operation":"delete","keys":["order:1"]}`:            `delete takes`,
		`{"operation":"delete","prefix":"order:"}`:             `delete takes`,
		`{"operation":"delete","key":"order:*"}`:               outside,
		`{"operation":"delete","key":"secret:token"}`:          scope,
		`{"operation":"delete","key":"exactly"}`:               scope,
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
	s.checkCalls(t, 0)
	if log := s.log.String(); strings.Contains(log, "order") || strings.Contains(log, "secret") || strings.Contains(log, "List") {
		t.Errorf("the log holds what callers sent: %s", log)
	}
}

// TestWritesAreOff by default; lists are not.
func TestWritesAreOff(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t)
	s.Items.Writable = false
	s.api.Put("order:1", "v", time.Time{})
	for _, payload := range []string{
		`{"operation":"set","key":"order:1","value":"w","ttl":60}`,
		`{"operation":"delete","key":"order:1"}`,
		`{"operation":"delete","key":"secret:token"}`,
	} {
		s.checkRefused(t, payload, "InvalidRequest", "Writes are off; ALLOW_WRITES=true would allow them.")
	}
	s.checkCalls(t, 0)
	s.check(t, `{"operation":"keys","prefix":"order:"}`, `{"items":[{"key":"order:1","expires_at":null}],"next_offset":null}`)
}

func TestOperationsNotOffered(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Living(time.Hour, 0))
	for _, operation := range []string{"list", "keys", "set", "delete", "other"} {
		s.checkRefused(t, `{"operation":"`+operation+`","key":"order:1","value":"v","ttl":1,"prefix":"o"}`, "InvalidRequest", "Operations are not offered here.")
	}
}

// TestListsInScope follows next_offset to its end. What is outside the
// allow-list takes its place in a page and is not shown.
func TestListsInScope(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t)
	for i := range 12 {
		s.api.Put(fmt.Sprintf("order:%02d", i), "v", time.Time{})
		s.api.Put(fmt.Sprintf("ord-%02d", i), "secret", time.Time{})
	}
	for _, test := range []struct{ request, want string }{
		{`"operation":"list","prefix":"order:","count":5`, "5 until 5, 5 until 10, 2"},
		{`"operation":"list","prefix":"order:","count":6`, "6 until 6, 6 until 12, 0"},
		{`"operation":"list","prefix":"order:"`, "10 until 10, 2"},
		{`"operation":"list","prefix":"order:","count":50`, "12"},
		{`"operation":"list","prefix":"order:","count":12`, "12 until 12, 0"},
		{`"operation":"list","prefix":"order:1"`, "2"},
		{`"operation":"keys","prefix":"order:"`, "10 until 10, 2"},
		{`"operation":"keys","prefix":"order:none"`, "0"},
	} {
		var pages []string
		for offset := new(0); offset != nil && len(pages) < 9; {
			got, err := s.Invoke(t.Context(), fmt.Appendf(nil, `{%s,"offset":%d}`, test.request, *offset))
			var page struct {
				Items      []itemBody
				NextOffset *int `json:"next_offset"`
			}
			if err != nil || json.Unmarshal(got, &page) != nil || strings.Contains(string(got), "secret") {
				t.Fatalf("Invoke(%s) = %s, %v; want a page", test.request, got, err)
			}
			for _, item := range page.Items {
				if strings.Contains(test.request, "list") != (item.Value == "v") || !strings.HasPrefix(item.Key, "order:") {
					t.Errorf("Invoke(%s) has %+v; want the value in a list alone", test.request, item)
				}
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
		status    int
		body      string
		errorType string
	}{
		{200, `{"error":{"code":340}}`, "UpstreamBusy"},
		{429, "", "UpstreamBusy"},
		{503, "", "UpstreamUnavailable"},
		{200, `{"error":{"code":1}}`, "UpstreamFailure"},
		{200, `{"error":{"code":104}}`, "UpstreamFailure"},
		{200, `{"error":{"code":497}}`, "UpstreamFailure"},
		{200, "<html>", "UpstreamFailure"},
		{200, `{"message":"maintenance"}`, "UpstreamFailure"},
		{200, `{"result":"order"}`, "UpstreamFailure"},
		{200, `{"error":{"code":116}}`, "InternalError"},
	} {
		s := newItemsSite(t)
		s.answers(row.status, row.body)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		for _, payload := range operations {
			got, err := s.Invoke(ctx, []byte(payload))
			if got != nil {
				t.Errorf("status %d, %s: Invoke(%s) = %s; want nothing", row.status, row.body, payload, got)
			}
			checkError(t, err, row.errorType)
		}
		cancel()
		s.checkCalls(t, len(operations))
		if !slices.Equal(s.forgot, []string{"order:1", "order:1"}) {
			t.Errorf("status %d, %s: forgot %q; want the key of each write, done or not", row.status, row.body, s.forgot)
		}
	}
}

var operations = []string{
	`{"operation":"set","key":"order:1","value":"` + lookuptest.Value + `","ttl":60}`,
	`{"operation":"delete","key":"order:1"}`,
	`{"operation":"list","prefix":"order:"}`,
	`{"operation":"keys","prefix":"order:"}`,
}

func TestOperationsTimeOut(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t)
	s.api.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	for _, payload := range operations {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err := s.Invoke(ctx, []byte(payload))
		cancel()
		checkError(t, err, "UpstreamTimeout")
	}
}

// TestSetWithoutAnswer: a set that brings no item back is no absent item, which would be null.
func TestSetWithoutAnswer(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t)
	s.answers(200, `{"result":{}}`)
	s.checkRefused(t, operations[0], "UpstreamFailure", "")
	s.check(t, operations[1], "null") // deletion of nothing is a deletion
}
