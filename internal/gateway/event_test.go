package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"voxkv/internal/gateway"
)

// empties are the values that count as absent.
var empties = []string{`null`, `{}`, `[]`, `""`}

const (
	version1   = "requestContext httpMethod path "
	version2   = "requestContext version rawPath headers requestContext.http requestContext.http.method requestContext.stage "
	ofBalancer = version1 + "requestContext.elb headers queryStringParameters "
	multiValue = version1 + "requestContext.elb multiValueHeaders multiValueQueryStringParameters "
)

// forms are events of each sender, with the members that they cannot do without. If two maps hold the same, either can be
// empty.
var forms = map[string]string{
	"rest-api-item.json":              version1,
	"rest-api-query.json":             version1,
	"http-api-v1-item.json":           version1 + "version",
	"http-api-item.json":              version2,
	"http-api-query.json":             version2,
	"http-api-stage-item.json":        version2,
	"function-url-item-cyrillic.json": version2,
	"alb-item.json":                   ofBalancer,
	"alb-multi-value-item.json":       multiValue,
	"alb-multi-value-query.json":      multiValue,
}

// members are all members that the gateway reads.
var members = strings.Fields(`version httpMethod path rawPath rawQueryString headers multiValueHeaders queryStringParameters
	multiValueQueryStringParameters requestContext.elb requestContext.http requestContext.stage
	key keys operation Records source detail-type type`)

// TestEmptyMembers: an empty member counts as absent in every form of event.
func TestEmptyMembers(t *testing.T) {
	t.Parallel()
	for file, needed := range forms {
		payload := read(t, file)
		want := seen(t, payload)
		for _, member := range members {
			if slices.Contains(strings.Fields(needed), member) {
				continue
			}
			for _, empty := range empties {
				if member == "requestContext.elb" && empty == "{}" {
					continue // an object, even an empty one, says that a load balancer is the sender
				}
				if got := seen(t, set(t, payload, member, empty)); got != want {
					t.Errorf("%s with %s: %s\ngot  %s\nwant %s", file, member, empty, got, want)
				}
			}
		}
	}
}

// TestWrongTypes: a member of another type that is not empty makes an event unsupported.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	for member, wrong := range map[string]string{
		"version": `2`, "httpMethod": `["GET"]`, "path": `{"a":"/v1/items/k"}`, "rawPath": `5`, "rawQueryString": `["key=k"]`, "headers": `["a"]`,
		"multiValueHeaders": `"a"`, "queryStringParameters": `[0]`, "multiValueQueryStringParameters": `false`,
		"requestContext.elb": `true`, "requestContext.http": `{"method":5}`, "requestContext.stage": `1`,
		"Records": `[{}]`, "type": `"REQUEST"`, "key": `5`,
	} {
		g := &gateway.Gateway{HTTP: unreachable(t), Direct: func(context.Context, []byte) ([]byte, error) { return nil, badKey{""} }}
		if out, err := g.Invoke(t.Context(), set(t, read(t, "rest-api-item.json"), member, wrong)); err == nil {
			t.Errorf("with %s: %s: %s; want a refusal", member, wrong, out)
		}
	}
}

// TestInvalidUTF8: bytes that are not UTF-8, and halves of surrogate pairs, become U+FFFD.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	r := request(t, []byte(`{"httpMethod":"GET","path":"/v1/items/`+"\xff"+`","requestContext":{"`+"\xff"+`":1},
		"queryStringParameters":{"key":"\ud800"},"headers":{"origin":"`+"\xff"+`"}}`))
	if got := r.URL.Path + r.URL.Query().Get("key") + r.Header.Get("Origin"); got != "/v1/items/\ufffd\ufffd\ufffd" {
		t.Errorf("path, key and origin are %q; want U+FFFD in each", got)
	}
}

// TestMapsWithContent: if one of two maps is empty, the other one counts.
func TestMapsWithContent(t *testing.T) {
	t.Parallel()
	events := map[string]string{
		"REST API": v1, "HTTP API": v2, "load balancer": alb,
		"HTTP API, version 1.0": `{"version":"1.0","httpMethod":"GET","path":"/v1/items","requestContext":{},`,
	}
	for _, maps := range []string{
		`"queryStringParameters":{"key":"a:b"},"multiValueQueryStringParameters":{},"headers":{"origin":"o"},"multiValueHeaders":{}}`,
		`"queryStringParameters":{},"multiValueQueryStringParameters":{"key":["a:b"]},"headers":{},"multiValueHeaders":{"Origin":["o"]}}`,
		`"queryStringParameters":{"key":"a:b"},"multiValueQueryStringParameters":{"key":[]},"headers":{"origin":"o"},"multiValueHeaders":{"origin":[]}}`,
		`"queryStringParameters":{"key":"a:b"},"multiValueQueryStringParameters":{"key":null},"headers":{"origin":"o"},"multiValueHeaders":{"origin":null}}`,
	} {
		for sender, event := range events {
			r := request(t, []byte(event+maps))
			if got := r.URL.Query()["key"]; len(got) != 1 || got[0] != "a:b" || r.Header.Get("Origin") != "o" {
				t.Errorf("%s: %s: query %q, header %v; want the key a:b and the origin o", sender, maps, r.URL.RawQuery, r.Header)
			}
		}
	}
}

// seen returns the request that the handler gets for payload, and the answer that the sender gets.
func seen(t *testing.T, payload []byte) string {
	t.Helper()
	var got string
	g := &gateway.Gateway{
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.URL.RawPath, " ", r.URL.Query(), " ", r.Host, " ", r.Header)
			w.Header().Set("Etag", "x")
		}),
		Direct: func(context.Context, []byte) ([]byte, error) { return []byte("direct"), nil },
	}
	out, err := g.Invoke(t.Context(), payload)
	return fmt.Sprint(got, " ", string(out), " ", err)
}

// set returns payload with the member at path, its names separated by dots, set to the JSON text value.
func set(t *testing.T, payload []byte, path, value string) []byte {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(payload, &object); err != nil {
		t.Fatal(err)
	}
	if name, rest, inner := strings.Cut(path, "."); inner {
		object[name] = set(t, object[name], rest, value)
	} else {
		object[name] = json.RawMessage(value)
	}
	out, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
