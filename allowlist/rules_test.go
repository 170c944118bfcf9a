package allowlist_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"voxkv/allowlist"
)

// list parses a list that must be good.
func list(t testing.TB, text string) allowlist.List {
	t.Helper()
	l, err := allowlist.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q) = _, %v; want no error", text, err)
	}
	return l
}

// sub is a caller whose claim sub has this value.
func sub(value string) allowlist.Caller {
	return allowlist.Caller{Claims: allowlist.Claims{"sub": value}}
}

var trusted = allowlist.Caller{Trusted: true}

func TestRulesAreRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"feature:* max-age=1h, status:* max-age=2s, order:{sub}:*, call:{phone_number}",
		"a max-age=0s", "a max-age=1h30m", "a* max-age=1.5s", "a max-age=500ms", "a max-age=2160h", "a\tmax-age=2s\n, b",
		"{sub}", "{sub}:*", "{sub};*", "{sub}:x", "a{sub}", "a:{sub};b", "{a}:{b}", "{sub}:{sub}", "{cognito:username}:*",
		"{https://example.com/claims/user_id}:*", "{A-z.0_9}", "order:{sub}:* max-age=2s,order:*",
		"order:1 max-age=2s,order:*,*", "order:{a}:*,order:{b}:*", "order:{sub},order:{sub}:*", "a,a", "a max-age=1m,a max-age=60s",
		"a*,ab,ab*", "*,a", "a,a* max-age=1h,a", "{sub}:{sub},{sub}", strings.Repeat("x", 198) + ":{a}",
		"status,order:*,a+b,a#b,a;b", " status ,\torder:* ,\nx", "ключЁё,весна*", strings.Repeat("ё", 200), strings.Repeat("ё", 200) + "*",
	} {
		list(t, text)
	}
}

func TestRulesAreRefused(t *testing.T) {
	t.Parallel()
	for want, texts := range map[string][]string{
		"pattern 1: it is empty": {"", "  "},
		"pattern 2: it is empty": {"a,,b", "a, ,b", "a,"},

		"it has a * that is not at its end":         {"a*b", "*a", "**", "{sub}:*:x", "*:{sub}", "{sub}:**"},
		"the key has a character outside":           {"a/b", "a\xff", "{sub}:/", "max-age=2s"},
		"the key has more than 200 characters":      {strings.Repeat("ё", 201), strings.Repeat("ё", 201) + "*", strings.Repeat("x", 199) + ":{a}"},
		"it has a { without a } after it":           {"{sub", "a{", "{a b}"},
		"it has a } without a { before it":          {"sub}", "{a}:}"},
		"a placeholder {} without the name":         {"{}"},
		"the name of a claim has a character":       {"{a{b}}", "{имя}", "{a*}"},
		"pattern 2: a placeholder must be":          {"ok,order:{sub}*"},
		"followed by a colon, a semicolon or the":   {"order:{sub}-x", "{a}{b}", "{sub}ж:*"},
		"the one option is max-age=":                {"a ttl=2s", "a Max-Age=2s", "a b", "a *"},
		"accepted: a duration such as 2s, 1h or 0s": {"a max-age", "a max-age = 2s", "a max-age=2", "a max-age=-1s", "a max-age=2160h1ns", "a max-age=99999999999h"},
		"it has two max-age":                        {"a max-age=2s max-age=2s"},

		"pattern 2: it is pattern 1 again with another max-age": {"a max-age=1s,a max-age=2s", "a,a max-age=60s"},
		"pattern 3: it is pattern 1 again":                      {"a,a* max-age=1h,a max-age=1h"},
		"pattern 3: it is pattern 2 again":                      {"x,a:{sub}:*,a:{sub}:* max-age=2s"},
		"pattern 4: it is pattern 2 again":                      {"a,b max-age=2s,c,b\t\n"},
		"pattern 2: it never decides, since pattern 1 matches first": {
			"order:*,order:{sub}:*", "*,{sub}", "order:* max-age=1h,order:1", "order:*,order:1 max-age=2s", "{sub}:*,{sub}:x", "a:{sub}:*,a:{sub}:{b}:*",
		},
	} {
		for _, text := range texts {
			l, err := allowlist.Parse(text)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Parse(%q) = _, %v; want %q", text, err, want)
			}
			if l.Decide("a", trusted).Allowed || l.Everything() {
				t.Errorf("Parse(%q) = a list that allows keys, and an error", text)
			}
		}
	}
}

