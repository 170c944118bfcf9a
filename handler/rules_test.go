package handler_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/allowlist"
	"voxkv/internal/lookuptest"
	"voxkv/internal/openapitest"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// A ruled is a site whose allow-list has rules, with an item under every key of
// stored, and every other key missing.
type ruled struct {
	*site
	asked []string
	err   error // what upstream answers instead, if not nil
}

const storedFor = time.Hour

func newRuled(t *testing.T, rules string, stored ...string) *ruled {
	t.Helper()
	scope, err := allowlist.Parse(rules)
	if err != nil {
		t.Fatal(err)
	}
	s := &ruled{}
	end := time.Now().Add(storedFor)
	found, err := lookup.New(lookup.Config{
		Scope: scope, LocalMaxAge: 10 * time.Second, NotFoundMaxAge: 5 * time.Second, MaxItems: 100, Timeout: time.Minute,
		Fetch: func(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
			s.asked = append(s.asked, key)
			time.Sleep(time.Millisecond)
			if s.err != nil {
				return nil, s.err
			}
			if !slices.Contains(stored, key) {
				return nil, voximplant.ErrNotFound
			}
			return &voximplant.KeyValueItem{Key: key, Value: "v", ExpiresAt: end}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.site = newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
		a, err := found.Item(ctx, key)
		a.At = lookuptest.At() // which headers are checked by
		return a, err
	})
	return s
}

// as asks for target as the caller with this claim, "" for one without claims.
func (s *ruled) as(t *testing.T, sub, target string, header ...string) reply {
	t.Helper()
	r := newRequest(http.MethodGet, target, header...)
	if sub != "" {
		r = r.WithContext(allowlist.WithCaller(r.Context(), allowlist.Caller{Claims: allowlist.Claims{"sub": sub}}))
	}
	got := s.serve(r)
	checkEvery(t, got)
	openapitest.Validate(t, r, got.response())
	return got
}

// control is the Cache-Control without what it always says.
func (r reply) control() string {
	control, _, _ := strings.Cut(r.header.Get("Cache-Control"), ", must-revalidate")
	return control
}

// TestRuleDecidesOnCaching: the rule's max-age stands in place of MaxAge, and a rule
// with a placeholder is private, whatever Private says.
func TestRuleDecidesOnCaching(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRuled(t, "feature:* max-age=1h, status:* max-age=2s, order:{sub}:*, call:{sub} max-age=20m, secret:* max-age=0s, plain",
			"feature:a", "status:a", "order:42:a", "call:42", "secret:a", "plain")
		for _, tt := range []struct{ target, sub, control, vary string }{
			{"/v1/items/feature:a", "", "public, max-age=1798, s-maxage=1796", ""}, // half of the hour that the item has left
			{"/v1/items/status:a", "", "public, max-age=1, s-maxage=1", ""},
			{"/v1/items/plain", "", "public, max-age=59, s-maxage=59", ""},
			{"/v1/items/plain", "42", "public, max-age=59, s-maxage=59", ""},
			{"/v1/items/secret:a", "", "no-store", ""},
			{"/v1/items/order:42:a", "42", "private, max-age=59", "Authorization"},
			{"/v1/optional/order:42:a", "42", "private, max-age=59", "Authorization"},
			{"/v1/optional/order:42:a", "43", "private, max-age=0", "Authorization"},
			{"/v1/optional/status:none", "43", "public, max-age=0, s-maxage=4", ""},
			{"/v1/items/call:42", "42", "private, max-age=1199", "Authorization"},
			{"/v1/items?key=call:42", "42", "private, max-age=1199", "Authorization"},
			{"/v1/items?key=feature:a&key=plain", "", "private, max-age=59", ""},
			{"/v1/items?key=call:42&key=plain", "42", "private, max-age=59", "Authorization"},
			{"/v1/items?key=call:42&key=secret:a", "42", "no-store", "Authorization"},
			{"/v1/items?key=call:42&key=plain", "43", "no-store", "Authorization"},
		} {
			got := s.as(t, tt.sub, tt.target)
			if got.status != 200 || got.control() != tt.control || got.header.Get("Vary") != tt.vary {
				t.Errorf("%s as %q: %d, Cache-Control %q, Vary %q; want 200, %q, %q", tt.target, tt.sub, got.status, got.control(), got.header.Get("Vary"), tt.control, tt.vary)
			}
			if tag := got.header.Get("Etag"); tag != "" {
				again := s.as(t, tt.sub, tt.target, "If-None-Match", tag)
				if again.status != 304 || again.control() != tt.control || again.header.Get("Vary") != tt.vary {
					t.Errorf("%s as %q again: %d, Cache-Control %q; want 304, %q", tt.target, tt.sub, again.status, again.control(), tt.control)
				}
			}
		}
	})
}

// TestOldCopyInABatch: each item of a batch counts with its own age and its own
// ceiling.
func TestOldCopyInABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRuled(t, "feature:* max-age=1h, status:* max-age=6s", "feature:a", "status:a")
		s.as(t, "", "/v1/items/feature:a")
		time.Sleep(8 * time.Second)
		if got := s.as(t, "", "/v1/items?key=feature:a&key=status:a"); got.control() != "private, max-age=5" {
			t.Errorf("a flag 8 s old beside a status just read: Cache-Control %q; want private, max-age=5", got.control())
		}
	})
}

