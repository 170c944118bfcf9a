package direct_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// newRuledSite is a site of the keys that rules allow, some of which have items.
func newRuledSite(t *testing.T, rules string) *site {
	t.Helper()
	s := newItemsSite(t, rules)
	for _, key := range []string{"order:42:x", "order:43:x", "call:42", "status:1"} {
		s.api.Put(key, "v", time.Now().Add(time.Hour))
	}
	return s
}

// TestClaimsOfAPayload: where a payload has claims they hold as a token's would; where
// it has none, a placeholder stands for any run of characters.
func TestClaimsOfAPayload(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key, claims string // "" for none
		found       bool
	}{
		{"order:42:x", ``, true},
		{"order:43:x", ``, true},
		{"order:42", ``, false},
		{"order:42:x", `{"sub":"42"}`, true},
		{"order:42:x", `{"sub":42}`, true},
		{"order:43:x", `{"sub":"42"}`, false},
		{"order:42:x", `{"sub":"4"}`, false},
		{"order:42:x", `{}`, false},
		{"order:42:x", `{"sub":["42"],"email_verified":true}`, false},
		{"call:42", `{"sub":"42"}`, true},
		{"status:1", `{}`, true},
		{"status:1", `{"sub":"42"}`, true},
	} {
		member := ""
		if tt.claims != "" {
			member = `,"claims":` + tt.claims
		}
		s := newRuledSite(t, "order:{sub}:*, call:{sub}, status:*")
		for _, payload := range []string{
			fmt.Sprintf(`{"key":%q%s}`, tt.key, member), fmt.Sprintf(`{"keys":[%q]%s}`, tt.key, member), fmt.Sprintf(`[{"key":%q%s}]`, tt.key, member),
		} {
			got, err := s.Invoke(t.Context(), []byte(payload))
			if err != nil || strings.Contains(string(got), `"value":"v"`) != tt.found || strings.Contains(string(got), `"max_age":`) != tt.found {
				t.Errorf("%s = %s, %v; want the item and its max_age: %t", payload, got, err, tt.found)
			}
		}
		for _, payload := range []string{
			fmt.Sprintf(`{"operation":"set","key":%q,"value":"v","ttl":60%s}`, tt.key, member), fmt.Sprintf(`{"operation":"delete","key":%q%s}`, tt.key, member),
		} {
			if !tt.found {
				s.checkRefused(t, payload, "InvalidRequest", "The key is outside ALLOWED_KEYS.")
			} else if got, err := s.Invoke(t.Context(), []byte(payload)); err != nil {
				t.Errorf("%s = %s, %v; want it done", payload, got, err)
			}
		}
		if !tt.found {
			s.checkCalls(t, 0)
		}
	}
}

// TestEachElementHasItsOwnClaims, so that a pipe may carry the events of many users.
func TestEachElementHasItsOwnClaims(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t, "order:{sub}:*")
	got, err := s.Invoke(t.Context(), []byte(`[{"key":"order:42:x","claims":{"sub":"42"}},{"key":"order:42:x","claims":{"sub":"43"}},{"key":"order:43:x"},
		{"key":"order:43:x","claims":{"sub":"43"}},{"key":"order:43:x","claims":{}}]`))
	if err != nil {
		t.Fatal(err)
	}
	items := decode[[]*itemBody](t, got)
	if len(items) != 5 || items[0] == nil || items[1] != nil || items[2] == nil || items[3] == nil || items[4] != nil {
		t.Errorf("Invoke = %s; want the items 0, 2 and 3", got)
	}
	if line := s.log.Last(t); line["claim_unusable"] != 1. || line["keys"] != 5. {
		t.Errorf("log = %v; want 5 keys, of which one lacked a claim", line)
	}
}

// TestListsOfAUser: a list keeps to the caller's rules, too. Its prefix must be
// covered whole, also for a trusted caller: one list never joins those of many users.
func TestListsOfAUser(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t, "order:{sub}:*, call:{sub}, status:*")
	for members, want := range map[string]string{
		`"prefix":"order:42:","claims":{"sub":"42"}`:   "order:42:x",
		`"prefix":"order:42:x","claims":{"sub":"42"}`:  "order:42:x",
		`"prefix":"order:43:"`:                         "order:43:x",
		`"prefix":"status:","claims":{"sub":"42"}`:     "status:1",
		`"prefix":"order:43:","claims":{"sub":"42"}`:   "",
		`"prefix":"order:42:","claims":{}`:             "",
		`"prefix":"order:4"`:                           "",
		`"prefix":"call:42","claims":{"sub":"42"}`:     "",
		`"prefix":"secret:token","claims":{"sub":"4"}`: "",
	} {
		for _, operation := range []string{"list", "keys"} {
			if want == "" {
				s.checkRefused(t, `{"operation":"`+operation+`",`+members+`}`, "InvalidRequest", "The prefix of a list must begin with")
			} else if got := s.list(t, operation, members).keys(); !slices.Equal(got, []string{want}) {
				t.Errorf("%s of %s = %q; want %s alone", operation, members, got, want)
			}
		}
	}
	s.checkCalls(t, 2*4)
}