// TestRefusalsQuoteNothing: a pattern may be a phone number.
func TestRefusalsQuoteNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"+15550100 +15550100", "+15550100 max-age=15550100", "{+15550100}", "+15550100{sub}+15550100", "+15550100}", "{15550100", "+15550100*x",
		"+15550100 max-age=1s,+15550100 max-age=2s", "+15550100*,+15550100:{sub}", "+15550100 15550100=2s", "+15550100/",
	} {
		if _, err := allowlist.Parse(text); err == nil || strings.Contains(err.Error(), "5550") {
			t.Errorf("Parse(%q) = _, %v; want an error without the number", text, err)
		}
	}
}

// TestAdversary: who tries to read what belongs to somebody else.
func TestAdversary(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ё", 128)
	for _, tt := range []struct {
		name, list, key string
		by              allowlist.Caller
		want            bool
	}{
		{"one's own", "order:{sub}:*", "order:42:x", sub("42"), true},
		{"somebody else's", "order:{sub}:*", "order:43:x", sub("42"), false},
		{"without claims", "order:{sub}:*", "order:42:x", allowlist.Caller{}, false},
		{"with other claims", "order:{sub}:*", "order:42:x", allowlist.Caller{Claims: allowlist.Claims{"Sub": "42", "sub ": "42", "": "42"}}, false},
		{"my id begins like another's", "order:{sub}:*", "order:12:x", sub("1"), false},
		{"another's id begins like mine", "order:{sub}:*", "order:1:x", sub("12"), false},
		{"my own before a semicolon", "order:{sub};x", "order:12;x", sub("12"), true},
		{"nothing after the separator", "order:{sub}:*", "order:42:", sub("42"), true},
		{"more than the whole", "order:{sub}", "order:42:x", sub("42"), false},
		{"a claim with a colon", "order:{sub}:*", "order:1:2:x", sub("1:2"), false},
		{"a claim with a semicolon", "order:{sub};*", "order:1;2;x", sub("1;2"), false},
		{"a claim that ends with the separator", "order:{sub}:*", "order:42::x", sub("42:"), false},
		{"a claim that is a star", "order:{sub}:*", "order:42:x", sub("*"), false},
		{"an empty claim", "order:{sub}:*", "order::x", sub(""), false},
		{"an empty run without a claim", "order:{sub}:*", "order::x", allowlist.Caller{}, false},
		{"a trusted caller and an empty run", "order:{sub}:*", "order::x", trusted, false},
		{"a claim with every other key character", "order:{sub}:*", "order:azAZ09аяАЯёЁ_-.#+:x", sub("azAZ09аяАЯёЁ_-.#+"), true},
		{"a claim with a pipe", "order:{sub}:*", "order:auth0|abc:x", sub("auth0|abc"), false},
		{"a claim with a space around it", "order:{sub}:*", "order:42:x", sub("42 "), false},
		{"a claim with a NUL", "order:{sub}:*", "order:42:x", sub("42\x00"), false},
		{"the letter of another alphabet", "order:{sub}:*", "order:а:x", sub("a"), false},
		{"a combining mark in both", "order:{sub}:*", "order:и\u0306:x", sub("и\u0306"), false},
		{"a composed letter outside the alphabet", "order:{sub}:*", "order:é:x", sub("é"), false},
		{"upper and lower case", "order:{sub}:*", "order:ab:x", sub("AB"), false},
		{"bytes that are no text", "order:{sub}:*", "order:4\xff:x", sub("4\xff"), false},
		{"the longest claim", "{sub}", long, sub(long), true},
		{"a claim too long", "{sub}", long + "ё", sub(long + "ё"), false},
		{"a claim too long for a trusted caller too", "{sub}", long + "ё", trusted, false},
		{"the same claim twice", "{sub}:{sub}", "42:42", sub("42"), true},
		{"the same claim twice, one of them another's", "{sub}:{sub}", "42:43", sub("42"), false},
		{"two claims", "{org}:{sub}:*", "a:42:x", allowlist.Caller{Claims: allowlist.Claims{"org": "a", "sub": "42"}}, true},
		{"two claims, swapped", "{org}:{sub}:*", "42:a:x", allowlist.Caller{Claims: allowlist.Claims{"org": "a", "sub": "42"}}, false},
		{"two claims, one of them missing", "{org}:{sub}:*", "a:42:x", sub("42"), false},
		{"a namespaced claim", "u:{https://a.b/id}", "u:42", allowlist.Caller{Claims: allowlist.Claims{"https://a.b/id": "42"}}, true},
		{"a later rule for everyone", "order:{sub}:*,order:public:*", "order:public:x", sub("42"), true},
		{"a trusted caller", "order:{sub}:*", "order:43:x", trusted, true},
		{"a trusted caller, a run with a separator", "order:{sub}", "order:4:3", trusted, false},
		{"claims of a trusted caller do not count", "order:{sub}", "order:43", allowlist.Caller{Trusted: true, Claims: allowlist.Claims{"sub": "42"}}, true},
	} {
		if got := list(t, tt.list).Decide(tt.key, tt.by).Allowed; got != tt.want {
			t.Errorf("%s: %s: Decide(%q, %+v).Allowed = %t; want %t", tt.name, tt.list, tt.key, tt.by, got, tt.want)
		}
	}
}

