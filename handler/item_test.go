package handler_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

func TestItem(t *testing.T) {
	t.Parallel()
	// E5-1: 200, the exact content type, a body of exactly key, value and expires_at.
	s := newSite(living(time.Hour, 0))
	got := s.get(t, "/v1/items/promo:%D0%B2%D0%B5%D1%81%D0%BD%D0%B0")
	want := `{"key":"promo:весна","value":"` + value + `","expires_at":` + strconv.FormatInt(at.Add(time.Hour).Unix(), 10) + `}`
	if got.status != 200 || got.body != want {
		t.Errorf("GET = %d %s; want 200 %s", got.status, got.body, want)
	}
	for name, want := range map[string]string{
		"Content-Type":                  "application/json; charset=utf-8",
		"Cache-Control":                 "public, max-age=60, must-revalidate, stale-while-revalidate=0, stale-if-error=0",
		"Expires":                       "Mon, 23 Nov 2026 12:01:00 GMT",
		"Access-Control-Allow-Origin":   "*",
		"Access-Control-Expose-Headers": "ETag, Date, Age, Retry-After, X-Request-Id",
		"X-Content-Type-Options":        "nosniff",
		"Content-Security-Policy":       "default-src 'none'; frame-ancestors 'none'",
		"Cross-Origin-Resource-Policy":  "same-origin",
		"Referrer-Policy":               "no-referrer",
		"Vary":                          "",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
}

// TestLifetime is B3-1, B3-2, B3-3, B3-5, B3-6, B3-8, B3-23, B3-24 and E5-2, with the rules of B3
// written out anew: 2·max-age + 2 s never reach beyond the item's end.
func TestLifetime(t *testing.T) {
	t.Parallel()
	rows := []struct {
		left    float64 // seconds to live
		age     time.Duration
		public  int // max-age; 0 is no-store
		private int
	}{
		{left: 1, public: 0, private: 0},
		{left: 2, public: 0, private: 0},
		{left: 3, public: 0, private: 1},
		{left: 3.9, public: 0, private: 1},
		{left: 4, public: 1, private: 2},
		{left: 5, public: 1, private: 3},
		{left: 10, public: 4, private: 8},
		{left: 61, public: 29, private: 59},
		{left: 121.9, public: 59, private: 60},
		{left: 122, public: 60, private: 60},
		{left: 3600, public: 60, private: 60},
		{left: 7776000, public: 60, private: 60},
		{left: 3600, age: 20 * time.Second, public: 40, private: 40},
		{left: 3600, age: 20*time.Second + 1, public: 39, private: 39},
		{left: 3600, age: time.Minute, public: 0, private: 0},
		{left: 50, age: 50 * time.Second, public: 10, private: 10},
	}
	for _, row := range rows {
		t.Run(fmt.Sprintf("left %gs, age %v", row.left, row.age), func(t *testing.T) {
			t.Parallel()
			s := newSite(living(time.Duration(row.left*float64(time.Second)), row.age))
			checkLifetime(t, s.get(t, "/v1/items/k"), "public", row.public, row.left, 2)
			checkLifetime(t, s.get(t, "/v1/items?key=k"), "private", row.private, row.left, 1)
			s.Private = true
			checkLifetime(t, s.get(t, "/v1/items/k"), "private", row.private, row.left, 1)
		})
	}
}

func checkLifetime(t *testing.T, r reply, scope string, want int, left, hops float64) {
	t.Helper()
	d := directives(t, r)
	if want == 0 {
		if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Expires") != "" || r.header.Get("Etag") != "" {
			t.Errorf("header = %v; want no-store, no Expires, no ETag", r.header)
		}
		return
	}
	if _, ok := d[scope]; !ok || d["max-age"] != strconv.Itoa(want) {
		t.Errorf("Cache-Control = %q; want %s, max-age=%d", r.header.Get("Cache-Control"), scope, want)
	}
	if hops*float64(want)+2 > left {
		t.Errorf("%g × %d s + 2 s reach beyond the %g s that are left", hops, want, left)
	}
	expires, err := http.ParseTime(r.header.Get("Expires"))
	if err != nil || !expires.Equal(at.Add(time.Duration(want)*time.Second)) {
		t.Errorf("Expires = %q, %v; want generation time + %d s", r.header.Get("Expires"), err, want)
	}
}

