package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"voxkv/handler"
	"voxkv/internal/lookuptest"
	"voxkv/internal/openapitest"
	"voxkv/internal/problem"
	"voxkv/internal/requestlogtest"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// A site is a handler with the default settings, and its log.
type site struct {
	*handler.Handler
	log *requestlogtest.Lines
}

func newSite(find lookup.Func) *site {
	log, lines := requestlogtest.New()
	return &site{log: lines, Handler: &handler.Handler{
		Lookup:         find,
		MaxAge:         time.Minute,
		NotFoundMaxAge: 5 * time.Second,
		Origins:        []string{"*"},
		Log:            log,
	}}
}

// holding finds an item with value that has an hour to live.
func holding(value string) lookup.Func {
	return func(_ context.Context, key string) (lookup.Answer, error) {
		item := &voximplant.KeyValueItem{Key: key, Value: value, ExpiresAt: lookuptest.At().Add(time.Hour)}
		return lookup.Answer{Item: item, At: lookuptest.At(), Left: time.Hour}, nil
	}
}

// A reply is a response with canonical header names.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request and checks what is true of every response, also that
// openapi.yaml documents it (E5-13, E5-27).
func (s *site) ask(t testing.TB, method, target string, header ...string) reply {
	t.Helper()
	r := newRequest(method, target, header...)
	got := s.serve(r)
	checkEvery(t, got)
	if s.anyOrigin() {
		checkAnyOrigin(t, got)
	}
	openapitest.Validate(t, r, got.response())
	if log := s.log.String(); strings.Contains(log, lookuptest.Value) {
		t.Errorf("%s %s: the log holds the value: %s", method, target, log)
	}
	return got
}

// newRequest returns a request whose header has names and values in turn.
func newRequest(method, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func (s *site) serve(r *http.Request) reply {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	got := reply{status: w.Code, header: http.Header{}, body: w.Body.String()}
	for name, values := range w.Header() {
		for _, v := range values {
			got.header.Add(name, v)
		}
	}
	return got
}

// response is what openapi.yaml is held against.
func (r reply) response() *http.Response {
	return &http.Response{StatusCode: r.status, Header: r.header, Body: io.NopCloser(strings.NewReader(r.body))}
}

// text is all of the answer but for the request's id.
func (r reply) text() string {
	return strings.ReplaceAll(fmt.Sprint(r.status, r.header, r.body), r.header.Get("X-Request-Id"), "")
}

// sameAnswer reports whether two answers differ in the request's id alone.
func sameAnswer(a, b reply) bool { return a.text() == b.text() }

func (s *site) get(t testing.TB, target string, header ...string) reply {
	t.Helper()
	return s.ask(t, http.MethodGet, target, header...)
}

// anyOrigin reports whether pages of any origin may read the answers.
func (s *site) anyOrigin() bool { return slices.Contains(s.Origins, "*") }

// checkAnyOrigin is B3-26 and B3-28.
func checkAnyOrigin(t testing.TB, r reply) {
	t.Helper()
	if r.header.Get("Access-Control-Allow-Origin") != "*" || r.header.Get("Vary") != "" ||
		r.header.Get("Access-Control-Allow-Credentials") != "" ||
		r.header.Get("Access-Control-Expose-Headers") != "ETag, Date, Age, Retry-After, X-Request-Id" {
		t.Errorf("status %d: %v; want that a page of any origin may read it", r.status, r.header)
	}
}

// checkEvery checks B3-5, B3-20, B3-25, E5-12 and E5-29.
func checkEvery(t testing.TB, r reply) {
	t.Helper()
	for _, name := range []string{"Cache-Control", "X-Content-Type-Options", "Content-Security-Policy",
		"Cross-Origin-Resource-Policy", "Referrer-Policy", "X-Request-Id"} {
		if n := len(r.header[name]); n != 1 {
			t.Errorf("status %d: %d header fields %s; want 1", r.status, n, name)
		}
	}
	for _, name := range []string{"Date", "Age", "Server", "Connection", "Content-Length", "Transfer-Encoding", "Via",
		"Set-Cookie", "Last-Modified", "Accept-Ranges", "Pragma", "Warning", "Cdn-Cache-Control", "Surrogate-Control"} {
		if r.header.Get(name) != "" {
			t.Errorf("status %d: header field %s is set", r.status, name)
		}
	}
	types := []string{"application/json; charset=utf-8", "application/problem+json", "text/plain; charset=utf-8"}
	if r.status == http.StatusNoContent {
		types = []string{""}
	}
	if got := r.header.Get("Content-Type"); !slices.Contains(types, got) {
		t.Errorf("status %d: Content-Type = %q; want one of %q", r.status, got, types)
	}
	if strings.Contains(r.header.Get("Cache-Control"), "immutable") {
		t.Error("Cache-Control holds immutable")
	}
	checkAbsolute(t, r)
}

// checkAbsolute checks that Expires and X-Accel-Expires say of each response
// what Cache-Control does, for caches that ignore the latter.
func checkAbsolute(t testing.TB, r reply) {
	t.Helper()
	expires, accel := "Thu, 01 Jan 1970 00:00:00 GMT", "0"
	if shared, err := strconv.ParseInt(directives(t, r)["s-maxage"], 10, 64); err == nil {
		at := lookuptest.At().Add(time.Duration(shared) * time.Second)
		expires, accel = at.Format(http.TimeFormat), fmt.Sprint("@", at.Unix())
	}
	if r.header.Get("Expires") != expires || r.header.Get("X-Accel-Expires") != accel {
		t.Errorf("status %d: Cache-Control %q with Expires %q and X-Accel-Expires %q; want %q and %q",
			r.status, r.header.Get("Cache-Control"), r.header.Get("Expires"), r.header.Get("X-Accel-Expires"), expires, accel)
	}
}

// directives reads a Cache-Control by RFC 9111 section 5.2. Each directive stands once.
func directives(t testing.TB, r reply) map[string]string {
	t.Helper()
	all := map[string]string{}
	for directive := range strings.SplitSeq(r.header.Get("Cache-Control"), ",") {
		name, argument, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if _, twice := all[name]; twice {
			t.Errorf("Cache-Control holds %s twice", name)
		}
		all[name] = argument
	}
	return all
}

// decode reads the JSON of a response strictly.
func decode[Body any](t *testing.T, text string) (body Body) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		t.Fatalf("%s is not what is expected: %v", text, err)
	}
	return body
}

// problem reads a problem document strictly.
func (r reply) problem(t *testing.T) problem.Problem {
	t.Helper()
	p := decode[problem.Problem](t, r.body)
	if p.Status != r.status || p.RequestID != r.header.Get("X-Request-Id") {
		t.Errorf("problem says status %d and request %q; the header fields say %d and %q", p.Status, p.RequestID, r.status, r.header.Get("X-Request-Id"))
	}
	return p
}

var errAny = errors.New("an error nobody foresaw, about +15550100")