// TestFirstRuleDecides: the lifetime and whether an answer is private are those of
// the first rule that matches, and an answer that could depend on claims is private.
func TestFirstRuleDecides(t *testing.T) {
	t.Parallel()
	const none = -1
	l := list(t, "order:42:shared, feature:* max-age=1h, order:{sub}:* max-age=2s, order:public:*, +15550100 max-age=0s")
	for _, tt := range []struct {
		key              string
		by               allowlist.Caller
		allowed, private bool
		unusable         bool
		maxAge           time.Duration
	}{
		{"order:42:shared", sub("43"), true, false, false, none},
		{"order:42:shared", allowlist.Caller{}, true, false, false, none},
		{"feature:a", allowlist.Caller{}, true, false, false, time.Hour},
		{"order:42:x", sub("42"), true, true, false, 2 * time.Second},
		{"order:43:x", sub("42"), false, true, false, none},
		{"order:43:x", allowlist.Caller{}, false, true, true, none},
		{"order:43:x", sub("auth0|42"), false, true, true, none},
		{"order:43:x", trusted, true, true, false, 2 * time.Second},
		{"order:public:x", sub("42"), true, true, false, none},
		{"order:public:x", sub("public"), true, true, false, 2 * time.Second},
		{"order:42", sub("42"), false, false, false, none},
		{"order::x", sub("42"), false, false, false, none},
		{"+15550100", sub("42"), true, false, false, 0},
		{"secret", sub("42"), false, false, false, none},
	} {
		d := l.Decide(tt.key, tt.by)
		age := time.Duration(none)
		if d.MaxAge != nil {
			age = *d.MaxAge
		}
		if d.Allowed != tt.allowed || d.Private != tt.private || d.ClaimUnusable != tt.unusable || age != tt.maxAge {
			t.Errorf("Decide(%q, %+v) = %+v, max-age %v; want allowed %t, private %t, unusable %t, %v",
				tt.key, tt.by, d, age, tt.allowed, tt.private, tt.unusable, tt.maxAge)
		}
	}
}

