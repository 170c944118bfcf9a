package gatewaytest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/direct"
	"voxkv/handler"
	"voxkv/internal/gateway"
	"voxkv/internal/gatewaytest"
	"voxkv/internal/requestlog"
	"voxkv/lookup"
	"voxkv/voximplant"
)

var yas = strings.Repeat("я", 200)

// A call is one request to every gateway, and the answer that all must give.
type call struct {
	name, method, target string // the target as a client writes it, from /v1 on
	header               http.Header
	status               int
	key, code            string // of the item, of the problem
	batch                string // what became of each key
	lookups              int64  // how many keys are looked up
}

// calls are the requests whose answers the HTTP contract states (E5-3 to E5-7, B3-13, B3-15).
var calls = slices.Concat(
	items("a+b", "a#b", "a;b", "a:b.c_d-e", "ключЁё", yas),
	[]call{
		{name: "plus, not escaped", method: "GET", target: "/v1/items/a+b", status: 200, key: "a+b", lookups: 1},
		{name: "semicolon, not escaped", method: "GET", target: "/v1/items/a;b", status: 200, key: "a;b", lookups: 1},
		{name: "lower-case escapes", method: "GET", target: "/v1/items/%d0%ba", status: 200, key: "к", lookups: 1},
		{name: "query of a dot", method: "GET", target: "/v1/items?key=.", status: 200, key: ".", lookups: 1},
		{name: "query of two dots", method: "GET", target: "/v1/items?key=..", status: 200, key: "..", lookups: 1},
		{name: "query of a plus", method: "GET", target: "/v1/items?key=a%2Bb", status: 200, key: "a+b", lookups: 1},
		{name: "query of a semicolon", method: "GET", target: "/v1/items?key=a%3Bb", status: 200, key: "a;b", lookups: 1},
		{name: "query in Cyrillic", method: "GET", target: "/v1/items?key=" + url.QueryEscape("ключЁё"), status: 200, key: "ключЁё", lookups: 1},
		{name: "query with unknown names", method: "GET", target: "/v1/items?x=1&key=a%2Bb&y", status: 200, key: "a+b", lookups: 1},
		{name: "path with a query", method: "GET", target: "/v1/items/a%2Bb?key=a%23b", status: 200, key: "a+b", lookups: 1},
		{name: "query of a bare plus", method: "GET", target: "/v1/items?key=a+b", status: 400, code: "invalid_key"},
		{name: "query of several", method: "GET", target: "/v1/items?key=a%2Bb&key=.&key=a%3Bb", status: 200, batch: ". a+b a;b", lookups: 3},
		{name: "query of several, all kinds", method: "GET", target: "/v1/items?key=a%2Bb&key=missing&x=1&key=down&key=no%2Fkey", status: 200,
			batch: "a+b down:upstream_busy missing:null no/key:invalid_key", lookups: 3},
		{name: "query of the same", method: "GET", target: "/v1/items?key=.&key=.", status: 200, batch: ".", lookups: 2},
		{name: "query of several, conditional", method: "GET", target: "/v1/items?key=a%2Bb&key=.", header: matching, status: 304, lookups: 2},
		{name: "query of several, one with a bare plus", method: "GET", target: "/v1/items?key=a%2Bb&key=a+b", status: 400, code: "invalid_key"},
		{name: "query of too many", method: "GET", target: "/v1/items?key=a" + strings.Repeat("&key=a", 10), status: 400, code: "too_many_keys"},
		{name: "query without a key", method: "GET", target: "/v1/items", status: 400, code: "invalid_key"},
		{name: "slash behind the key", method: "GET", target: "/v1/items/a%2Bb/", status: 400, code: "invalid_key"},
		{name: "empty key", method: "GET", target: "/v1/items/", status: 400, code: "invalid_key"},
		{name: "dot in the path", method: "GET", target: "/v1/items/.", status: 400, code: "invalid_key"},
		{name: "dots in the path", method: "GET", target: "/v1/items/..", status: 400, code: "invalid_key"},
		{name: "escaped dots in the path", method: "GET", target: "/v1/items/%2E%2e", status: 400, code: "invalid_key"},
		{name: "dots in the path of parsed", method: "GET", target: "/v1/parsed/..", status: 400, code: "invalid_key"},
		{name: "dots in the path of values", method: "GET", target: "/v1/values/..", status: 400, code: "invalid_key"},
		{name: "slash in the key", method: "GET", target: "/v1/items/a/b", status: 400, code: "invalid_key"},
		{name: "escaped slash", method: "GET", target: "/v1/items/a%2Fb", status: 400, code: "invalid_key"},
		{name: "space", method: "GET", target: "/v1/items/a%20b", status: 400, code: "invalid_key"},
		{name: "percent sign", method: "GET", target: "/v1/items/a%25", status: 400, code: "invalid_key"},
		{name: "201 characters", method: "GET", target: "/v1/items/" + url.PathEscape(yas+"я"), status: 400, code: "invalid_key"},
		{name: "20,000 characters", method: "GET", target: "/v1/items/" + strings.Repeat(url.PathEscape("я"), 20_000), status: 400, code: "invalid_key"},
		{name: "NUL", method: "GET", target: "/v1/items/a%00b", status: 400, code: "invalid_key"},
		{name: "a line break and a header", method: "GET", target: "/v1/items/a%0D%0AX:%20b", status: 400, code: "invalid_key"},
		{name: "markup", method: "GET", target: "/v1/items/%3Cscript%3E", status: 400, code: "invalid_key"},
		{name: "half a character", method: "GET", target: "/v1/items/%D0", status: 400, code: "invalid_key"},
		{name: "a dot in more bytes than it takes", method: "GET", target: "/v1/items/%C0%AE", status: 400, code: "invalid_key"},
		{name: "half a surrogate pair", method: "GET", target: "/v1/items/%ED%A0%80", status: 400, code: "invalid_key"},
		{name: "no UTF-8", method: "GET", target: "/v1/items/%FF", status: 400, code: "invalid_key"},
		{name: "missing", method: "GET", target: "/v1/items/order:missing", status: 404, code: "not_found", lookups: 1},
		{name: "missing, conditional", method: "GET", target: "/v1/items/order:missing", header: matching, status: 404, code: "not_found", lookups: 1},
		{name: "storage down", method: "GET", target: "/v1/items/down", status: 503, code: "upstream_busy", lookups: 1},
		{name: "conditional", method: "GET", target: "/v1/items/a%2Bb", header: matching, status: 304, lookups: 1},
		{name: "conditional HEAD", method: "HEAD", target: "/v1/items/a%2Bb", header: matching, status: 304, lookups: 1},
		{name: "optional", method: "GET", target: "/v1/optional/%D0%BA%D0%BB%D1%8E%D1%87%D0%81%D1%91", status: 200, key: "ключЁё", lookups: 1},
		{name: "optional, conditional", method: "GET", target: "/v1/optional/a%23b", header: matching, status: 304, lookups: 1},
		{name: "optional, storage down", method: "GET", target: "/v1/optional/down", status: 503, code: "upstream_busy", lookups: 1},
		{name: "optional, a space", method: "GET", target: "/v1/optional/a%20b", status: 400, code: "invalid_key"},
		{name: "dots in the path of optional", method: "GET", target: "/v1/optional/..", status: 400, code: "invalid_key"},
		{name: "parsed", method: "GET", target: "/v1/parsed/%D0%BA%D0%BB%D1%8E%D1%87%D0%81%D1%91", status: 200, key: "ключЁё", lookups: 1},
		{name: "parsed HEAD", method: "HEAD", target: "/v1/parsed/a%23b", status: 200, lookups: 1},
		{name: "parsed, conditional", method: "GET", target: "/v1/parsed/a%23b", header: matching, status: 304, lookups: 1},
		{name: "parsed, missing", method: "GET", target: "/v1/parsed/order:missing", status: 404, code: "not_found", lookups: 1},
		{name: "parsed, a space", method: "GET", target: "/v1/parsed/a%20b", status: 400, code: "invalid_key"},
		{name: "value", method: "GET", target: "/v1/values/%D0%BA%D0%BB%D1%8E%D1%87%D0%81%D1%91", status: 200, key: "ключЁё", lookups: 1},
		{name: "value HEAD", method: "HEAD", target: "/v1/values/a%23b", status: 200, lookups: 1},
		{name: "value, conditional", method: "GET", target: "/v1/values/a%23b", header: matching, status: 304, lookups: 1},
		{name: "value, missing", method: "GET", target: "/v1/values/order:missing", status: 404, code: "not_found", lookups: 1},
		{name: "value, POST", method: "POST", target: "/v1/values/a", status: 405, code: "method_not_allowed"},
		{name: "preflight", method: "OPTIONS", target: "/v1/items/a%2Bb", header: preflight, status: 204},
		{name: "options", method: "OPTIONS", target: "/v1/health", status: 204},
		{name: "POST", method: "POST", target: "/v1/items/a%2Bb", status: 405, code: "method_not_allowed"},
		{name: "PUT", method: "PUT", target: "/v1/items/a%2Bb", status: 405, code: "method_not_allowed"},
		{name: "PATCH", method: "PATCH", target: "/v1/items?key=a", status: 405, code: "method_not_allowed"},
		{name: "DELETE", method: "DELETE", target: "/v1/health", status: 405, code: "method_not_allowed"},
		{name: "health", method: "GET", target: "/v1/health", status: 200},
		{name: "health HEAD", method: "HEAD", target: "/v1/health", status: 200},
		{name: "unknown path", method: "GET", target: "/favicon.ico", status: 404, code: "no_route"},
		{name: "something before the route", method: "GET", target: "/anything/v1/items/a+b", status: 404, code: "no_route"},
		{name: "two slashes before the route", method: "GET", target: "//v1/items/a+b", status: 404, code: "no_route"},
		{name: "two slashes in the route", method: "GET", target: "/v1//items/a+b", status: 404, code: "no_route"},
		{name: "unknown path below v1", method: "GET", target: "/v1/value/a", status: 404, code: "no_route"},
	},
)

