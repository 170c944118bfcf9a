package gateway_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"voxkv/internal/gateway"
)

const (
	eventsDir = "../../events"

	gateways = "http-api rest-api"
	fronts   = gateways + " function-url alb"
	senders  = fronts + " alb-multi-value"

	// authorized have let an authorizer look at the client.
	authorized = "http-api-jwt http-api-lambda http-api-v1-jwt rest-api-cognito rest-api-lambda function-url-iam"
)

// The beginnings of events: of a REST API, of an HTTP API, and of a load balancer.
const (
	v1  = `{"httpMethod":"GET","path":"/v1/items/k","requestContext":{},`
	v2  = `{"version":"2.0","rawPath":"/v1/items/k","requestContext":{"http":{"method":"GET"}},`
	alb = `{"httpMethod":"GET","path":"/v1/items/k","requestContext":{"elb":{}},`
)

// requests holds the HTTP request in each file of events/. A file is named <sender>-<situation>.json, for each of senders.
var requests = []struct {
	senders, situation  string
	method, path, query string
	header              map[string]string
}{
	{senders + " http-api-v1 http-api-stage", "item", "GET", "/v1/items/order:1001", "",
		map[string]string{"Origin": "https://app.example.com", "X-Forwarded-For": "203.0.113.24", "Accept": "*/*"}},
	{authorized, "item", "GET", "/v1/items/order:1001", "", map[string]string{"Accept": "*/*"}},
	{"rest-api-base-path", "item", "GET", "/kv/v1/items/order:1001", "", map[string]string{"Origin": "https://app.example.com"}}, // BASE_PATH
	{fronts, "item-plus", "GET", "/v1/items/a+b", "", nil},
	{fronts, "item-hash", "GET", "/v1/items/a#b", "", nil},
	{fronts, "item-semicolon", "GET", "/v1/items/a;b", "", nil},
	{fronts, "item-cyrillic", "GET", "/v1/items/ключЁё", "", nil},
	{senders, "query", "GET", "/v1/items", "key=.", nil},
	{fronts, "not-found", "GET", "/v1/items/order:missing", "", nil},
	{gateways, "out-of-scope", "GET", "/v1/items/secret:token", "", nil},
	{fronts, "head", "HEAD", "/v1/items/order:1001", "", nil},
	{fronts, "conditional", "GET", "/v1/items/order:1001", "", map[string]string{"If-None-Match": "*"}},
	{fronts, "preflight", "OPTIONS", "/v1/items/order:1001", "",
		map[string]string{"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}},
	{fronts, "method-not-allowed", "POST", "/v1/items/order:1001", "", map[string]string{"Content-Type": "application/json"}},
	{gateways, "health", "GET", "/v1/health", "", nil},
	{fronts, "bad-key", "GET", "/v1/items/a b", "", nil},
	{gateways, "unknown-path", "GET", "/favicon.ico", "", nil},
	{"alb", "health-check", "GET", "/v1/health", "", map[string]string{"User-Agent": "ELB-HealthChecker/2.0"}},
}

// TestEventBecomesRequest: each file in events/ that is an HTTP request.
func TestEventBecomesRequest(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, tt := range requests {
		for _, sender := range strings.Fields(tt.senders) {
			file := sender + "-" + tt.situation + ".json"
			known[file] = true
			r := request(t, read(t, file))
			if r.Method != tt.method || r.URL.Path != tt.path || r.URL.RawQuery != tt.query {
				t.Errorf("%s: request = %s %q ? %q; want %s %q ? %q",
					file, r.Method, r.URL.Path, r.URL.RawQuery, tt.method, tt.path, tt.query)
			}
			for name, want := range tt.header {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s: header %s = %q; want %q", file, name, got, want)
				}
			}
			if hasHost := tt.situation != "health-check"; (r.Host != "") != hasHost || r.Header.Get("Host") != "" {
				t.Errorf("%s: Host = %q, in the header %q", file, r.Host, r.Header.Get("Host"))
			}
		}
	}
	for _, file := range files(t, "*.json") {
		direct := strings.HasPrefix(file, "direct-")
		refused := file == "sqs.json" || file == "s3.json" || file == "eventbridge-schedule.json"
		if !known[file] && !direct && !refused {
			t.Errorf("%s is in no test", file)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, want string
	}{
		{"no stage and no base path", "/a/b/v1/items/k", "/a/b/v1/items/k"},
		{"empty", "", ""},
		{"plus is no space", "/v1/items/a+b", "/v1/items/a+b"},
		{"decoded once only", "/v1/items/%25D0%25BA", "/v1/items/%D0%BA"},
		{"encoded slash is no segment", "/v1/items/x%2Fv1%2Fhealth", "/v1/items/x/v1/health"},
		{"malformed escape stays", "/v1/items/%zz", "/v1/items/%zz"},
		{"bare delimiters stay", "/v1/items/a#b?c;d", "/v1/items/a#b?c;d"},
		{"escaped letters", "/v1/items/" + strings.Repeat("%D1%8F", 200), "/v1/items/" + strings.Repeat("я", 200)},
	}
	for _, tt := range tests {
		for _, event := range []string{v1, v2, alb} {
			payload := strings.Replace(event, "/v1/items/k", tt.path, 1) + `"isBase64Encoded":false}`
			if got := request(t, []byte(payload)).URL; got.Path != tt.want || got.RawPath != tt.path {
				t.Errorf("%s: path of %s = %q, sent as %q; want %q", tt.name, payload, got.Path, got.RawPath, tt.want)
			}
		}
	}
}

// TestStage: the paths of an HTTP API begin with the stage, and the client has not sent it. In the paths of other senders, a
// segment with the name of the stage is from the client.
func TestStage(t *testing.T) {
	t.Parallel()
	const (
		v2   = `{"version":"2.0","rawPath":"%s","requestContext":{"stage":"%s","http":{"method":"GET"}}}`
		v1   = `{"version":"1.0","httpMethod":"GET","path":"%s","requestContext":{"stage":"%s"}}`
		rest = `{"httpMethod":"GET","path":"%s","requestContext":{"stage":"%s"}}`
		alb  = `{"version":"1.0","httpMethod":"GET","path":"%s","requestContext":{"stage":"%s","elb":{}}}`
	)
	tests := []struct {
		event, path, stage, want string
	}{
		{v2, "/prod/v1/items/k", "prod", "/v1/items/k"},
		{v1, "/prod/v1/items/k", "prod", "/v1/items/k"},
		{v2, "/v1/items/k", "v1", "/items/k"},
		{v2, "/kv/prod/v1/items/k", "prod", "/kv/prod/v1/items/k"},
		{v2, "/prod/prod/v1/items/k", "prod", "/prod/v1/items/k"},
		{v2, "/prod//v1/items/k", "prod", "//v1/items/k"},
		{v2, "/%70rod/v1/items/k", "prod", "/%70rod/v1/items/k"},
		{v2, "/product/v1/items/k", "prod", "/product/v1/items/k"},
		{v2, "/v1/items/k", "$default", "/v1/items/k"},
		{v2, "/$default/v1/items/k", "$default", "/$default/v1/items/k"},
		{v2, "//v1/items/k", "", "//v1/items/k"},
		{v2, "/prod", "prod", "/prod"},
		{rest, "/prod/v1/items/k", "prod", "/prod/v1/items/k"},
		{alb, "/prod/v1/items/k", "prod", "/prod/v1/items/k"},
	}
	for _, tt := range tests {
		payload := fmt.Sprintf(tt.event, tt.path, tt.stage)
		if got := request(t, []byte(payload)).URL.RawPath; got != tt.want {
			t.Errorf("path of %s = %q; want %q", payload, got, tt.want)
		}
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, payload string
		want          []string
	}{
		{"REST decoded %2B", v1 + `"multiValueQueryStringParameters":{"key":["a+b"]}}`, []string{"a+b"}},
		{"REST with all delimiters", v1 + `"multiValueQueryStringParameters":{"key":["a;b&c=%d#"]}}`, []string{"a;b&c=%d#"}},
		{"REST repeated", v1 + `"queryStringParameters":{"key":"b"},"multiValueQueryStringParameters":{"key":["a","b"]}}`, []string{"a", "b"}},
		{"REST single map", v1 + `"queryStringParameters":{"key":"ключ","x":"1"}}`, []string{"ключ"}},
		{"REST, values that are no strings", v1 + `"multiValueQueryStringParameters":{"key":["a",5,null,["c"],1e999,"b"],"x":{}}}`, []string{"a", "b"}},
		{"REST, a single value that is no string", v1 + `"queryStringParameters":{"key":1e999}}`, nil},
		{"HTTP API", v2 + `"rawQueryString":"key=a%2Bb&x=%26"}`, []string{"a+b"}},
		{"HTTP API without a raw query", v2 + `"queryStringParameters":{"key":"a+b","x":"&"}}`, []string{"a+b"}},
		{"HTTP API without a raw query, repeated", v2 + `"queryStringParameters":{"key":"a+b,к"}}`, []string{"a+b", "к"}},
		{"HTTP API with an empty raw query", v2 + `"rawQueryString":"","queryStringParameters":{"key":"."}}`, []string{"."}},
		{"load balancer", alb + `"queryStringParameters":{"key":"a%2Bb","x":"1"}}`, []string{"a+b"}},
		{"load balancer plus", alb + `"queryStringParameters":{"key":"a+b"}}`, []string{"a b"}},
		{"load balancer repeated", alb + `"multiValueQueryStringParameters":{"key":["a","%D0%BA"]}}`, []string{"a", "к"}},
	}
	for _, tt := range tests {
		raw := request(t, []byte(tt.payload)).URL.RawQuery
		query, err := url.ParseQuery(raw)
		if err != nil || strings.Join(query["key"], "|") != strings.Join(tt.want, "|") {
			t.Errorf("%s: query %q has key = %q, %v; want %q", tt.name, raw, query["key"], err, tt.want)
		}
	}
}

func TestRepeatedHeaderReachesHandlerWhole(t *testing.T) {
	t.Parallel()
	r := request(t, []byte(v1+`"headers":{"if-none-match":"\"b\""},"multiValueHeaders":{"if-none-match":["\"a\"","\"b\""]}}`))
	if got := strings.Join(r.Header.Values("If-None-Match"), ","); got != `"a","b"` {
		t.Errorf(`If-None-Match = %s; want "a","b"`, got)
	}
}

// TestWantedHeaders: the handler gets the headers that it reads and no others, whichever map holds them.
func TestWantedHeaders(t *testing.T) {
	t.Parallel()
	for _, maps := range []string{
		`"headers":{"oRIGIN":"o","cookie":"c"}}`,
		`"multiValueHeaders":{"Origin":["o"],"Cookie":["c"]}}`,
		`"headers":{"origin":"o"},"multiValueHeaders":{"cookie":["c"]}}`,
	} {
		var got http.Header
		g := &gateway.Gateway{
			HTTP:    http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }),
			Headers: []string{"Accept", "Origin"},
		}
		if _, err := g.Invoke(t.Context(), []byte(v1+maps)); err != nil || len(got) != 1 || got.Get("Origin") != "o" {
			t.Errorf("header of %s = %v, %v; want Origin alone", maps, got, err)
		}
	}
}

// request returns what the handler gets for payload.
func request(t *testing.T, payload []byte) *http.Request {
	t.Helper()
	var got *http.Request
	g := &gateway.Gateway{HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r })}
	if _, err := g.Invoke(t.Context(), payload); err != nil || got == nil {
		t.Fatalf("Invoke(%s) reached no handler: %v", payload, err)
	}
	return got
}

func unreachable(t *testing.T) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("handler got %s %s", r.Method, r.URL)
	})
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	payload, err := os.ReadFile(filepath.Join(eventsDir, file))
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func files(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(eventsDir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s in %s: %v", pattern, eventsDir, err)
	}
	for i, path := range paths {
		paths[i] = filepath.Base(path)
	}
	return paths
}
