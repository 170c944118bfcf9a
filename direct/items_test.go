package direct_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/allowlist"
	"voxkv/direct"
	"voxkv/internal/voximplanttest"
	"voxkv/voximplant"
)

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
			s := newItemsSite(t, "order:*")
			s.api.Lists = lists
			for i := range 7 {
				for _, prefix := range []string{"order:", "order", "order-", "orders:", "ord:", "a:order:", "order:x:", "other:"} {
					s.api.Put(fmt.Sprintf("%s%02d", prefix, 7+i), "v", time.Now().Add(time.Hour))
				}
			}
			for _, prefix := range []string{"order:", "order:x:", "order:1", "order:none"} {
				var want []string
				for _, item := range s.api.Items() {
					if strings.HasPrefix(item.Key, prefix) {
						want = append(want, item.Key)
					}
				}
				for _, operation := range []string{"list", "keys"} {
					for _, count := range []int{0, 1, 7, 50} {
						if got := s.read(t, operation, prefix, count); !slices.Equal(got, want) {
							t.Errorf("%s of %s by %d = %q; want %q", operation, prefix, count, got, want)
						}
					}
				}
			}
		})
	}
}

// read returns the keys of all pages.
func (s *site) read(t *testing.T, operation, prefix string, count int) (keys []string) {
	t.Helper()
	offset := 0
	for range 1000 {
		p := s.list(t, operation, fmt.Sprintf(`"prefix":%q,"count":%d,"offset":%d`, prefix, count, offset))
		keys = append(keys, p.keys()...)
		if p.NextOffset == nil {
			return keys
		}
		offset = *p.NextOffset
	}
	t.Fatalf("pages under %q without end", prefix)
	return nil
}

// TestEmptyPages are passed over, ten at the most, and none once half of the time is over.
func TestEmptyPages(t *testing.T) {
	t.Parallel()
	const foreign = `{"result":[{"key":"exact","value":"v"},{"key":"exact","value":"v"}]}`
	for takes, want := range map[time.Duration]int{0: 10, 300 * time.Millisecond: 10, time.Second: 6, 1900 * time.Millisecond: 3} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			client := &voximplant.Client{Tokens: tokens(), ApplicationID: 42}
			client.Transport = transport(func(*http.Request) *http.Response {
				calls++
				time.Sleep(takes)
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(foreign))}
			})
			scope, _ := allowlist.Parse("order:*")
			s := &direct.Items{Client: client, Scope: scope, Timeout: 10 * time.Second}
			items, next, err := s.List(t.Context(), "order:", voximplant.Page{Offset: 8, Count: 2})
			if err != nil || len(items) != 0 || calls != want || next != 8+2*want {
				t.Errorf("pages of %v each: %v, next %d, %v after %d calls; want none, next %d after %d", takes, items, next, err, calls, 8+2*want, want)
			}
		})
	}
}

// TestFallbackFails: what the second question comes to is what the list comes to.
func TestFallbackFails(t *testing.T) {
	t.Parallel()
	s := newItemsSite(t, "order:*")
	s.api.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Form.Get("key") == "order" {
			return false
		}
		io.WriteString(w, `{"error":{"code":104}}`)
		return true
	})
	for _, operation := range []string{"list", "keys"} {
		s.checkRefused(t, `{"operation":"`+operation+`","prefix":"order:"}`, "UpstreamFailure", "")
	}
}

type transport func(*http.Request) *http.Response

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// TestEndedItemsAreNotListed, be it by our clock or by the API's, if that is one to go by.
func TestEndedItemsAreNotListed(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration][]string{
		-time.Hour:       {"order:2", "order:3", "order:4"},
		0:                {"order:2", "order:3", "order:4"},
		30 * time.Minute: {"order:3", "order:4"},
		90 * time.Minute: {"order:2", "order:3", "order:4"}, // an hour is the most that a clock may be ahead
	} {
		s := newItemsSite(t, "order:*")
		now := time.Now()
		body := fmt.Sprintf(`{"result":[{"key":"order:1","value":"v","expires_at":%d},{"key":"order:2","value":"v","expires_at":%d},`+
			`{"key":"order:3","value":"v","expires_at":%d},{"key":"order:4","value":"v"}]}`, now.Unix()-60, now.Unix()+1200, now.Unix()+3600)
		s.api.Intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Date", now.Add(ahead).UTC().Format(http.TimeFormat))
			rw.Write([]byte(body))
			return true
		})
		for _, operation := range []string{"list", "keys"} {
			p := s.list(t, operation, `"prefix":"order:","count":4`)
			if got := p.keys(); !slices.Equal(got, want) || p.NextOffset == nil || *p.NextOffset != 4 {
				t.Errorf("%s, the API's clock ahead by %v = %q, next %v; want %q, next 4", operation, ahead, got, p.NextOffset, want)
			}
		}
	}
}