var (
	matching  = http.Header{"If-None-Match": {"*"}}
	preflight = http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"GET"}}
)

// items are GET and HEAD of keys, escaped as encodeURIComponent does it.
func items(keys ...string) []call {
	var all []call
	for _, key := range keys {
		target := "/v1/items/" + strings.ReplaceAll(url.QueryEscape(key), "%3A", ":")
		all = append(all, call{name: "item " + key, method: "GET", target: target, status: 200, key: key, lookups: 1})
		all = append(all, call{name: "head " + key, method: "HEAD", target: target, status: 200, lookups: 1})
	}
	return all
}

// A storage is what the handler under test reads.
type storage struct{ asked atomic.Int64 }

func (s *storage) lookup(_ context.Context, key string) (lookup.Answer, error) {
	s.asked.Add(1)
	at := time.Unix(1795430000, 0)
	switch {
	case slices.Contains([]string{"a+b", "a#b", "a;b", "a:b.c_d-e", "ключЁё", yas, "к", ".", ".."}, key):
		item := &voximplant.KeyValueItem{Key: key, Value: "value of " + key, ExpiresAt: at.Add(time.Hour)}
		return lookup.Answer{Item: item, At: at, Left: time.Hour}, nil
	case key == "down":
		return lookup.Answer{At: at}, &voximplant.Error{Kind: voximplant.KindThrottled, RetryAfter: 7 * time.Second}
	}
	return lookup.Answer{At: at}, voximplant.ErrNotFound
}

