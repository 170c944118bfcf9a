package main

import (
	"strings"
	"testing"
)

// authorizers are the samples whose caller an authorizer has verified, and the claim sub of that caller where it is written.
var authorizers = map[string]string{
	"http-api-jwt-item":     `"sub": "42"`,
	"http-api-lambda-item":  `"sub": "42"`,
	"http-api-v1-jwt-item":  `"sub": "42"`,
	"rest-api-cognito-item": `"sub": "42"`,
	"rest-api-lambda-item":  `"sub": "42"`,
}

// asks sends a sample with another key and one more replacement, which must be there.
func (s *sandbox) asks(t *testing.T, sample, key, old, replacement string) answer {
	t.Helper()
	payload := events(t)[sample]
	if !strings.Contains(payload, old) {
		t.Fatalf("%s has no %s", sample, old)
	}
	return s.http(t, strings.ReplaceAll(strings.ReplaceAll(payload, old, replacement), "order:1001", key))
}

// TestTwoUsersBehindEachAuthorizer: each reads what is theirs, and what is the other's is missing in every header, without a
// call to the API. It is E5-14 of docs/http-statements.md. Which claims count, and under which rules, is in the tests of
// the gateway and of the allow-list.
func TestTwoUsersBehindEachAuthorizer(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "ALLOWED_KEYS=feature:* max-age=2h, order:{sub}:*", "LOCAL_MAX_AGE=0s", longAbsences) // each answer is as fresh as the others
	for _, key := range []string{"order:42:x", "order:43:x", "feature:dark"} {
		s.Voximplant.Put(key, "value of "+key, itemsEnd)
	}
	for sample, claim := range authorizers {
		for sub, other := range map[string]string{"42": "43", "43": "42"} {
			as := func(key string) answer {
				return s.asks(t, sample, key, claim, strings.Replace(claim, "42", sub, 1))
			}
			own := as("order:" + sub + ":x")
			if own.StatusCode != 200 || !strings.Contains(own.Body, "value of order:"+sub+":x") || !isPrivate(own) {
				t.Errorf("%s as %s: %d %v %s; want their own item, private", sample, sub, own.StatusCode, own.header(), own.Body)
			}
			missing := as("order:" + sub + ":none")
			calls := s.Voximplant.Calls("GetKeyValueItem")
			for _, key := range []string{"order:" + other + ":x", "order:" + other + ":none"} {
				if got := as(key); got.StatusCode != 404 || !same(got, missing) || !isPrivate(got) {
					t.Errorf("%s as %s, %s: %d %v %s; missing: %v %s", sample, sub, key, got.StatusCode, got.header(), got.Body, missing.header(), missing.Body)
				}
			}
			if n := s.Voximplant.Calls("GetKeyValueItem"); n != calls {
				t.Errorf("%s as %s: keys of others made %d calls", sample, sub, n-calls)
			}
		}
	}
	s.checkOthers(t)
}

// checkOthers asks without a usable claim, as a trusted backend, and for a public key.
func (s *sandbox) checkOthers(t *testing.T) {
	t.Helper()
	before := strings.Count(s.Output(), "claim_unusable")
	for sample, name := range map[string]string{"http-api-item": `"host":`, "http-api-lambda-item": `"sub": "42"`} {
		if got := s.asks(t, sample, "order:42:x", name, strings.Replace(name, "42", "auth0|42", 1)); got.StatusCode != 404 || !isPrivate(got) {
			t.Errorf("%s without a claim that fits: %d %v %s; want a private 404", sample, got.StatusCode, got.header(), got.Body)
		}
	}
	if got := s.get(t, "/v1/items/feature:dark").header().Get("Cache-Control"); !strings.HasPrefix(got, "public, max-age=7") {
		t.Errorf("under a rule with max-age=2h: Cache-Control %q", got)
	}
	for payload, want := range map[string]string{
		`{"key":"order:42:x"}`: `"value":"value of order:42:x"`, `{"key":"order:42:x","claims":{"sub":"43"}}`: "null",
	} {
		if got := string(s.invoke(t, payload).Payload); !strings.Contains(got, want) {
			t.Errorf("%s = %s; want %s in it", payload, got, want)
		}
	}
	s.Stop()
	if start, _, _ := strings.Cut(s.Output(), "\n"); !strings.Contains(start, `"need_claims":1`) {
		t.Errorf("the start line does not tell of the rule that needs claims: %s", start)
	}
	if n := strings.Count(s.Output(), `"claim_unusable":1`); before != 0 || n != 2 || strings.Contains(s.Output(), "auth0") {
		t.Errorf("%d and %d lines count an unusable claim; want none, then 2, without the claim: %s", before, n, s.Output())
	}
}

// isPrivate reports whether no shared cache may keep a.
func isPrivate(a answer) bool {
	control := a.header().Get("Cache-Control")
	return strings.HasPrefix(control, "private, ") && !strings.Contains(control, "s-maxage") && a.header().Get("Vary") == "Authorization"
}
