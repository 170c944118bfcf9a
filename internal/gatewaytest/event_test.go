package gatewaytest_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"voxkv/internal/gatewaytest"
)

// situations are the requests that events/ holds, as a browser sends them.
var situations = map[string]struct{ method, target, body string }{
	"item":               {"GET", "/v1/items/order:1001", ""},
	"item-plus":          {"GET", "/v1/items/a%2Bb", ""},
	"item-hash":          {"GET", "/v1/items/a%23b", ""},
	"item-semicolon":     {"GET", "/v1/items/a%3Bb", ""},
	"item-cyrillic":      {"GET", "/v1/items/%D0%BA%D0%BB%D1%8E%D1%87%D0%81%D1%91", ""},
	"query":              {"GET", "/v1/items?key=.", ""},
	"not-found":          {"GET", "/v1/items/order:missing", ""},
	"out-of-scope":       {"GET", "/v1/items/secret:token", ""},
	"head":               {"HEAD", "/v1/items/order:1001", ""},
	"conditional":        {"GET", "/v1/items/order:1001", ""},
	"preflight":          {"OPTIONS", "/v1/items/order:1001", ""},
	"method-not-allowed": {"POST", "/v1/items/order:1001", `{"value":"paid"}`},
	"health":             {"GET", "/v1/health", ""},
	"bad-key":            {"GET", "/v1/items/a%20b", ""},
	"unknown-path":       {"GET", "/favicon.ico", ""},
}

var senders = map[string]gatewaytest.Gateway{
	"rest-api":       {Kind: gatewaytest.REST, Stage: "prod"},
	"http-api":       {Kind: gatewaytest.HTTPAPI},
	"http-api-stage": {Kind: gatewaytest.HTTPAPI, Stage: "prod"},
	"function-url":   {Kind: gatewaytest.FunctionURL},
}

// matter are the members that depend on the request. The others hold accounts, ids and times.
var matter = []string{
	"version", "resource", "path", "httpMethod", "routeKey", "rawPath", "rawQueryString", "headers", "multiValueHeaders",
	"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "cookies", "body",
	"isBase64Encoded", "requestContext.stage", "requestContext.path", "requestContext.httpMethod",
	"requestContext.resourcePath", "requestContext.protocol", "requestContext.routeKey", "requestContext.domainName",
	"requestContext.domainPrefix", "requestContext.http", "requestContext.identity.sourceIp",
	"requestContext.identity.userAgent", "requestContext.elb",
}

func TestEventIsAsRecorded(t *testing.T) {
	t.Parallel()
	compared := 0
	for sender, g := range senders {
		for situation, s := range situations {
			recorded, err := os.ReadFile(filepath.Join("../../events", sender+"-"+situation+".json"))
			if os.IsNotExist(err) {
				continue
			}
			compared++
			t.Run(sender+"-"+situation, func(t *testing.T) {
				t.Parallel()
				want := members(t, recorded)
				prefix := ""
				if g.Stage != "" {
					prefix = "/" + g.Stage
				}
				r := httptest.NewRequest(s.method, prefix+s.target, strings.NewReader(s.body))
				asRecorded(r, want)
				got := members(t, event(t, g, r))
				for _, path := range matter {
					if g, w := at(got, path), at(want, path); !reflect.DeepEqual(g, w) {
						t.Errorf("%s = %v\nwant %v", path, g, w)
					}
				}
			})
		}
	}
	if compared < 40 {
		t.Errorf("%d events compared; want 40 or more", compared)
	}
}

// asRecorded sets in r what the client and the network put into the recorded event.
func asRecorded(r *http.Request, recorded map[string]any) {
	for name, value := range recorded["headers"].(map[string]any) {
		switch {
		case name == "host":
			r.Host = value.(string)
		case name == "x-forwarded-for":
			r.RemoteAddr = value.(string) + ":50000"
		case !strings.HasPrefix(name, "x-") && name != "content-length":
			r.Header.Set(name, value.(string))
		}
	}
}

// members decodes an event. It ignores the letter case of header names, and drops the headers about TLS.
func members(t *testing.T, payload []byte) map[string]any {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"headers", "multiValueHeaders"} {
		if header, ok := e[name].(map[string]any); ok {
			lower := map[string]any{}
			for field, value := range header {
				lower[strings.ToLower(field)] = value
			}
			maps.DeleteFunc(lower, func(field string, _ any) bool { return strings.HasPrefix(field, "x-amzn-tls-") })
			e[name] = lower
		}
	}
	return e
}