// world returns the function's handler, the same handler behind AWS's events, and the storage that both read.
func world() (*handler.Handler, *gateway.Gateway, *storage) {
	s := new(storage)
	h := &handler.Handler{
		Lookup:         s.lookup,
		MaxAge:         time.Minute,
		NotFoundMaxAge: 5 * time.Second,
		RawValues:      true,
		Origins:        []string{"*"},
		Log:            &requestlog.Log{Logger: slog.New(slog.DiscardHandler)},
	}
	d := &direct.Handler{Lookup: s.lookup, MaxAge: time.Minute, Log: h.Log}
	return h, &gateway.Gateway{HTTP: h, Direct: d.Invoke}, s
}

// gateways are those that the function can be behind.
var gateways = map[string]gatewaytest.Gateway{
	"REST API":               {Kind: gatewaytest.REST, Stage: "prod"},
	"REST API, own domain":   {Kind: gatewaytest.REST},
	"HTTP API":               {Kind: gatewaytest.HTTPAPI},
	"HTTP API, stage":        {Kind: gatewaytest.HTTPAPI, Stage: "prod"},
	"HTTP API, stage of /v1": {Kind: gatewaytest.HTTPAPI, Stage: "v1"},
	"Function URL":           {Kind: gatewaytest.FunctionURL},
}