// TestClaimUnusable: a claim that fits no key counts where it is what keeps the rule
// from matching, and not where another claim of the caller is that of somebody else.
func TestClaimUnusable(t *testing.T) {
	t.Parallel()
	l := list(t, "{tenant}:{sub}:*")
	for _, tt := range []struct {
		key, tenant, sub string
		want             bool
	}{
		{"a:42:x", "a", "42", false},
		{"a:42:x", "a", "43", false},
		{"a:42:x", "a", "", true},
		{"a:42:x", "a", "auth0|42", true},
		{"a:42:x", "a", "42:x", true},
		{"a:42:x", "", "42", true},
		{"a:42:x", "", "", true},
		{"a:42:x", "b", "", false},
		{"a:42:x", "", "43", false},
		{"a:42", "a", "", false},
	} {
		d := l.Decide(tt.key, allowlist.Caller{Claims: allowlist.Claims{"tenant": tt.tenant, "sub": tt.sub}})
		if d.ClaimUnusable != tt.want || d.Allowed && (tt.tenant != "a" || tt.sub != "42") {
			t.Errorf("Decide(%q) with tenant %q, sub %q = %+v; want it unusable: %t", tt.key, tt.tenant, tt.sub, d, tt.want)
		}
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		list, prefix string
		by           allowlist.Caller
		want         bool
	}{
		{"order:*", "order:", allowlist.Caller{}, true},
		{"order:*", "order:1", allowlist.Caller{}, true},
		{"order:*", "order", allowlist.Caller{}, false},
		{"order:1", "order:1", allowlist.Caller{}, false},
		{"*", "", allowlist.Caller{}, true},
		{"order:{sub}:*", "order:42:", sub("42"), true},
		{"order:{sub}:*", "order:42:x", sub("42"), true},
		{"order:{sub}:*", "order:42", sub("42"), false},
		{"order:{sub}:*", "order:", sub("42"), false},
		{"order:{sub}:*", "order:43:", sub("42"), false},
		{"order:{sub}:*", "order:42:", allowlist.Caller{}, false},
		{"order:{sub}:*", "order:42:", trusted, true},
		{"order:{sub}:*", "order:", trusted, false},
		{"order:{sub}:*", "order:4", trusted, false},
		{"order:{sub}", "order:42", sub("42"), false},
	} {
		if got := list(t, tt.list).Covers(tt.prefix, tt.by); got != tt.want {
			t.Errorf("%s: Covers(%q, %+v) = %t; want %t", tt.list, tt.prefix, tt.by, got, tt.want)
		}
	}
}

func TestGivenAway(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int{
		"order:{sub}:*, order:*": {1, 2}, "a, order:{sub}, ord*": {2, 3}, "{sub}:x, b, *": {1, 3}, "order:{sub}:*, order:42:*": {}, "order:{sub}:*, orders:*": {},
		"order:{sub}:*, order:{org}:*": {}, "order:*, *": {}, "order:{sub}:*": {},
	} {
		some, everyone, ok := list(t, text).GivenAway()
		if got := [2]int{some, everyone}; got != want || ok != (want != [2]int{}) {
			t.Errorf("%s: GivenAway = %v, %t; want %v", text, got, ok, want)
		}
	}
}

func TestParseClaims(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]allowlist.Claims{
		`{}`: {}, ` {"sub":"42"} `: {"sub": "42"}, `{"sub":42}`: {"sub": "42"}, `{"sub":-42}`: {"sub": "-42"}, `{"sub":0}`: {"sub": "0"},
		`{"sub":9007199254740993}`: {"sub": "9007199254740993"}, `{"sub":123456789012345678901234567890}`: {"sub": "123456789012345678901234567890"},
		`{"a":1.0,"b":1e3,"c":-0,"d":1.5,"e":true,"f":null,"g":["42"],"h":{"sub":"42"},"i":"x"}`: {"i": "x"},
		`{"sub":"\u0034\u0032"}`: {"sub": "42"}, `{"sub":""}`: {"sub": ""}, "{\"sub\":\"4\xff\"}": {"sub": "4\ufffd"}, `{"sub":"\ud800"}`: {"sub": "\ufffd"},
		``: nil, `null`: nil, `"sub"`: nil, `["sub"]`: nil, `42`: nil, `{"sub":"42"`: nil, `{"sub":"1","sub":"2"}`: nil, `{"a":{"b":1,"b":2}}`: nil, `{"sub":"42"}x`: nil,
	} {
		got, ok := allowlist.ParseClaims([]byte(text))
		if ok != (want != nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseClaims(%s) = %v, %t; want %v", text, got, ok, want)
		}
	}
}

// TestCallerOf: who is not named has no rights.
func TestCallerOf(t *testing.T) {
	t.Parallel()
	if got := allowlist.CallerOf(t.Context()); got.Trusted || got.Claims != nil {
		t.Errorf("CallerOf = %+v; want nobody", got)
	}
	ctx := allowlist.WithCaller(t.Context(), trusted)
	if got := allowlist.CallerOf(allowlist.WithCaller(ctx, sub("42"))); got.Trusted || got.Claims["sub"] != "42" {
		t.Errorf("CallerOf = %+v; want the caller named last", got)
	}
}
