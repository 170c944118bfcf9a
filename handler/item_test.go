package handler_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"voxkv/internal/itemjson"
	"voxkv/internal/lookuptest"
	"voxkv/lookup"
	"voxkv/voximplant"
)

func TestItem(t *testing.T) {
	t.Parallel()
	// E5-1: 200, the exact content type, a body of exactly key, value and expires_at.
	s := newSite(lookuptest.Living(time.Hour, 0))
	got := s.get(t, "/v1/items/promo:%D0%B2%D0%B5%D1%81%D0%BD%D0%B0")
	want := `{"key":"promo:весна","value":"` + lookuptest.Value + `","expires_at":` + strconv.FormatInt(lookuptest.At().Add(time.Hour).Unix(), 10) + `}`
	if got.status != 200 || got.body != want {
		t.Errorf("GET = %d %s; want 200 %s", got.status, got.body, want)
	}
	for name, want := range map[string]string{
		"Content-Type":                 "application/json; charset=utf-8",
		"Cache-Control":                "public, max-age=60, s-maxage=60, must-revalidate, stale-while-revalidate=0, stale-if-error=0",
		"Expires":                      "Mon, 23 Nov 2026 12:01:00 GMT",
		"X-Accel-Expires":              "@1795435260",
		"X-Content-Type-Options":       "nosniff",
		"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
}

// TestLifetime is B3-1, B3-2, B3-3, B3-5, B3-6, B3-8, B3-23, B3-24 and E5-2, with the rules of B3
// written out anew: 2·max-age + 2 s never reach beyond the item's end, and of a
// life that the end limits shared caches get 2 s less.
func TestLifetime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		left, age       time.Duration
		public, private string // scope and seconds
	}{
		{time.Second, 0, "no-store", "no-store"},
		{2 * time.Second, 0, "no-store", "no-store"},
		{3 * time.Second, 0, "no-store", "private, max-age=1"},
		{3900 * time.Millisecond, 0, "no-store", "private, max-age=1"},
		{4 * time.Second, 0, "private, max-age=1", "private, max-age=2"},
		{7900 * time.Millisecond, 0, "private, max-age=2", "private, max-age=5"},
		{8 * time.Second, 0, "public, max-age=3, s-maxage=1", "private, max-age=6"},
		{10 * time.Second, 0, "public, max-age=4, s-maxage=2", "private, max-age=8"},
		{121900 * time.Millisecond, 0, "public, max-age=59, s-maxage=57", "private, max-age=60"},
		{122 * time.Second, 0, "public, max-age=60, s-maxage=58", "private, max-age=60"},
		{124 * time.Second, 0, "public, max-age=60, s-maxage=59", "private, max-age=60"},
		{126 * time.Second, 0, "public, max-age=60, s-maxage=60", "private, max-age=60"},
		{90 * 24 * time.Hour, 0, "public, max-age=60, s-maxage=60", "private, max-age=60"},
		{time.Hour, 20 * time.Second, "public, max-age=40, s-maxage=40", "private, max-age=40"},
		{time.Hour, 20*time.Second + 1, "public, max-age=39, s-maxage=39", "private, max-age=39"},
		{time.Hour, 59 * time.Second, "public, max-age=1, s-maxage=1", "private, max-age=1"},
		{time.Hour, time.Minute, "no-store", "no-store"},
		{25 * time.Second, 50 * time.Second, "public, max-age=10, s-maxage=9", "private, max-age=10"},

		// The ends of the types, as a clock that was set or a number of a peer may give.
		{math.MinInt64, 0, "no-store", "no-store"},
		{-time.Hour, -time.Hour, "no-store", "no-store"},
		{math.MaxInt64, 0, "public, max-age=60, s-maxage=60", "private, max-age=60"},
		{math.MaxInt64, math.MinInt64, "public, max-age=60, s-maxage=60", "private, max-age=60"},
		{time.Hour, -5 * time.Second, "public, max-age=60, s-maxage=60", "private, max-age=60"},
		{math.MaxInt64, math.MaxInt64, "no-store", "no-store"},
	} {
		t.Run(fmt.Sprintf("left %v, age %v", row.left, row.age), func(t *testing.T) {
			s := newSite(alive(row.left, row.age))
			checkLifetime(t, s.get(t, "/v1/items/k"), row.public)
			checkLifetime(t, s.get(t, "/v1/items?key=k"), row.private)
			s.Private = true
			checkLifetime(t, s.get(t, "/v1/items/k"), row.private)
		})
	}
}