func TestEveryGatewayAnswersAlike(t *testing.T) {
	t.Parallel()
	h, function, s := world()
	plain := httptest.NewServer(h)
	defer plain.Close()
	want := map[string]reply{}
	for _, c := range calls {
		want[c.name] = ask(t, plain.URL, c, s)
		if err := c.check(want[c.name]); err != nil {
			t.Errorf("net/http: %s: %v", c.name, err)
		}
	}
	for name, g := range gateways {
		t.Run(name, func(t *testing.T) {
			root := start(t, g, function.Invoke)
			for _, c := range calls {
				if got := ask(t, root, c, s); !reflect.DeepEqual(got, want[c.name]) {
					t.Errorf("%s: %s %s\ngot  %+v\nwant %+v", c.name, c.method, c.target, got, want[c.name])
				}
			}
		})
	}
}

// TestBasePath makes the calls of TestEveryGatewayAnswersAlike behind a base path. Under any other path they are 404.
func TestBasePath(t *testing.T) {
	t.Parallel()
	h, function, s := world()
	h.BasePath = "/kv/v2"
	plain := httptest.NewServer(h)
	defer plain.Close()
	roots := map[string]string{"net/http": plain.URL}
	for name, g := range gateways {
		roots[name] = start(t, g, function.Invoke)
	}
	for name, root := range roots {
		for _, c := range calls {
			if err := c.check(ask(t, root+"/kv/v2", c, s)); err != nil {
				t.Errorf("%s: %s: %v", name, c.name, err)
			}
		}
		for _, base := range []string{"/kv", "/kv/v2/kv/v2", "/kv/v2/", "/kv//v2", "/KV/v2", "/v2", "/x/kv/v2", "/kv/v2/x"} {
			c := call{method: "GET", target: base + "/v1/items/a+b", status: 404, code: "no_route"}
			if err := c.check(ask(t, root, c, s)); err != nil {
				t.Errorf("%s: %s: %v", name, c.target, err)
			}
		}
	}
}

// start serves invoke behind g, and returns the root of the API.
func start(t *testing.T, g gatewaytest.Gateway, invoke func(context.Context, []byte) ([]byte, error)) string {
	t.Helper()
	g.Invoke = invoke
	server := httptest.NewServer(&g)
	t.Cleanup(server.Close)
	if g.Stage == "" {
		return server.URL
	}
	return server.URL + "/" + g.Stage
}

// A reply is the part of an answer that must be the same through every gateway.
type reply struct {
	status  int
	header  http.Header
	body    string
	lookups int64
}

// ask sends c to the API at root.
func ask(t *testing.T, root string, c call, s *storage) reply {
	t.Helper()
	var body io.Reader
	if c.method == "POST" {
		body = strings.NewReader(`{"value":"paid"}`)
	}
	r, err := http.NewRequestWithContext(t.Context(), c.method, root+c.target, body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, c.header)
	before := s.asked.Load()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, comparable(res), withoutID(b), s.asked.Load() - before}
}

// comparable returns the header without the fields that a gateway sets and those that are different in every answer. All
// request ids have the same length, so Content-Length can be compared.
func comparable(res *http.Response) http.Header {
	header := res.Header.Clone()
	for _, name := range []string{"Date", "X-Request-Id", "X-Amzn-Requestid", "Apigw-Requestid"} {
		header.Del(name)
	}
	if res.StatusCode == http.StatusNoContent {
		// The function sends none (E5-12), and a gateway adds its own.
		header.Del("Content-Type")
	}
	return header
}