func at(e map[string]any, path string) any {
	var v any = e
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// event returns what g hands to the function for r.
func event(t *testing.T, g gatewaytest.Gateway, r *http.Request) []byte {
	t.Helper()
	var got []byte
	g.Invoke = func(_ context.Context, payload []byte) ([]byte, error) {
		got = payload
		return []byte(`{"statusCode":200}`), nil
	}
	g.ServeHTTP(httptest.NewRecorder(), r)
	if got == nil {
		t.Fatalf("%s %s reached no function", r.Method, r.RequestURI)
	}
	return got
}

// One request was captured live in the events of all gateways. Localstack recorded two more.
func TestEncodings(t *testing.T) {
	t.Parallel()
	const target = "/capture/space%20value?repeat=one&repeat=two&literalPlus=a+b&encodedPlus=a%2Bb&empty="
	const query = "repeat=one&repeat=two&literalPlus=a+b&encodedPlus=a%2Bb&empty="
	tests := []struct {
		name, sender, target, path string
		want                       any
	}{
		{"REST path", "rest-api", "/prod" + target, "path", "/capture/space%20value"},
		{"REST query", "rest-api", "/prod" + target, "queryStringParameters",
			map[string]any{"repeat": "two", "literalPlus": "a b", "encodedPlus": "a+b", "empty": ""}},
		{"REST query lists", "rest-api", "/prod" + target, "multiValueQueryStringParameters.repeat", []any{"one", "two"}},
		{"REST parameter stays encoded", "rest-api", "/prod/u/test%2Balias@x/plus/test+alias@x", "pathParameters.proxy",
			"u/test%2Balias@x/plus/test+alias@x"},
		{"REST stage", "rest-api", "/prod" + target, "requestContext.path", "/prod/capture/space%20value"},
		{"REST semicolon", "rest-api", "/prod/v1/items?key=a;b", "queryStringParameters", map[string]any{"key": "a", "b": ""}},
		{"REST slashes", "rest-api", "/prod//a//", "path", "//a//"},
		{"HTTP API path", "http-api", target, "rawPath", "/capture/space value"},
		{"HTTP API query", "http-api", target, "rawQueryString", query},
		{"HTTP API query map", "http-api", target, "queryStringParameters",
			map[string]any{"repeat": "one,two", "literalPlus": "a b", "encodedPlus": "a+b", "empty": ""}},
		{"HTTP API slash", "http-api", "/v1/items/a%2Fb", "rawPath", "/v1/items/a/b"},
		{"HTTP API hash", "http-api", "/v1/items/a%23b", "rawPath", "/v1/items/a#b"},
		{"HTTP API question mark", "http-api", "/v1/items/a%3Fb", "rawPath", "/v1/items/a"},
		{"HTTP API stage", "http-api-stage", "/prod/v1/items/a%23b", "rawPath", "/prod/v1/items/a#b"},
		{"Function URL path", "function-url", target, "rawPath", "/capture/space%20value"},
		{"Function URL decoded path", "function-url", target, "requestContext.http.path", "/capture/space value"},
		{"Function URL query", "function-url", target, "rawQueryString", query},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := at(members(t, event(t, senders[tt.sender], httptest.NewRequest("GET", tt.target, nil))), tt.path)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s of %s = %v; want %v", tt.path, tt.target, got, tt.want)
			}
		})
	}
}

func TestCookiesAndRepeatedHeaders(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/v1/items/k", nil)
	r.Header["Cookie"] = []string{"a=1; b=2"}
	r.Header["If-None-Match"] = []string{`"a"`, `"b"`}
	v2 := members(t, event(t, senders["http-api"], r.Clone(t.Context())))
	if got := at(v2, "headers.if-none-match"); got != `"a","b"` {
		t.Errorf("If-None-Match = %v", got)
	}
	if got, ok := v2["cookies"].([]any); !ok || !slices.Equal(got, []any{"a=1", "b=2"}) || at(v2, "headers.cookie") != nil {
		t.Errorf("cookies = %v, and in the header %v", v2["cookies"], at(v2, "headers.cookie"))
	}
	r.RequestURI = "/prod" + r.RequestURI
	v1 := members(t, event(t, senders["rest-api"], r))
	if got := at(v1, "multiValueHeaders.if-none-match"); !reflect.DeepEqual(got, []any{`"a"`, `"b"`}) {
		t.Errorf("If-None-Match = %v", got)
	}
	if got := at(v1, "headers.if-none-match"); got != `"b"` {
		t.Errorf("If-None-Match = %v", got)
	}
}

// TestAuthorizer: what an authorizer has verified stands where the recorded events have it, and nothing where it lets a
// client through without a word.
func TestAuthorizer(t *testing.T) {
	t.Parallel()
	for sender, g := range senders {
		g.Authorize = func(r *http.Request) any {
			if r.Header.Get("Authorization") == "" {
				return nil
			}
			return map[string]any{"claims": map[string]any{"sub": "42"}}
		}
		r := httptest.NewRequest("GET", strings.TrimSuffix("/"+g.Stage, "/")+"/v1/items/k", nil)
		if payload := event(t, g, r.Clone(t.Context())); strings.Contains(string(payload), `"authorizer"`) {
			t.Errorf("%s: a client without a token has an authorizer: %s", sender, payload)
		}
		r.Header.Set("Authorization", "Bearer token")
		if got := at(members(t, event(t, g, r)), "requestContext.authorizer.claims.sub"); got != "42" {
			t.Errorf("%s: the claim is %v; want 42", sender, got)
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want, encoded string }{
		{"text", "ё", "ё", "false"},
		{"bytes", "\xff\xfe", "//4=", "true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := members(t, event(t, senders["function-url"], httptest.NewRequest("POST", "/", strings.NewReader(tt.body))))
			encoded, _ := json.Marshal(e["isBase64Encoded"])
			if e["body"] != tt.want || string(encoded) != tt.encoded {
				t.Errorf("body = %q, isBase64Encoded = %s; want %q, %s", e["body"], encoded, tt.want, tt.encoded)
			}
		})
	}
}
