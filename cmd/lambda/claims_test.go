package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// authorizers are the samples whose caller an authorizer has verified, and the claim sub of that caller where it is written.
var authorizers = map[string]string{
	"http-api-jwt-item":     `"sub": "42"`,
	"http-api-lambda-item":  `"sub": "42"`,
	"http-api-v1-jwt-item":  `"sub": "42"`,
	"rest-api-cognito-item": `"sub": "42"`,
	"rest-api-lambda-item":  `"sub": "42"`,
}

// without are the samples whose sender has no claims, or whose route has no authorizer.
var without = []string{"http-api-item", "http-api-v1-item", "rest-api-item", "function-url-item", "function-url-iam-item", "alb-item", "alb-multi-value-item"}

const ruledKeys = "feature:* max-age=1h, status:* max-age=2s, order:{sub}:*, call:{phone_number}"

// unhurried has no rule that would shorten longAbsences.
var unhurried = []string{"ALLOWED_KEYS=feature:*, order:{sub}:*, call:{phone_number}", longAbsences}

// newRuledSandbox is a function that serves each caller their own keys.
func newRuledSandbox(t *testing.T, settings ...string) *sandbox {
	t.Helper()
	s := newSandbox(t, append([]string{"ALLOWED_KEYS=" + ruledKeys, "CACHE_SCOPE=public"}, settings...)...)
	for _, key := range []string{"feature:dark", "status:1", "order:42:x", "order:43:x", "order:4:x"} {
		s.Voximplant.Put(key, "value of "+key, time.Now().Add(2*time.Hour))
	}
	return s
}

// asks sends a sample with another key and other replacements, of which each must be there.
func (s *sandbox) asks(t *testing.T, sample, key string, replace ...string) answer {
	t.Helper()
	payload := events(t)[sample]
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(payload, replace[i]) {
			t.Fatalf("%s has no %s", sample, replace[i])
		}
		payload = strings.ReplaceAll(payload, replace[i], replace[i+1])
	}
	return s.http(t, strings.ReplaceAll(payload, "order:1001", key))
}

// TestTwoUsersBehindEachAuthorizer: each reads what is theirs, and what is the other's is missing in every header, without a
// call to the API. It is E5-14 of docs/http-statements.md.
func TestTwoUsersBehindEachAuthorizer(t *testing.T) {
	t.Parallel()
	s := newRuledSandbox(t, append(unhurried, "LOCAL_MAX_AGE=0s")...) // each answer is as fresh as the others
	for sample, claim := range authorizers {
		for _, sub := range []string{"42", "43", "4"} {
			as := func(key string) answer {
				return s.asks(t, sample, key, claim, strings.Replace(claim, "42", sub, 1))
			}
			own := as("order:" + sub + ":x")
			if own.StatusCode != 200 || !strings.Contains(own.Body, "value of order:"+sub+":x") || !isPrivate(own) {
				t.Errorf("%s as %s: %d %v %s; want their own item, private", sample, sub, own.StatusCode, own.header(), own.Body)
			}
			missing := as("order:" + sub + ":none")
			calls := s.Voximplant.Calls("GetKeyValueItem")
			for _, key := range []string{"order:42:x", "order:43:x", "order:4:x", "order:43:none"} {
				if strings.HasPrefix(key, "order:"+sub+":") {
					continue
				}
				if got := as(key); got.StatusCode != 404 || !same(got, missing) || !isPrivate(got) {
					t.Errorf("%s as %s, %s: %d %v %s; missing: %v %s", sample, sub, key, got.StatusCode, got.header(), got.Body, missing.header(), missing.Body)
				}
			}
			if n := s.Voximplant.Calls("GetKeyValueItem"); n != calls {
				t.Errorf("%s as %s: keys of others made %d calls", sample, sub, n-calls)
			}
		}
	}
	if strings.Contains(s.Output(), "claim_unusable") {
		t.Errorf("a log line counts usable claims: %s", s.Output())
	}
}

// isPrivate reports whether no shared cache may keep a.
func isPrivate(a answer) bool {
	control := a.header().Get("Cache-Control")
	return strings.HasPrefix(control, "private, ") && !strings.Contains(control, "s-maxage") && a.header().Get("Vary") == "Authorization"
}

// TestNobodyWithoutClaims: where nobody verified a caller, or the claim cannot be part of a key, its keys are missing, and the
// log counts that without the claim's value.
func TestNobodyWithoutClaims(t *testing.T) {
	t.Parallel()
	s := newRuledSandbox(t, unhurried...)
	check := func(name string, got answer) {
		t.Helper()
		if got.StatusCode != 404 || !isPrivate(got) {
			t.Errorf("%s: %d %v %s; want a private 404", name, got.StatusCode, got.header(), got.Body)
		}
	}
	asked := 0
	for _, sample := range without {
		check(sample, s.asks(t, sample, "order:42:x"))
		asked++
	}
	for _, value := range []string{`"auth0|42"`, `"42:x"`, `"[42 43]"`, `""`, `["42"]`, `4.2e1`, `null`, `"anna@example.com"`} {
		check(value, s.asks(t, "http-api-lambda-item", "order:42:x", `"sub": "42"`, `"sub": `+value))
		asked++
	}
	for _, forged := range []struct{ sample, old, new string }{
		{"http-api-item", `"host":`, `"sub": "42", "x-amzn-oidc-identity": "42", "claims": "{\"sub\":\"42\"}", "host":`},
		{"http-api-item", `"rawQueryString": ""`, `"rawQueryString": "sub=42&claims=42", "claims": {"sub": "42"}, "authorizer": {"jwt": {"claims": {"sub": "42"}}}`},
		{"http-api-jwt-item", `"jwt":`, `"claims":`},
		{"http-api-lambda-item", `"lambda":`, `"claims":`},
		{"rest-api-cognito-item", `"claims":`, `"jwt":`},
		{"function-url-iam-item", `"iam":`, `"sub": "42", "iam":`},
		{"alb-item", `"requestContext": {`, `"requestContext": {"authorizer": {"claims": {"sub": "42"}, "jwt": {"claims": {"sub": "42"}}},`},
	} {
		check(forged.sample+" with "+forged.new, s.asks(t, forged.sample, "order:42:x", forged.old, forged.new))
		asked++
	}
	if n := s.Voximplant.Calls("GetKeyValueItem"); n != 0 {
		t.Errorf("%d calls to the API; want none", n)
	}
	s.Stop()
	if n := strings.Count(s.Output(), `"claim_unusable":1`); n != asked {
		t.Errorf("%d lines count an unusable claim; want %d: %s", n, asked, s.Output())
	}
	for _, secret := range []string{"auth0", "anna@", "42:x"} {
		if strings.Contains(s.Output(), secret) {
			t.Errorf("the output holds a claim, %s: %s", secret, s.Output())
		}
	}
}