var idPattern = regexp.MustCompile(`"request_id":"[^"]*"`)

func withoutID(body []byte) string {
	return idPattern.ReplaceAllString(string(body), `"request_id":"-"`)
}

// check returns how got differs from the answer that the contract states.
func (c call) check(got reply) error {
	key, code, batch, err := got.content()
	if err != nil {
		return err
	}
	if got.status != c.status || key != c.key || code != c.code || batch != c.batch || got.lookups != c.lookups {
		return fmt.Errorf("status %d, key %q, code %q, batch %q, storage asked %d times; want %d, %q, %q, %q, %d",
			got.status, key, code, batch, got.lookups, c.status, c.key, c.code, c.batch, c.lookups)
	}
	if strings.Contains(got.body, "script") {
		return fmt.Errorf("input in %s", got.body)
	}
	if allow := got.header.Get("Allow"); c.status == 405 && allow != "GET, HEAD, OPTIONS" {
		return fmt.Errorf("Allow = %q", allow)
	}
	if strings.HasSuffix(c.name, "bare plus") && !strings.Contains(got.body, "%2B") {
		return fmt.Errorf("no word of %%2B in %s", got.body)
	}
	return nil
}

// content returns what the body says: the key of an item, the code of a problem, or the result for each key of a batch.
func (r reply) content() (key, code, batch string, err error) {
	if strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
		return strings.TrimPrefix(r.body, "value of "), "", "", nil
	}
	if r.body == "" {
		return "", "", "", nil
	}
	var body struct {
		Key, Code string
		Items     map[string]*struct{ Key string }
		Errors    map[string]struct{ Code string }
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		return "", "", "", err
	}
	var all []string
	for key, item := range body.Items {
		if item == nil {
			key += ":null"
		} else if item.Key != key {
			key += ":" + item.Key
		}
		all = append(all, key)
	}
	for key, failure := range body.Errors {
		all = append(all, key+":"+failure.Code)
	}
	slices.Sort(all)
	return body.Key, body.Code, strings.Join(all, " "), nil
}

// A route that is switched off does not exist, whatever the method.
func TestValuesAreOffByDefault(t *testing.T) {
	t.Parallel()
	h, function, s := world()
	h.RawValues = false
	for name, g := range gateways {
		root := start(t, g, function.Invoke)
		for _, method := range []string{"GET", "OPTIONS", "DELETE"} {
			c := call{method: method, target: "/v1/values/a%2Bb", header: preflight, status: 404, code: "no_route"}
			if err := c.check(ask(t, root, c, s)); err != nil {
				t.Errorf("%s: %s: %v", name, method, err)
			}
		}
	}
}

// The answers to HEAD and GET differ in the body only (E5-6). Content-Length is the same.
func TestHeadIsGetWithoutBody(t *testing.T) {
	t.Parallel()
	_, function, s := world()
	for name, g := range gateways {
		root := start(t, g, function.Invoke)
		for _, target := range []string{"/v1/items/a%2Bb", "/v1/items/order:missing", "/v1/items/a%20b", "/v1/health", "/v1/items/down",
			"/v1/parsed/a%2Bb", "/v1/values/a%2Bb", "/v1/items?key=.&key=.."} {
			get := ask(t, root, call{method: "GET", target: target}, s)
			head := ask(t, root, call{method: "HEAD", target: target}, s)
			if head.status != get.status || head.lookups != get.lookups || !reflect.DeepEqual(head.header, get.header) || head.body != "" {
				t.Errorf("%s: HEAD %s = %+v; want GET's %+v without body", name, target, head, get)
			}
		}
	}
}

