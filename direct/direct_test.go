package direct_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"voxkv/internal/lookuptest"
	"voxkv/voximplant"
)

func TestDirect(t *testing.T) {
	t.Parallel()
	s := newSite(nil)
	for left, maxAge := range map[time.Duration]int64{100 * time.Second: 60, 10 * time.Second: 8, time.Second: 0} {
		s.Lookup = lookuptest.Living(left, 0)
		s.check(t, `{"key":"k","more":1}`, fmt.Sprintf(`{"key":"k","value":"%s","expires_at":%d,"max_age":%d}`,
			lookuptest.Value, lookuptest.At().Add(left).Unix(), maxAge))
	}
	s.Lookup = lookuptest.Failing(voximplant.ErrNotFound)
	s.check(t, `{"key":"k"}`, "null")
}

// TestReadsStrictly: what readers of JSON would each mend in their own way is refused, and no word of it comes back.
func TestReadsStrictly(t *testing.T) {
	t.Parallel()
	const (
		text  = "A string is not valid Unicode: it has bytes that are not UTF-8, or half of a surrogate pair. A direct invocation takes"
		twice = "An object has two members of one name. A direct invocation takes"
		empty = `The payload has no member "key", "keys" or "operation". A direct invocation takes`
		none  = "The payload cannot be read as JSON. A direct invocation takes"
	)
	s := newItemsSite(t, "order:*,exact")
	for payload, want := range map[string]string{
		`{"operation":"set","key":"order:1","value":"cut \ud83d","ttl":60}`:     text,
		`{"operation":"set","key":"order:1","value":"v","ttl":60,"x":"\udfff"}`: text,
		`{"keys":["order:1","\ud83d"]}`:                                         text,
		`[{"key":"order:1","more":"\ud83d"}]`:                                   text,
		`[{"key":"order:1","\ud83d":1}]`:                                        text,
		"[{\"key\":\"order:1\",\"more\":\"\xff\"}]":                             text,

		`{"key":"order:1","\u006bey":"order:2"}`:                                      twice,
		`{"operation":"keys","prefix":"order:","operation":"delete","key":"order:v"}`: twice,
		`{"key":"order:1","more":{"order:1":1,"order:1":2}}`:                          twice,
		`[{"key":"order:1"},{"key":"order:1","key":"order:2"}]`:                       twice,

		`{"key":"order:1"`:                   none,
		`{"key":"order:1"}{"key":"order:2"}`: none,
		`{"key":"order:1","more":NaN}`:       none,
		"\ufeff" + `{"key":"order:1"}`:       none,
		`{"key":"order:1","more":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`: none,

		`{}`:                       empty,
		`{"key":null}`:             empty,
		`{"kay":"a"}`:              empty,
		`{"key":"a","keys":["b"]}`: `The payload has both "key" and "keys". A direct invocation takes`,
		`{"key":1}`:                `The member "key" has the wrong JSON type. A direct invocation takes`,
		`{"key":""}`:               "Not a key: the key is empty.",
		`{"key":"a b"}`:            "Not a key: the key has a character outside",
		`{"key":"a","x":"` + strings.Repeat("x", 1<<20) + `"}`: "1 MiB",
		`{"Key":"order:1"}`:          empty,
		`{"KEYS":["order:1"]}`:       empty,
		`[{"Key":"order:1"}]`:        "Not a key: the key is empty.",
		`"order:1"`:                  "The payload has the wrong JSON type. A direct invocation takes",
		`{"keys":{"order:1":1}}`:     `The member "keys" has the wrong JSON type. A direct invocation takes`,
		`{"keys":["a",7]}`:           `The member "keys" has the wrong JSON type. A direct invocation takes`,
		`[{"key":"a"},{"key":true}]`: `The member "key" has the wrong JSON type. A direct invocation takes`,
		`{"operation":"set","key":"order:1","value":"v","TTL":60}`: "exactly one of ttl and expires_at",
	} {
		s.checkRefused(t, payload, "InvalidRequest", want)
	}
	s.checkCalls(t, 0)
}

// TestTellsNamesApart: a name in other letters is another name, and is ignored.
func TestTellsNamesApart(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t, "order:*,exact")
	s.api.Put("order:v", "v", time.Time{})
	s.check(t, `{"operation":"keys","prefix":"order:","OPERATION":"delete","key":"order:v"}`,
		`{"items":[{"key":"order:v","expires_at":null}],"next_offset":null}`)
	s.check(t, `{"key":"order:v","Key":"order:w","KEYS":[],"Operation":"delete"}`,
		`{"key":"order:v","value":"v","expires_at":null,"max_age":0}`)
	s.check(t, `{"operation":"keys","prefix":"order:","Prefix":"secret:","offset":null,"COUNT":0.5}`,
		`{"items":[{"key":"order:v","expires_at":null}],"next_offset":null}`)
}

// TestNumbersOfOperations: a number is the same however it is written.
func TestNumbersOfOperations(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t, "order:*")
	for ttl, seconds := range map[string]int64{"0": 0, "60": 60, "60.0": 60, "6e1": 60, "0.6E+2": 60, "600e-1": 60, "7776000": 7_776_000} {
		before := time.Now().Unix()
		got, err := s.Invoke(t.Context(), []byte(`{"operation":"set","key":"order:1","value":"\ud83d\ude00","ttl":`+ttl+`}`))
		item := decode[itemBody](t, got)
		if err != nil || item.Value != "😀" || *item.ExpiresAt < before+seconds || *item.ExpiresAt > time.Now().Unix()+seconds {
			t.Errorf("set with ttl %s = %s, %v; want the item, which ends so many seconds from now", ttl, got, err)
		}
	}
	s.api.Put("order:1", "v", time.Time{})
	s.check(t, `{"operation":"keys","prefix":"order:","offset":0.0,"count":1e1}`, `{"items":[{"key":"order:1","expires_at":null}],"next_offset":null}`)
	for _, ttl := range []string{"60.5", "1e-1", "1e16", "-1e400", "true", "[60]", `"60"`, "18446744073709551616"} {
		s.checkRefused(t, `{"operation":"set","key":"order:1","value":"v","ttl":`+ttl+`}`, "InvalidRequest", `The member "ttl" has the wrong JSON type.`)
	}
}
