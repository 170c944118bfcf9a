package direct_test

import (
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
	s := newItemsSite(t, "order:*,exact")
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
}

// TestOperationPanics: the line names the operation and the key, and nobody is told the value of the panic.
func TestOperationPanics(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t, "order:*")
	s.Items.Forget = func(key string) { panic("item " + key) }
	s.checkRefused(t, `{"operation":"delete","key":"order:1"}`, "InternalError", "")
	line := s.log.Last(t)
	if line["route"] != "direct delete" || line["key"] != "hashed" || line["stack"] == nil || strings.Contains(s.log.String(), "item order:1") {
		t.Errorf("log = %v; want the operation, the hash of the key and the stack, without the value of the panic", line)
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
	s := newItemsSite(t, "order:*,exact")
	for payload, want := range map[string]string{
		`{"operation":"get","key":"order:1"}`:    unknown,
		`{"operation":"List","prefix":"order:"}`: unknown,
		`{"operation":""}`:                       unknown,
		`{"operation":null}`:                     any,
		`{"operation":1}`:                        `The member "operation" has the wrong JSON type. A direct invocation takes`,

		`{"operation":"set"}`:                                                                      setTakes,
		`{"operation":"set","key":"order:1","ttl":60}`:                                             setTakes,
		`{"operation":"set","key":"order:1","value":null,"ttl":60}`:                                setTakes,
		`{"operation":"set","value":"v","ttl":60}`:                                                 setTakes,
		`{"operation":"set","key":"order:1","value":{"a":1},"ttl":60}`:                             `The member "value" has the wrong JSON type.`,
		`{"operation":"set","key":"order:1","value":"v"}`:                                          life,
		`{"operation":"set","key":"order:1","value":"v","ttl":60,"expires_at":4000000000}`:         life,
		`{"operation":"set","key":"order:1","value":"v","ttl":-1}`:                                 ttl,
		`{"operation":"set","key":"order:1","value":"v","ttl":7776001}`:                            ttl,
		`{"operation":"set","key":"order:1","value":"v","ttl":9223372036854775807}`:                ttl,
		`{"operation":"set","key":"order:1","value":"v","ttl":-9223372036854775808}`:               ttl,
		`{"operation":"set","key":"order:1","value":"v","expires_at":1000000000}`:                  unix,
		`{"operation":"set","key":"order:1","value":"v","expires_at":-62135596800}`:                life, // Go's zero time
		`{"operation":"set","key":"order:1","value":"v","expires_at":9223372036854775807}`:         unix,
		`{"operation":"set","key":"order:1","value":"v","expires_at":"2030-01-01"}`:                `The member "expires_at" has the wrong JSON type.`,
		`{"operation":"set","key":"order 1","value":"v","ttl":60}`:                                 "Not a key: the key has a character " + outside,
		`{"operation":"set","key":"order:1","value":"` + strings.Repeat("я", 2001) + `","ttl":60}`: "Not accepted: the value is text of at most 2000 characters.",
		`{"operation":"set","key":"secret:token","value":"v","ttl":60}`:                            scope,

		`{"operation":"delete"}`:                               `delete takes {"operation":"delete","key":"…"}.`,
		`{"operation":"delete","keys":["order:1"]}`:            `delete takes`,
		`{"operation":"delete","key":"order:*"}`:               outside,
		`{"operation":"delete","key":"exactly"}`:               scope,
		`{"operation":"list"}`:                                 `list takes {"operation":"list","prefix":"…"}`,
		`{"operation":"list","prefix":1}`:                      `The member "prefix" has the wrong JSON type.`,
		`{"operation":"list","prefix":"order:*"}`:              "Not accepted: as a prefix, the key has a character " + outside,
		`{"operation":"list","prefix":"order:","count":51}`:    page,
		`{"operation":"list","prefix":"order:","count":-1}`:    page,
		`{"operation":"list","prefix":"order:","count":"all"}`: `The member "count" has the wrong JSON type.`,
		`{"operation":"keys"}`:                                 "The prefix of a list must begin with",
		`{"operation":"keys","prefix":"order:","count":51}`:    page,
		`{"operation":"keys","prefix":"order:","offset":-1}`:   page,
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
	s := newItemsSite(t, "order:*,exact")
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

// TestOperationsFail: what the API says becomes the errorType it becomes for reads.
func TestOperationsFail(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		status    int
		body      string
		errorType string
	}{
		{200, `{"error":{"code":340}}`, "UpstreamBusy"},
		{503, "", "UpstreamUnavailable"},
		{200, `{"error":{"code":104}}`, "UpstreamFailure"},
		{200, `{"result":"order"}`, "UpstreamFailure"},
		{200, `{"error":{"code":116}}`, "InternalError"},
	} {
		s := newItemsSite(t, "order:*,exact")
		s.answers(row.status, row.body)
		for _, payload := range operations {
			s.checkRefused(t, payload, row.errorType, "")
		}
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

// TestOperationsTimeOut: without a timeout of its own, an operation would be tried again.
func TestOperationsTimeOut(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t, "order:*,exact")
	s.Items.Timeout = time.Millisecond
	s.api.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	for _, payload := range operations {
		s.checkRefused(t, payload, "UpstreamTimeout", "")
	}
	for _, method := range methods {
		if n := s.api.Calls(method); n > 1 {
			t.Errorf("%d calls of %s within a millisecond; want one at most", n, method)
		}
	}
}

// TestSetWithoutAnswer: a set that brings no item back is no absent item, which would be null.
func TestSetWithoutAnswer(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t, "order:*,exact")
	s.answers(200, `{"result":{}}`)
	s.checkRefused(t, operations[0], "UpstreamFailure", "")
	s.check(t, operations[1], "null") // deletion of nothing is a deletion
}