// Some requests mean different things to different gateways, before they reach the function. A page that escapes a key
// once, with encodeURIComponent, does not send them.
func TestKnownDifferences(t *testing.T) {
	t.Parallel()
	invalid := call{status: 400, code: "invalid_key"}
	noRoute := call{status: 404, code: "no_route"}
	tests := []struct {
		target    string
		kind      gatewaytest.Kind // the one that differs
		there     call
		elsewhere call
	}{
		// AWS decodes the path, and the function, which cannot know that, decodes it again.
		{"/v1/items/%25D0%25BA", gatewaytest.HTTPAPI, call{status: 200, key: "к", lookups: 1}, invalid},
		// AWS decodes the path, and drops what follows the question mark.
		{"/v1/items/a%2Bb%3Fc", gatewaytest.HTTPAPI, call{status: 200, key: "a+b", lookups: 1}, invalid},
		// AWS decodes the path, so that for the function it is the same as /v1/items/a+b.
		{"/v1%2Fitems%2Fa+b", gatewaytest.HTTPAPI, call{status: 200, key: "a+b", lookups: 1}, noRoute},
		{"/%76%31/items/a+b", gatewaytest.HTTPAPI, call{status: 200, key: "a+b", lookups: 1}, noRoute},
		{"/v1%2Fitems%2F.", gatewaytest.HTTPAPI, invalid, noRoute},
		// AWS reads the semicolon as an ampersand.
		{"/v1/items?key=.;b", gatewaytest.REST, call{status: 200, key: ".", lookups: 1}, call{status: 400, code: "invalid_request"}},
	}
	_, function, s := world()
	for name, g := range gateways {
		root := start(t, g, function.Invoke)
		for _, tt := range tests {
			want := tt.elsewhere
			if g.Kind == tt.kind {
				want = tt.there
			}
			if err := want.check(ask(t, root, call{method: "GET", target: tt.target}, s)); err != nil {
				t.Errorf("%s: %s: %v", name, tt.target, err)
			}
		}
	}
}

// E5-17: no other header and no other parameter changes an answer.
func TestRequestHeadersChangeNothing(t *testing.T) {
	t.Parallel()
	_, function, _ := world()
	for name, g := range gateways {
		g.Invoke, g.Stage = function.Invoke, ""
		for _, target := range []string{"/v1/items/a%2Bb", "/v1/items/order:missing", "/v1/items/a%20b"} {
			answer := func(target string, header ...string) string {
				w := g.Do(t.Context(), "GET", target, header...)
				return fmt.Sprint(w.Code, comparable(w.Result()), withoutID(w.Body.Bytes()))
			}
			want := answer(target)
			for _, header := range [][2]string{
				{"Host", "evil.example"}, {"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-Proto", "http"}, {"X-Forwarded-For", "127.0.0.1"},
				{"X-Forwarded-Prefix", "/x"}, {"Forwarded", "host=evil.example;proto=http"}, {"Accept", "text/html"}, {"Accept-Language", "ru"},
				{"Accept-Encoding", "gzip, br"}, {"Accept-Charset", "koi8-r"}, {"Cookie", "a=b; c=d"}, {"User-Agent", "evil"}, {"Referer", "https://evil.example"},
				{"X-HTTP-Method-Override", "DELETE"}, {"X-Method-Override", "POST"}, {"X-HTTP-Method", "PUT"}, {"X-Original-URL", "/v1/items/a%23b"},
				{"X-Rewrite-URL", "/v1/items/a%23b"}, {"Range", "bytes=0-1"}, {"If-Modified-Since", "Mon, 23 Nov 2099 00:00:00 GMT"},
				{"If-Range", `"x"`}, {"Cache-Control", "no-cache"}, {"Pragma", "no-cache"}, {"Authorization", "Basic eDp5"}, {"X-Request-Id", "evil"},
				{"X-Amzn-Requestid", "evil"}, {"Content-Type", "text/html"}, {"Expect", "100-continue"}, {"Origin", "https://evil.example"},
			} {
				if got := answer(target, header[0], header[1]); got != want {
					t.Errorf("%s: GET %s with %q: %s; without %s", name, target, header, got, want)
				}
			}
			for _, query := range []string{"?x=y", "?callback=evil", "?_method=DELETE", "?Key=a%23b", "?a=%zz", "?" + strings.Repeat("a=b&", 1000)} {
				if got := answer(target + query); got != want {
					t.Errorf("%s: GET %s%.40s: %s; without the query %s", name, target, query, got, want)
				}
			}
		}
	}
}