func TestUnknownExpiry(t *testing.T) {
	t.Parallel()
	// B3-17: expires_at is null, and nobody may keep the item.
	s := newSite(func(_ context.Context, key string) (lookup.Answer, error) {
		return lookup.Answer{Item: &voximplant.KeyValueItem{Key: key, Value: "v"}, At: at}, nil
	})
	got := s.get(t, "/v1/items/k", "If-None-Match", "*")
	if want := `{"key":"k","value":"v","expires_at":null}`; got.status != 200 || got.body != want || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("GET = %d %s, Cache-Control %q; want 200 %s, no-store", got.status, got.body, got.header.Get("Cache-Control"), want)
	}
}

func TestCachingForbidden(t *testing.T) {
	t.Parallel()
	s := newSite(living(time.Hour, 0))
	s.MaxAge, s.NotFoundMaxAge = 0, 0
	if got := s.get(t, "/v1/items/k").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("with MaxAge 0, Cache-Control = %q; want no-store", got)
	}
	s.Lookup = failing(voximplant.ErrNotFound)
	if got := s.get(t, "/v1/items/k").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("with NotFoundMaxAge 0, Cache-Control of a 404 = %q; want no-store", got)
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	tag := func(left, age time.Duration) string {
		return newSite(living(left, age)).get(t, "/v1/items/k").header.Get("Etag")
	}
	far := tag(time.Hour, 0)
	// B3-10: strong, at least 96 bits.
	if len(far) < 2+16 || far[0] != '"' || far[len(far)-1] != '"' || strings.ContainsAny(far[1:len(far)-1], `"\ `) {
		t.Errorf("ETag = %q; want a strong one of at least 16 base64url characters", far)
	}
	overwritten := newSite(func(_ context.Context, key string) (lookup.Answer, error) {
		return lookup.Answer{Item: &voximplant.KeyValueItem{Key: key, Value: "another", ExpiresAt: at.Add(time.Hour)}, At: at, Left: time.Hour}, nil
	})
	for _, row := range []struct {
		name string
		tag  string
		same bool
	}{
		{"E5-10: another container, another age", tag(time.Hour, 30*time.Second), true},
		{"E5-11: expires_at prolonged", tag(2*time.Hour, 0), false},
		{"E5-11: value overwritten", overwritten.get(t, "/v1/items/k").header.Get("Etag"), false},
		{"B3-9: clipped, the ETag is another", tag(100*time.Second, 0), false},
	} {
		if (row.tag == far) != row.same {
			t.Errorf("%s: ETag %q beside %q; want the same: %v", row.name, row.tag, far, row.same)
		}
	}
}

// TestClippedETagChanges is B3-9 and E5-9: one second apart near the end, an
// earlier ETag gets a 200; far from it, a 304.
func TestClippedETagChanges(t *testing.T) {
	t.Parallel()
	end := at.Add(time.Hour)
	now := at
	s := newSite(func(_ context.Context, key string) (lookup.Answer, error) {
		item := &voximplant.KeyValueItem{Key: key, Value: value, ExpiresAt: end}
		return lookup.Answer{Item: item, At: now, Left: end.Sub(now)}, nil
	})
	for left := 200; left > 0; left-- {
		now = end.Add(-time.Duration(left) * time.Second)
		first := s.get(t, "/v1/items/k")
		now = now.Add(time.Second)
		second := s.get(t, "/v1/items/k", "If-None-Match", first.header.Get("Etag"))
		want := http.StatusOK
		if left-1 >= 122 {
			want = http.StatusNotModified
		}
		if second.status != want {
			t.Errorf("with %d s left, then %d: status %d; want %d", left, left-1, second.status, want)
		}
		if second.status == http.StatusNotModified && second.header.Get("Cache-Control") != first.header.Get("Cache-Control") {
			t.Errorf("with %d s left, a 304 changes Cache-Control from %q to %q", left-1, first.header.Get("Cache-Control"), second.header.Get("Cache-Control"))
		}
	}
}