// TestMalformedClaims: claims that are no object are refused, and never taken for
// absent: a null may be what became of a user who is not logged in.
func TestMalformedClaims(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t, "order:{sub}:*")
	for _, claims := range []string{`null`, `""`, `"sub"`, `[]`, `["42"]`, `0`, `true`, `false`} {
		for _, payload := range []string{`{"key":"order:42:x","claims":%s}`, `{"keys":["order:42:x"],"claims":%s}`, `[{"key":"order:42:x"},{"key":"order:42:x","claims":%s}]`,
			`{"operation":"list","prefix":"order:42:","claims":%s}`, `{"operation":"set","key":"order:42:x","value":"v","ttl":60,"claims":%s}`} {
			s.checkRefused(t, fmt.Sprintf(payload, claims), "InvalidRequest", `"claims" takes an object such as {"sub":"42"}`)
		}
	}
	for _, payload := range []string{`{"key":"order:42:x","claims":{"sub":"42","sub":"43"}}`, `{"key":"order:42:x","claims":{},"claims":{"sub":"42"}}`} {
		s.checkRefused(t, payload, "InvalidRequest", "two members of one name")
	}
	s.checkCalls(t, 0)
	s.checkRefused(t, `{"claims":{"sub":"42"}}`, "InvalidRequest", "A direct invocation takes")
}

// TestMisspeltClaims: a member that was meant to be claims is refused. If it were
// ignored like other unknown members, the user would read what everybody may.
func TestMisspeltClaims(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t, "order:{sub}:*")
	payloads := []string{
		`{"key":"order:43:x",%q:{"sub":"42"}}`, `{"keys":["order:43:x"],%q:{"sub":"42"}}`, `[{"key":"order:42:x","claims":{"sub":"42"}},{"key":"order:43:x",%q:{"sub":"42"}}]`,
		`{"operation":"list","prefix":"order:43:",%q:{"sub":"42"}}`, `{"operation":"keys","prefix":"order:43:",%q:null}`,
		`{"operation":"set","key":"order:43:x","value":"v","ttl":60,%q:{}}`, `{"operation":"delete","key":"order:43:x",%q:{"sub":"42"}}`,
		`{"key":"order:42:x","claims":{"sub":"42"},%q:{"sub":"43"}}`, // which of the two is meant?
	}
	for _, name := range []string{
		"claim", "Claims", "Claim", "CLAIMS", "claims ", " claims", "claims.$", "_claims", "claims[]", "cliams", "calims", "clams", "claimss", "laims", "clаims", "сlaims", "cla\u0131ms",
		"userClaims", "user_claims", "jwt-claims", "jwtClaim",
	} {
		for _, payload := range payloads {
			s.checkRefused(t, fmt.Sprintf(strings.ReplaceAll(payload, "%q", `"%s"`), name), "InvalidRequest", `A member looks like "claims", but is spelt differently`)
		}
	}
	s.checkCalls(t, 0)
	for _, name := range []string{"more", "class", "chains", "claimed", "claim_number", "aims", "c", "", "Key", "заявки"} {
		for _, payload := range payloads[:5] {
			if got, err := s.Invoke(t.Context(), []byte(fmt.Sprintf(payload, name))); err != nil {
				t.Errorf("%s with %q = %s, %v; want it ignored", payload, name, got, err)
			}
		}
	}
}

// TestListsCountUnusableClaims: the log counts them where a list is refused for them, as
// it does for keys.
func TestListsCountUnusableClaims(t *testing.T) {
	t.Parallel()
	for claims, want := range map[string]any{`{"sub":"auth0|42"}`: 1., `{}`: 1., `{"sub":"43"}`: nil, `{"sub":"42"}`: nil} {
		for _, payload := range []string{`{"operation":"list","prefix":"order:42:","claims":%s}`, `{"operation":"keys","prefix":"order:42:x","claims":%s}`, `{"operation":"set","key":"order:42:y","value":"v","ttl":60,"claims":%s}`} {
			s := newRuledSite(t, "order:{sub}:*")
			payload := fmt.Sprintf(payload, claims)
			_, err := s.Invoke(t.Context(), []byte(payload))
			line := s.log.Last(t)
			if line["claim_unusable"] != want || (err == nil) != (claims == `{"sub":"42"}`) {
				t.Errorf("%s: %v, log %v; want claim_unusable %v", payload, err, line, want)
			}
			if strings.HasPrefix(payload, `{"operation":"list"`) && line["key"] != nil {
				t.Errorf("%s: log %v; want no key", payload, line)
			}
		}
	}
}