func checkLifetime(t *testing.T, r reply, want string) {
	t.Helper()
	tagged := want != "no-store"
	if tagged {
		want += ", must-revalidate, stale-while-revalidate=0, stale-if-error=0"
	}
	if r.header.Get("Cache-Control") != want || (r.header.Get("Etag") != "") != tagged {
		t.Errorf("header = %v; want Cache-Control %q, an ETag: %t", r.header, want, tagged)
	}
}

// alive finds an item with any life left, of any age.
func alive(left, age time.Duration) lookup.Func {
	return func(ctx context.Context, key string) (lookup.Answer, error) {
		a, err := holding(lookuptest.Value)(ctx, key)
		a.Left, a.Age = left, age
		return a, err
	}
}

func TestUnknownExpiry(t *testing.T) {
	t.Parallel()
	// B3-17: expires_at is null, and nobody may keep the item.
	s := newSite(func(_ context.Context, key string) (lookup.Answer, error) {
		return lookup.Answer{Item: &voximplant.KeyValueItem{Key: key, Value: "v"}, At: lookuptest.At()}, nil
	})
	got := s.get(t, "/v1/items/k", "If-None-Match", "*")
	if want := `{"key":"k","value":"v","expires_at":null}`; got.status != 200 || got.body != want || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("GET = %d %s, Cache-Control %q; want 200 %s, no-store", got.status, got.body, got.header.Get("Cache-Control"), want)
	}
}

func TestCachingForbidden(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Living(time.Hour, 0))
	s.MaxAge, s.NotFoundMaxAge = 0, 0
	if got := s.get(t, "/v1/items/k").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("with MaxAge 0, Cache-Control = %q; want no-store", got)
	}
	s.Lookup = lookuptest.Failing(voximplant.ErrNotFound)
	if got := s.get(t, "/v1/items/k").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("with NotFoundMaxAge 0, Cache-Control of a 404 = %q; want no-store", got)
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	tag := func(left, age time.Duration) string {
		return newSite(lookuptest.Living(left, age)).get(t, "/v1/items/k").header.Get("Etag")
	}
	far := tag(time.Hour, 0)
	// B3-10: strong, at least 96 bits.
	if len(far) < 2+16 || far[0] != '"' || far[len(far)-1] != '"' || strings.ContainsAny(far[1:len(far)-1], `"\ `) {
		t.Errorf("ETag = %q; want a strong one of at least 16 base64url characters", far)
	}
	configured := func(set func(*site), header ...string) string {
		s := newSite(lookuptest.Living(time.Hour, 0))
		set(s)
		return s.get(t, "/v1/items/k", header...).header.Get("Etag")
	}
	list := func(s *site) { s.Origins = []string{"https://app.example.com"} }
	for _, row := range []struct {
		name string
		tag  string
		same bool
	}{
		{"another ceiling", configured(func(s *site) { s.MaxAge = 59 * time.Second }), false},
		{"another scope", configured(func(s *site) { s.Private = true }), false},
		{"a list of origins", configured(list), false},
		{"a listed origin", configured(list, "Origin", "https://app.example.com"), false},
		{"another NOT_FOUND_MAX_AGE", configured(func(s *site) { s.NotFoundMaxAge = 0 }), true},
		{"E5-10: another container, another age", tag(time.Hour, 30*time.Second), true},
		{"E5-11: expires_at prolonged", tag(2*time.Hour, 0), false},
		{"E5-11: value overwritten", newSite(holding("another")).get(t, "/v1/items/k").header.Get("Etag"), false},
		{"B3-9: clipped, the ETag is another", tag(100*time.Second, 0), false},
	} {
		if (row.tag == far) != row.same {
			t.Errorf("%s: ETag %q beside %q; want the same: %v", row.name, row.tag, far, row.same)
		}
	}
	// A 304 from one container must not change the Cache-Control that another has sent.
	if a, b := tag(100*time.Second, 0), tag(100*time.Second, 30*time.Second); a == b {
		t.Errorf("near the end, with another age: ETag %q twice; want another", a)
	}
}