// TestRulesOfLifetime: each rule has its own ceiling, whatever CACHE_MAX_AGE says, and is public unless it has a placeholder.
func TestRulesOfLifetime(t *testing.T) {
	t.Parallel()
	s := newRuledSandbox(t, "LOCAL_MAX_AGE=0s", "METRICS=true")
	for key, want := range map[string][]string{
		"feature:dark": {"public, max-age=", "s-maxage="}, "status:1": {"public, max-age=", "s-maxage="}, "order:42:x": {"private, max-age="},
	} {
		got := s.asks(t, "http-api-jwt-item", key)
		control := got.header().Get("Cache-Control")
		if key == "status:1" && control == "no-store" {
			continue // the machine is slower than the rule's max-age
		}
		_, rest, _ := strings.Cut(control, "max-age=")
		digits, _, _ := strings.Cut(rest, ",")
		age, err := strconv.Atoi(digits)
		if got.StatusCode != 200 || err != nil {
			t.Errorf("%s: %d, Cache-Control %q", key, got.StatusCode, control)
		}
		for _, part := range want {
			if !strings.Contains(control, part) {
				t.Errorf("%s: Cache-Control %q; want %q in it", key, control, part)
			}
		}
		if most := map[string]int{"feature:dark": 3600, "status:1": 2, "order:42:x": 60}[key]; age > most || key == "feature:dark" && age <= 60 {
			t.Errorf("%s: max-age=%d; want it by the rule, at most %d", key, age, most)
		}
	}
}

// TestStartTellsOfRules: how many rules need claims is in the start line, which holds no exact key.
func TestStartTellsOfRules(t *testing.T) {
	t.Parallel()
	s := newRuledSandbox(t)
	line, _, _ := strings.Cut(s.Output(), "\n")
	var start struct {
		Settings struct {
			AllowedKeys struct {
				NeedClaims int `json:"need_claims"`
				Rules      []string
			} `json:"allowed_keys"`
		}
	}
	if err := json.Unmarshal([]byte(line), &start); err != nil || start.Settings.AllowedKeys.NeedClaims != 2 || !slices.Contains(start.Settings.AllowedKeys.Rules, "status:* max-age=2s") {
		t.Errorf("the start line is %s, %v; want 2 rules that need claims, and the rules", line, err)
	}
}

// TestDirectForAUser: a backend passes its user through, and reads no more than that user may.
func TestDirectForAUser(t *testing.T) {
	t.Parallel()
	s := newRuledSandbox(t, "ALLOW_WRITES=true")
	for payload, want := range map[string]string{
		`{"key":"order:42:x"}`:                                                            `"value":"value of order:42:x"`,
		`{"key":"order:42:x","claims":{"sub":"42"}}`:                                      `"value":"value of order:42:x"`,
		`{"key":"order:42:x","claims":{"sub":"4"}}`:                                       `null`,
		`{"key":"order:42:x","claims":{}}`:                                                `null`,
		`{"keys":["order:42:x","order:43:x"],"claims":{"sub":"43"}}`:                      `"order:42:x":null`,
		`{"operation":"keys","prefix":"order:43:","claims":{"sub":"43"}}`:                 `"key":"order:43:x"`,
		`[{"key":"order:4:x","claims":{"sub":"42"}},{"key":"order:4:x"}]`:                 `[null,{"key":"order:4:x"`,
		`{"operation":"set","key":"order:5:y","value":"v","ttl":60,"claims":{"sub":"5"}}`: `"value":"v"`,
	} {
		if got := string(s.invoke(t, payload).Payload); !strings.Contains(got, want) {
			t.Errorf("%s = %s; want %s in it", payload, got, want)
		}
	}
	for _, payload := range []string{
		`{"operation":"set","key":"order:5:y","value":"v","ttl":60,"claims":{"sub":"6"}}`, `{"operation":"delete","key":"order:42:x","claims":{}}`,
		`{"operation":"list","prefix":"order:42:","claims":{"sub":"43"}}`, `{"operation":"list","prefix":"order:"}`, `{"key":"order:42:x","claims":null}`,
	} {
		if got := s.invoke(t, payload); got.FunctionError == nil || got.FunctionError.Type != "InvalidRequest" {
			t.Errorf("%s = %s, %v; want InvalidRequest", payload, got.Payload, got.FunctionError)
		}
	}
}
