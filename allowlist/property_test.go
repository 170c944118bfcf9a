package allowlist_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"voxkv/allowlist"
)

// A model is a list of rules as the documents tell it, slow and obvious: the text of
// each pattern becomes the text of a plain one for each caller.
type model []string

// decide returns the number of the rule that decides for a caller, -1 if none does,
// and whether a rule before that could decide if its placeholders stood for
// something else.
func (m model) decide(key string, claims map[string]string) (rule int, private bool) {
	for i, pattern := range m {
		private = private || strings.Contains(pattern, "{") && couldMatch(pattern, key)
		if modelMatches(pattern, key, claims) {
			return i, private
		}
	}
	return -1, private
}

// modelMatches puts the claims into pattern and compares.
func modelMatches(pattern, key string, claims map[string]string) bool {
	for _, name := range []string{"a", "b"} {
		value, ok := claims[name]
		if !strings.Contains(pattern, "{"+name+"}") {
			continue
		}
		if !ok || value == "" || strings.Trim(value, modelAlphabet) != "" {
			return false
		}
		pattern = strings.ReplaceAll(pattern, "{"+name+"}", value)
	}
	if prefix, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(key, prefix)
	}
	return key == pattern
}

// couldMatch puts every part of key that could be a claim in place of the first
// placeholder, and then of the next.
func couldMatch(pattern, key string) bool {
	before, rest, found := strings.Cut(pattern, "{")
	if !found {
		return modelMatches(pattern, key, nil)
	}
	if !strings.HasPrefix(key, before) {
		return false // whatever follows
	}
	_, after, _ := strings.Cut(rest, "}")
	for i := range key {
		for j := range key + "x" {
			if i < j && strings.Trim(key[i:j], modelAlphabet) == "" && couldMatch(before+key[i:j]+after, key) {
				return true
			}
		}
	}
	return false
}

// modelAlphabet is what claims of the model may have.
const modelAlphabet = "12xя"

// randomText is up to n pieces.
func randomText(r *rand.Rand, n int, pieces ...string) string {
	var text strings.Builder
	for range r.IntN(n + 1) {
		text.WriteString(pieces[r.IntN(len(pieces))])
	}
	return text.String()
}

// TestNothingReadableThatTheModelForbids compares random rules, claims and keys with
// the model. Rules that Parse refuses count too: those of the model would mean
// something else.
func TestNothingReadableThatTheModelForbids(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	for range 10_000 {
		var rules model
		for range 1 + r.IntN(4) {
			rules = append(rules, randomText(r, 3, "{a}:", "{b};", "{a}", "1", "2:", "x;", "я", "{a}:", "{b}:")+randomText(r, 1, "*", "{b}"))
		}
		l, err := allowlist.Parse(strings.Join(rules, ","))
		if err != nil {
			seen["refused"]++
			continue
		}
		claims := map[string]string{}
		for _, name := range []string{"a", "b"} {
			if r.IntN(5) > 0 {
				claims[name] = randomText(r, 2, "1", "2", "x", "я", "1", "2", "1", "2", ":", "|")
			}
		}
		for range 8 {
			checkAgainstModel(t, seen, l, rules, claims, randomKey(r, rules, claims))
		}
	}
	for _, kind := range []string{"refused", "allowed", "forbidden", "private", "private and allowed", "allowed by claims"} {
		if seen[kind] < 500 {
			t.Errorf("%d cases were %s; want enough of each kind: %v", seen[kind], kind, seen)
		}
	}
}

// randomKey is often one that a rule matches, for this caller or another.
func randomKey(r *rand.Rand, rules model, claims map[string]string) string {
	anything := func() string { return randomText(r, 3, "1", "2", ":", ";", "x", "я", "1:", "2:", "12") }
	if r.IntN(4) == 0 {
		return anything()
	}
	key := rules[r.IntN(len(rules))]
	for _, name := range []string{"a", "b"} {
		value := claims[name]
		if r.IntN(3) == 0 {
			value = anything()
		}
		key = strings.ReplaceAll(key, "{"+name+"}", value)
	}
	return strings.ReplaceAll(key, "*", anything())
}