// TestClippedETagChanges is B3-9, B3-11, B3-12 and E5-9: one second apart near the end, an
// earlier ETag gets a 200, and so does "*"; far from it, a 304. The body is the same.
func TestClippedETagChanges(t *testing.T) {
	t.Parallel()
	var left time.Duration
	s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) { return alive(left, 0)(ctx, key) })
	for seconds := 200; seconds > 0; seconds-- {
		left = time.Duration(seconds) * time.Second
		first := s.get(t, "/v1/items/k")
		left -= time.Second
		second := s.get(t, "/v1/items/k", "If-None-Match", first.header.Get("Etag"))
		want, body := http.StatusOK, first.body
		if seconds-1 >= 126 {
			want, body = http.StatusNotModified, ""
		}
		if second.status != want || second.body != body {
			t.Errorf("with %d s left, then one less: %d %s; want %d %s", seconds, second.status, second.body, want, body)
		}
		if whatever := s.get(t, "/v1/items/k", "If-None-Match", "*"); whatever.status != want {
			t.Errorf(`with %d s left, "*" gets %d; want %d`, seconds-1, whatever.status, want)
		}
		if second.status == http.StatusNotModified && second.header.Get("Cache-Control") != first.header.Get("Cache-Control") {
			t.Errorf("with %d s left, a 304 changes Cache-Control from %q to %q", seconds-1, first.header.Get("Cache-Control"), second.header.Get("Cache-Control"))
		}
	}
}

// FuzzIfNoneMatch is B3-12, B3-13 and E5-8, against the grammar of RFC 9110 as an expression: a well-formed list with
// the tag, or "*" alone.
func FuzzIfNoneMatch(f *testing.F) {
	s := newSite(lookuptest.Living(time.Hour, 0))
	full := s.get(f, "/v1/items/k")
	tag := full.header.Get("Etag")
	const one = `(?:W/)?"[^\x00-\x20"\x7f]*"`
	// Any element of a list may be empty (section 5.6.1.2).
	wellFormed := regexp.MustCompile(`^[ \t]*(?:` + one + `)?(?:[ \t]*,[ \t]*(?:` + one + `)?)*[ \t]*$`)
	for _, seed := range []string{
		"", "*", " * ", "*,", `"*"`, `"a", *`, tag + ", *", `"a,*,b"`, `"old, *, x"`,
		tag, "W/" + tag, "w/" + tag, "W/W/" + tag, "W/ " + tag, "  " + tag + "  ", tag + "x", tag[:len(tag)-1], strings.Trim(tag, `"`), `"` + tag + `"`, strings.ToUpper(tag),
		`"x", W/` + tag + ",,", tag + `, "other"`, `"other",` + tag + `,"more"`, `,, ` + tag, `"old",,` + tag + " ,", `"a,*,b",` + "\t" + tag + " ,", `"other", W/"more"`,
		`"a,` + tag[1:], tag + ` "no comma"`, tag + `, "a b"`, tag + `, "unfinished`, tag + `, W/`, "W/", `"`, `"€", ` + tag, "\x00",
	} {
		f.Add(seed, "")
	}
	f.Add("*", "*")
	f.Add("*", tag)
	f.Add(`"other"`, tag)
	f.Add(`"a`, `b", `+tag)
	f.Fuzz(func(t *testing.T, first, second string) {
		lines := []string{first, second}
		if second == "" {
			lines = lines[:1]
		}
		r := httptest.NewRequest(http.MethodGet, "/v1/items/k", nil)
		r.Header["If-None-Match"] = lines
		field := strings.Join(lines, ", ")
		tags := regexp.MustCompile(one).FindAllString(field, -1)
		want := full
		if strings.Trim(field, " \t") == "*" || wellFormed.MatchString(field) && (slices.Contains(tags, tag) || slices.Contains(tags, "W/"+tag)) {
			want.status, want.body = http.StatusNotModified, ""
		}
		if got := s.serve(r); !sameAnswer(got, want) {
			t.Errorf("If-None-Match %q: %s; want %s", lines, got.text(), want.text())
		}
	})
}