// TestIfNoneMatch is B3-12 and E5-8.
func TestIfNoneMatch(t *testing.T) {
	t.Parallel()
	s := newSite(living(time.Hour, 0))
	full := s.get(t, "/v1/items/k")
	tag := full.header.Get("Etag")
	for _, row := range []struct {
		lines []string
		want  int
	}{
		{[]string{tag}, 304},
		{[]string{"W/" + tag}, 304},
		{[]string{`"other", ` + tag}, 304},
		{[]string{tag + `, "other"`}, 304},
		{[]string{`"other",` + tag + `,"more"`}, 304},
		{[]string{`W/"other", W/` + tag}, 304},
		{[]string{"*"}, 304},
		{[]string{`"other"`, tag}, 304},
		{[]string{"  " + tag + "  "}, 304},
		{[]string{`,, ` + tag}, 304},
		{nil, 200},
		{[]string{""}, 200},
		{[]string{`"other"`}, 200},
		{[]string{`"other", W/"more"`}, 200},
		{[]string{strings.Trim(tag, `"`)}, 200},
		{[]string{"w/" + tag}, 200},
		{[]string{tag[:len(tag)-1]}, 200},
		{[]string{`"` + tag + `"`}, 200},
		{[]string{`"*"`}, 200},
		{[]string{"\x00", "garbage \" \\"}, 200},
		{[]string{strings.ToUpper(tag)}, 200},
	} {
		var header []string
		for _, line := range row.lines {
			header = append(header, "If-None-Match", line)
		}
		got := s.get(t, "/v1/items/k", header...)
		if got.status != row.want {
			t.Errorf("If-None-Match %q: status %d; want %d", row.lines, got.status, row.want)
		}
		if got.status == 304 {
			check304(t, got, full)
		}
	}
}

// check304 is B3-13: a 304 carries what the 200 would, and no body.
func check304(t *testing.T, got, full reply) {
	t.Helper()
	if got.body != "" {
		t.Errorf("a 304 has the body %q", got.body)
	}
	for name := range full.header {
		if name != "X-Request-Id" && got.header.Get(name) != full.header.Get(name) {
			t.Errorf("a 304 has %s = %q; the 200 has %q", name, got.header.Get(name), full.header.Get(name))
		}
	}
}

// TestOtherConditions is B3-14, together with TestFailures and TestNotFound.
func TestOtherConditions(t *testing.T) {
	t.Parallel()
	s := newSite(living(time.Hour, 0))
	for _, header := range [][]string{
		{"If-Modified-Since", at.Add(time.Hour).Format(http.TimeFormat)},
		{"Range", "bytes=0-1"},
		{"Range", "bytes=0-1", "If-Range", s.get(t, "/v1/items/k").header.Get("Etag")},
		{"If-Match", `"other"`},
	} {
		if got := s.get(t, "/v1/items/k", header...); got.status != 200 {
			t.Errorf("with %q: status %d; want 200", header, got.status)
		}
	}
	if got := s.get(t, "/v1/items/%20", "If-None-Match", "*"); got.status != 400 {
		t.Errorf("a bad key, conditionally: status %d; want 400", got.status)
	}
}

// TestBodyIsTimeless is B3-11.
func TestBodyIsTimeless(t *testing.T) {
	t.Parallel()
	end := at.Add(time.Minute)
	now := at
	s := newSite(func(_ context.Context, key string) (lookup.Answer, error) {
		return lookup.Answer{Item: &voximplant.KeyValueItem{Key: key, ExpiresAt: end}, At: now, Left: end.Sub(now)}, nil
	})
	first := s.get(t, "/v1/items/k")
	now = now.Add(2 * time.Second)
	if second := s.get(t, "/v1/items/k"); second.body != first.body {
		t.Errorf("two seconds later the body is %s; was %s", second.body, first.body)
	}
}

// TestHead is B3-15 and E5-6. The body stays: the gateway strips it, and an
// empty one would let it write Content-Length: 0.
func TestHead(t *testing.T) {
	t.Parallel()
	for name, find := range map[string]func(context.Context, string) (lookup.Answer, error){
		"item": living(time.Hour, 0), "missing": failing(voximplant.ErrNotFound), "failing": failing(errAny),
	} {
		asked := 0
		s := newSite(func(ctx context.Context, key string) (lookup.Answer, error) {
			asked++
			return find(ctx, key)
		})
		head, get := s.ask(t, http.MethodHead, "/v1/items/k"), s.get(t, "/v1/items/k")
		get.header.Set("X-Request-Id", head.header.Get("X-Request-Id"))
		if head.status != get.status || fmt.Sprint(head.header) != fmt.Sprint(get.header) {
			t.Errorf("%s: HEAD = %d %v; GET = %d %v", name, head.status, head.header, get.status, get.header)
		}
		if asked != 2 {
			t.Errorf("%s: HEAD and GET asked %d times; want 2", name, asked)
		}
	}
	// Over a real connection the body is gone.
	server := httptest.NewServer(newSite(living(time.Hour, 0)))
	defer server.Close()
	res, err := http.Head(server.URL + "/v1/items/k")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ContentLength <= 0 || res.StatusCode != 200 {
		t.Errorf("HEAD = %d, Content-Length %d; want 200 and GET's length", res.StatusCode, res.ContentLength)
	}
}