func checkAgainstModel(t *testing.T, seen map[string]int, l allowlist.List, rules model, claims map[string]string, key string) {
	t.Helper()
	rule, private := rules.decide(key, claims)
	got := l.Decide(key, allowlist.Caller{Claims: claims})
	if got.Allowed != (rule >= 0) || got.Private != private {
		t.Fatalf("rules %q, claims %q: Decide(%q) = %+v; the model says rule %d, private %t", rules, claims, key, got, rule, private)
	}
	if anyone := l.Decide(key, allowlist.Caller{}); anyone.Private != private && rule < 0 {
		t.Fatalf("rules %q: Decide(%q) is private: %t without claims, %t with %q", rules, key, anyone.Private, private, claims)
	}
	for _, prefix := range []string{key, key + ":", key + "1"} {
		if !l.Covers(prefix, allowlist.Caller{Claims: claims}) {
			continue
		}
		for _, rest := range []string{"", "1", ":", "x;2"} {
			if rule, _ := rules.decide(prefix+rest, claims); rule < 0 {
				t.Fatalf("rules %q, claims %q: Covers(%q), but the model forbids %q", rules, claims, prefix, prefix+rest)
			}
		}
	}
	count := func(kind string, when bool) {
		if when {
			seen[kind]++
		}
	}
	count("allowed", got.Allowed)
	count("forbidden", !got.Allowed)
	count("private", private)
	count("private and allowed", private && got.Allowed)
	count("allowed by claims", got.Allowed && strings.Contains(rules[rule], "{"))
}

// FuzzParse holds the parser to what it promises of any text: a list that it accepts
// lets nobody read what another rule of the same text would not.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"feature:* max-age=1h, status:* max-age=2s, order:{sub}:*, call:{phone_number}", "*", "a,b*", "{sub}*", "{a}{b}", "a max-age=", "{sub}:{sub}",
		"order:{sub}:*,order:*", "order:*,order:{sub}:*", "a }{", "{\xff}", "я:{https://a.b/id}:*", "\u00a0a\u0085,b",
	} {
		f.Add(text, "order:42:x", "42")
	}
	f.Fuzz(func(t *testing.T, text, key, claim string) {
		l, err := allowlist.Parse(text)
		if err != nil {
			if l.Decide(key, trusted).Allowed || l.Covers(key, trusted) || len(err.Error()) > 250 {
				t.Errorf("Parse(%q) = a list that allows %q, or an error that is too long: %v", text, key, err)
			}
			return
		}
		checkRights(t, l, key, claim)
		if _, err := allowlist.Parse(fmt.Sprint(text, ", ", text)); err != nil && !strings.ContainsAny(text, "={") {
			t.Errorf("Parse of %q twice: %v; what stands twice counts once", text, err)
		}
	})
}

// checkRights compares what a caller without claims, one whose claims all are claim, and a trusted one may read.
func checkRights(t *testing.T, l allowlist.List, key, claim string) {
	t.Helper()
	claims := allowlist.Claims{}
	for _, name := range []string{"sub", "a", "b", "phone_number", "https://a.b/id"} {
		claims[name] = claim
	}
	anyone, one, all := l.Decide(key, allowlist.Caller{}), l.Decide(key, allowlist.Caller{Claims: claims}), l.Decide(key, trusted)
	byClaim := one.Allowed && !anyone.Allowed
	switch {
	case anyone.Allowed && !one.Allowed, one.Allowed && !all.Allowed:
		t.Errorf("%v, key %q: allowed %t without claims, %t with %q, %t to a trusted caller", l.LogValue(), key, anyone.Allowed, one.Allowed, claim, all.Allowed)
	case byClaim && (!one.Private || !strings.Contains(key, claim)):
		t.Errorf("%v, key %q: the claim %q reads it; want that only if the key has the claim, and then private: %t", l.LogValue(), key, claim, one.Private)
	case one.Private != anyone.Private, one.Private != all.Private:
		t.Errorf("%v, key %q: private %t without claims, %t with %q, %t to a trusted caller", l.LogValue(), key, anyone.Private, one.Private, claim, all.Private)
	}
}

// TestDecideAllocatesNothing, so that rules cost a hit no garbage.
func TestDecideAllocatesNothing(t *testing.T) {
	l := list(t, "feature:* max-age=1h, status:* max-age=2s, order:{sub}:*, a")
	by := sub("42")
	for _, key := range []string{"feature:x", "order:42:x", "order:43:x", "a", "secret"} {
		if n := testing.AllocsPerRun(100, func() { l.Decide(key, by) }); n > 0 {
			t.Errorf("Decide(%q) allocates %v times; want none", key, n)
		}
	}
}