// TestForeignKeyLooksMissing: the answer for a key of somebody else is that for a
// missing key of one's own in every header, at every time, conditional or not, and
// it costs no call. An upstream that fails makes no difference.
func TestForeignKeyLooksMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, private := range []bool{false, true} {
			s := newRuled(t, "order:{sub}:*, call:{sub} max-age=2s, status:*", "order:42:x", "call:42")
			s.Private = private
			cold := s.as(t, "43", "/v1/items/order:42:x")
			tag := s.as(t, "42", "/v1/items/order:42:x").header.Get("Etag")
			for range 7 {
				for form, absent := range map[string]int{"/v1/items/": 404, "/v1/optional/": 200, "/v1/parsed/": 404, "/v1/items?key=": 404} {
					for _, header := range [][]string{nil, {"If-None-Match", tag, "Origin", "https://a.example"}} {
						s.checkForeign(t, form, absent, header...)
					}
				}
				time.Sleep(900 * time.Millisecond)
			}
			s.err = &voximplant.Error{Kind: voximplant.KindConfiguration}
			time.Sleep(time.Minute)
			if got := s.as(t, "43", "/v1/items/order:42:x"); !sameAnswer(got, cold) {
				t.Errorf("upstream fails: %s; want what it was before: %s", got.text(), cold.text())
			}
			batch := s.as(t, "43", "/v1/items?key=order:42:x&key=order:42:none")
			if want := `{"items":{"order:42:none":null,"order:42:x":null},"errors":{}}`; batch.body != want {
				t.Errorf("upstream fails: %s; want %s", batch.body, want)
			}
			asked := slices.Compact(slices.Sorted(slices.Values(s.asked)))
			if !slices.Equal(asked, []string{"order:42:x", "order:43:none"}) {
				t.Errorf("upstream was asked for %q; want the owner's key and the caller's own alone", asked)
			}
		}
	})
}

// checkForeign compares the answers for keys of others with that for a missing key,
// whose status is absent.
func (s *ruled) checkForeign(t *testing.T, form string, absent int, header ...string) {
	t.Helper()
	missing := s.as(t, "43", form+"order:43:none", header...)
	if missing.status != absent || strings.Contains(missing.control(), "public") {
		t.Errorf("%s: %d %s, Cache-Control %q; want a private absence", form, missing.status, missing.body, missing.control())
	}
	for _, foreign := range []struct{ sub, key string }{
		{"43", "order:42:x"}, {"43", "order:42:none"}, {"4", "order:42:x"}, {"43", "call:42"}, {"", "order:42:x"}, {"auth0|42", "order:42:x"},
	} {
		if got := s.as(t, foreign.sub, form+foreign.key, header...); !sameAnswer(got, missing) {
			t.Errorf("%+v with %q: %d %v\nmissing: %d %v", foreign, header, got.status, got.header, missing.status, missing.header)
		}
	}
}

// TestNoSharedAnswerDependsOnClaims asks every kind of caller for every kind of key:
// where the answers differ, and where another caller could get another, none of them
// may be kept by a shared cache.
func TestNoSharedAnswerDependsOnClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rules := []string{"order:shared:*", "order:{sub}:*", "{sub};*", "order:*", "status:* max-age=2s", "{sub}"}
		keys := []string{"order:shared:x", "order:42:x", "order:43:x", "42;x", "43;x", "order:x", "status:x", "42", "none", "order:none"}
		stored := []string{"order:shared:x", "order:42:x", "42;x", "order:x", "status:x", "42"}
		for i := range rules {
			s := newRuled(t, strings.Join(append(slices.Clone(rules[i:]), "plain"), ","), stored...)
			for _, key := range keys {
				for _, form := range []string{"/v1/items/", "/v1/optional/"} {
					answers := map[string]bool{}
					shared := false
					for _, sub := range []string{"", "42", "43", "order", "x:y"} {
						got := s.as(t, sub, form+key)
						shared = shared || strings.Contains(got.header.Get("Cache-Control"), "s-maxage")
						answers[got.text()] = true
					}
					if shared && len(answers) > 1 {
						t.Errorf("rules from %s, %s%s: %d answers, of which a shared cache may keep one: %v", rules[i], form, key, len(answers), answers)
					}
				}
			}
		}
	})
}

// TestVaryBesideOrigins: with listed origins an answer varies by both.
func TestVaryBesideOrigins(t *testing.T) {
	t.Parallel()
	s := newRuled(t, "order:{sub}:*, plain", "order:42:x", "plain")
	s.Origins = []string{"https://a.example"}
	for range 2 {
		for target, want := range map[string]string{"/v1/items/order:42:x": "Origin, Authorization", "/v1/items/plain": "Origin"} {
			if got := s.as(t, "42", target); strings.Join(got.header["Vary"], "|") != want {
				t.Errorf("%s: Vary %q; want %q", target, got.header["Vary"], want)
			}
		}
	}
}