// TestHostileValues is E5-16: whatever a value holds comes out as JSON that
// holds the same, and no markup.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"", "<script>alert(1)</script>", "a\r\nSet-Cookie: x=1", "\x00\x01\x7f", "\u2028\u2029", `"\`, "😀", strings.Repeat("я", 2000)} {
		s := newSite(func(_ context.Context, key string) (lookup.Answer, error) {
			return lookup.Answer{Item: &voximplant.KeyValueItem{Key: key, Value: v, ExpiresAt: at.Add(time.Hour)}, At: at, Left: time.Hour}, nil
		})
		got := s.get(t, "/v1/items/k")
		if item := decodeItem(t, got.body); item.Value != v {
			t.Errorf("value %q came out as %q", v, item.Value)
		}
		if strings.ContainsAny(got.body, "<>\u2028\u2029\r\n\x00") {
			t.Errorf("body %q holds markup or control characters", got.body)
		}
	}
}

// TestRequestHeadersChangeNothing is E5-17.
func TestRequestHeadersChangeNothing(t *testing.T) {
	t.Parallel()
	s := newSite(living(time.Hour, 0))
	plain := s.get(t, "/v1/items/k")
	for _, header := range [][]string{
		{"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-Proto", "http"}, {"Forwarded", "for=1;host=evil.example"},
		{"Accept", "text/html"}, {"Accept-Language", "de"}, {"Accept-Encoding", "gzip"}, {"Cookie", "a=b"}, {"User-Agent", "x"},
		{"X-HTTP-Method-Override", "DELETE"}, {"Authorization", "Bearer x"}, {"Origin", "https://example.com"}, {"X-Request-Id", "mine"},
	} {
		got := s.get(t, "/v1/items/k?utm=1&x=%zz", header...)
		got.header.Set("X-Request-Id", plain.header.Get("X-Request-Id"))
		if got.status != plain.status || got.body != plain.body || fmt.Sprint(got.header) != fmt.Sprint(plain.header) {
			t.Errorf("with %q: %d %v; want %d %v", header, got.status, got.header, plain.status, plain.header)
		}
	}
}

// FuzzLifetime holds B3-1 and B3-2 for any life, age and ceiling.
func FuzzLifetime(f *testing.F) {
	f.Add(int64(time.Hour), int64(0), int64(time.Minute))
	f.Add(int64(4*time.Second), int64(time.Second), int64(6*time.Second))
	f.Add(int64(1), int64(math.MaxInt32), int64(1))
	f.Fuzz(func(t *testing.T, left, age, ceiling int64) {
		if left <= 0 || age < 0 || ceiling < 0 || left > int64(100*24*time.Hour) || age > int64(24*time.Hour) || ceiling > int64(100*24*time.Hour) {
			t.Skip("not a life, an age or a ceiling that can be")
		}
		s := newSite(living(time.Duration(left), time.Duration(age)))
		s.MaxAge = time.Duration(ceiling)
		r := s.get(t, "/v1/items/k")
		if r.header.Get("Cache-Control") == "no-store" {
			return
		}
		maxAge, err := strconv.ParseInt(directives(t, r)["max-age"], 10, 64)
		if err != nil || maxAge < 1 {
			t.Fatalf("Cache-Control = %q; want no-store or a positive max-age", r.header.Get("Cache-Control"))
		}
		life := time.Duration(maxAge) * time.Second
		if 2*life+2*time.Second > time.Duration(left) || life+time.Duration(age) > time.Duration(ceiling) {
			t.Errorf("max-age=%d for an item %v old with %v to live, ceiling %v", maxAge, time.Duration(age), time.Duration(left), time.Duration(ceiling))
		}
	})
}