// A malformed escape cannot come through net/http, which refuses the request line.
func TestMalformedEscape(t *testing.T) {
	t.Parallel()
	_, function, s := world()
	for name, g := range gateways {
		g.Invoke, g.Stage = function.Invoke, ""
		for _, target := range []string{"/v1/items/%zz", "/v1/items/%", "/v1/items/%D", "/v1/items/a%2Bb%"} {
			w := g.Do(t.Context(), "GET", target)
			if w.Code != 400 || !strings.Contains(w.Body.String(), `"invalid_key"`) || s.asked.Load() > 0 {
				t.Errorf("%s: %s = %d %s", name, target, w.Code, w.Body)
			}
		}
	}
}

// never are the headers that the function does not send: others set them (E5-29), or nobody may (B3-5, B3-14, B3-25).
var never = []string{"date", "age", "server", "connection", "content-length", "transfer-encoding", "via", "set-cookie",
	"last-modified", "accept-ranges", "pragma", "warning", "cdn-cache-control", "surrogate-control"}

// E5-29, E5-30 and B3-13 are about the function's own output, which cannot be seen through a server.
func TestOutput(t *testing.T) {
	t.Parallel()
	_, function, s := world()
	for name, g := range gateways {
		var out []byte
		root := start(t, g, func(ctx context.Context, payload []byte) (_ []byte, err error) {
			out, err = function.Invoke(ctx, payload)
			return out, err
		})
		for _, c := range calls {
			ask(t, root, c, s)
			checkOutput(t, name+": "+c.name, c, out)
		}
	}
}

func checkOutput(t *testing.T, name string, c call, out []byte) {
	t.Helper()
	var o struct {
		StatusCode      *int               `json:"statusCode"`
		Headers         map[string]*string `json:"headers"`
		Body            *string            `json:"body"`
		IsBase64Encoded *bool              `json:"isBase64Encoded"`
	}
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil || o.StatusCode == nil {
		t.Errorf("%s: output %s: %v", name, out, err)
		return
	}
	controls := 0
	for field, value := range o.Headers {
		lower := strings.ToLower(field)
		if value == nil || slices.Contains(never, lower) {
			t.Errorf("%s: header %s is sent", name, field)
		}
		if lower == "cache-control" {
			controls++
		}
	}
	if controls != 1 {
		t.Errorf("%s: %d Cache-Control; want 1", name, controls)
	}
	contentType, want := o.Headers["Content-Type"], "application/problem+json"
	switch {
	case *o.StatusCode == 204:
		want = ""
	case *o.StatusCode < 400 && strings.HasPrefix(c.target, "/v1/values/"):
		want = "text/plain; charset=utf-8"
	case *o.StatusCode < 400:
		want = "application/json; charset=utf-8"
	}
	if contentType == nil != (want == "") || contentType != nil && *contentType != want {
		t.Errorf("%s: %s; want Content-Type %q", name, out, want)
	}
}

// A 304 has all headers that the 200 would have (B3-13).
func TestNotModifiedCarriesTheHeaders(t *testing.T) {
	t.Parallel()
	_, function, _ := world()
	for name, g := range gateways {
		g.Invoke, g.Stage = function.Invoke, ""
		for _, target := range []string{"/v1/items/a%2Bb", "/v1/parsed/a%2Bb", "/v1/values/a%2Bb", "/v1/items?key=.", "/v1/items?key=.&key=.."} {
			full, not := g.Do(t.Context(), "GET", target), g.Do(t.Context(), "GET", target, "If-None-Match", "*")
			want, got := comparable(full.Result()), comparable(not.Result())
			want.Del("Content-Length")
			if full.Code != 200 || not.Code != 304 || not.Body.Len() > 0 || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s: %d %v\nthen %d %v", name, target, full.Code, want, not.Code, got)
			}
		}
	}
}