// TestHead is B3-15 and E5-6. The body stays: the gateway strips it, and an
// empty one would let it write Content-Length: 0.
func TestHead(t *testing.T) {
	t.Parallel()
	for name, find := range map[string]lookup.Func{
		"item": lookuptest.Living(time.Hour, 0), "missing": lookuptest.Failing(voximplant.ErrNotFound), "failing": lookuptest.Failing(errAny),
	} {
		asked := 0
		s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
			asked++
			return find(ctx, key)
		})
		head, get := s.ask(t, http.MethodHead, "/v1/items/k"), s.get(t, "/v1/items/k")
		if !sameAnswer(head, get) || head.body == "" || asked != 2 {
			t.Errorf("%s: HEAD = %s after %d lookups; want what GET has, each after its own: %s", name, head.text(), asked, get.text())
		}
	}
}

// TestHostileValues is E5-16: whatever a value holds comes out as JSON that
// holds the same, and no markup.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"", "<script>alert(1)</script>", "a\r\nSet-Cookie: x=1", "\x00\x01\x7f", "\u2028\u2029", `"\`, "😀", strings.Repeat("я", 2000)} {
		got := newSite(holding(v)).get(t, "/v1/items/k")
		if item := decode[itemjson.Item](t, got.body); item.Value != v {
			t.Errorf("value %q came out as %q", v, item.Value)
		}
		if strings.ContainsAny(got.body, "<>\u2028\u2029\r\n\x00") {
			t.Errorf("body %q holds markup or control characters", got.body)
		}
	}
}

// TestRequestHeadersChangeNothing is B3-14 and E5-17.
func TestRequestHeadersChangeNothing(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Living(time.Hour, 0))
	plain := s.get(t, "/v1/items/k")
	for _, header := range [][]string{
		{"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-Proto", "http"}, {"Forwarded", "for=1;host=evil.example"},
		{"Accept", "text/html"}, {"Accept-Language", "de"}, {"Accept-Encoding", "gzip"}, {"Cookie", "a=b"}, {"User-Agent", "x"},
		{"X-HTTP-Method-Override", "DELETE"}, {"Authorization", "Bearer x"}, {"Origin", "https://example.com"}, {"X-Request-Id", "mine"},
		{"If-Modified-Since", lookuptest.At().Add(time.Hour).Format(http.TimeFormat)}, {"If-Match", `"other"`},
		{"Range", "bytes=0-1"}, {"Range", "bytes=0-1", "If-Range", plain.header.Get("Etag")},
	} {
		if got := s.get(t, "/v1/items/k?utm=1&x=%zz", header...); !sameAnswer(got, plain) {
			t.Errorf("with %q: %s; want %s", header, got.text(), plain.text())
		}
	}
}

// FuzzLifetime holds B3-1 and B3-2 for any life, age and ceiling.
func FuzzLifetime(f *testing.F) {
	f.Add(int64(time.Hour), int64(0), int64(time.Minute))
	f.Add(int64(4*time.Second), int64(time.Second), int64(6*time.Second))
	f.Add(int64(9*time.Second), int64(0), int64(6*time.Second))
	f.Add(int64(1), int64(math.MaxInt32), int64(1))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64))
	f.Add(int64(math.MinInt64), int64(math.MinInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, left, age, ceiling int64) {
		if ceiling < 0 {
			t.Skip("a setting is not negative")
		}
		s := newSite(alive(time.Duration(left), time.Duration(age)))
		s.MaxAge = time.Duration(ceiling)
		r := s.get(t, "/v1/items/k")
		if r.header.Get("Cache-Control") == "no-store" {
			return
		}
		d := directives(t, r)
		maxAge, err := strconv.ParseInt(d["max-age"], 10, 64)
		if err != nil || maxAge < 1 {
			t.Fatalf("Cache-Control = %q; want no-store or a positive max-age", r.header.Get("Cache-Control"))
		}
		shared, _ := strconv.ParseInt(d["s-maxage"], 10, 64)
		life, whole := time.Duration(maxAge)*time.Second, max(left, 0)/int64(time.Second)
		if 2*maxAge+2 > whole || life > time.Duration(ceiling) || life > time.Duration(ceiling)-time.Duration(max(age, 0)) {
			t.Errorf("max-age=%d for an item %v old with %v to live, ceiling %v", maxAge, time.Duration(age), time.Duration(left), time.Duration(ceiling))
		}
		if _, public := d["public"]; public != (shared > 0) || shared > maxAge || 2*shared+6 > whole && shared > 0 {
			t.Errorf("s-maxage=%d beside max-age=%d for an item with %v to live: %v", shared, maxAge, time.Duration(left), d)
		}
	})
}
