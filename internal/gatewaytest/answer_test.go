package gatewaytest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"voxkv/internal/gatewaytest"
)

const refusal = `{"message":"Internal server error"}`

// What is marked "recorded" is in localstack's snapshot test_aws_proxy_response_payload_format_validation, or in its
// test_lambda_aws_proxy_response_format, both run on AWS.
func TestOutputOfEachKind(t *testing.T) {
	t.Parallel()
	rest, version2 := []gatewaytest.Kind{gatewaytest.REST}, []gatewaytest.Kind{gatewaytest.HTTPAPI, gatewaytest.FunctionURL}
	for _, tt := range []struct {
		kinds        []gatewaytest.Kind
		name, output string
		status       int
		body         string
	}{
		{rest, "recorded: no body", `{"statusCode":200}`, 200, ""},
		{rest, "recorded: headers", `{"statusCode":200,"headers":{"test-header":"value","header-bool":true}}`, 200, ""},
		{rest, "recorded: headers null", `{"statusCode":200,"headers":null}`, 200, ""},
		{rest, "recorded: unknown member", `{"statusCode":200,"wrongValue":"value"}`, 502, refusal},
		{rest, "recorded: an empty object", `{}`, 200, ""},
		{rest, "recorded: base64 without binary types", `{"statusCode":200,"body":"dGVzdC1kYXRh","isBase64Encoded":true}`, 200, "dGVzdC1kYXRh"},
		{rest, "recorded: base64 not said", `{"statusCode":200,"body":"dGVzdC1kYXRh"}`, 200, "dGVzdC1kYXRh"},
		{rest, "recorded: lists", `{"statusCode":200,"multiValueHeaders":{"test-multi":["value1","value2"]}}`, 200, ""},
		{rest, "recorded: a list that is none", `{"statusCode":200,"multiValueHeaders":{"test-multi-invalid":"value1"}}`, 502, refusal},
		{rest, "recorded: status is no number", `{"statusCode":"test"}`, 502, refusal},
		{rest, "recorded: status is a string", `{"statusCode":"201"}`, 201, ""},
		{rest, "recorded: a JSON string", `"justAString"`, 502, refusal},
		{rest, "recorded: only headers", `{"headers":{"test-header":"value"}}`, 200, ""},
		{rest, "null", `null`, 502, refusal},
		{rest, "no JSON", `x`, 502, refusal},
		{rest, "a number as header", `{"statusCode":200,"headers":{"a":1}}`, 502, refusal},
		{rest, "a body that is no string", `{"statusCode":200,"body":{}}`, 502, refusal},
		{rest, "names in another case", `{"StatusCode":200}`, 502, refusal},
		{rest, "a load balancer's member", `{"statusCode":200,"statusDescription":"200 OK"}`, 502, refusal},
		{rest, "no such status", `{"statusCode":99}`, 502, refusal},

		{version2, "a response", `{"statusCode":404,"headers":{"a":"b"},"body":"text"}`, 404, "text"},
		{version2, "base64", `{"statusCode":200,"body":"dGVzdC1kYXRh","isBase64Encoded":true}`, 200, "test-data"},
		{version2, "a bare object is the body", `{"hello":"world"}`, 200, `{"hello":"world"}`},
		{version2, "a bare string too", `"hello"`, 200, `"hello"`},
		{version2, "lists are not looked at", `{"statusCode":200,"multiValueHeaders":{"a":["b"]},"body":"x"}`, 200, "x"},
		{version2, "no JSON", `x`, 502, refusal},
		{version2, "a header that is no string", `{"statusCode":200,"headers":{"a":true}}`, 502, refusal},
		{version2, "status is no number", `{"statusCode":"test"}`, 502, refusal},
	} {
		for _, kind := range tt.kinds {
			w := answered(gatewaytest.Gateway{Kind: kind}, "GET", tt.output, nil)
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("%s: kind %d: answer to %s = %d %q; want %d %q", tt.name, kind, tt.output, w.Code, w.Body, tt.status, tt.body)
			}
			if got := w.Header().Get("Content-Type"); kind == gatewaytest.REST && got != "application/json" {
				t.Errorf("%s: Content-Type = %q; want application/json, on every status", tt.name, got)
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	const both = `{"statusCode":200,"multiValueHeaders":{"tesT-Multi":["value-multi"]},"headers":{"test-multi":"value-solo"}}`
	w := answered(gatewaytest.Gateway{Kind: gatewaytest.REST}, "GET", both, nil)
	if got := w.Header().Values("Test-Multi"); len(got) != 1 || got[0] != "value-multi" {
		t.Errorf("Test-Multi = %q; want value-multi, because lists win", got)
	}
	const output = `{"statusCode":401,"headers":{"Date":"then","server":"mine","WWW-Authenticate":"Bearer","Transfer-Encoding":"chunked",
		"Content-Length":"1","Via":"me","ETag":"\"a\"","Age":"3","Cache-Control":"no-store"},"body":"four"}`
	tests := []struct {
		kind     gatewaytest.Kind
		remapped string
		auth     string
	}{
		{gatewaytest.REST, "then", ""},
		{gatewaytest.FunctionURL, "then", ""},
		{gatewaytest.HTTPAPI, "", "Bearer"},
	}
	for _, tt := range tests {
		header := answered(gatewaytest.Gateway{Kind: tt.kind}, "GET", output, nil).Header()
		for name, want := range map[string]string{
			"Etag": `"a"`, "Age": "3", "Cache-Control": "no-store", "Content-Length": "4", "Server": "", "Via": "",
			"Transfer-Encoding": "", "X-Amzn-Remapped-Date": tt.remapped, "Www-Authenticate": tt.auth,
		} {
			if got := header.Get(name); got != want {
				t.Errorf("kind %d: %s = %q; want %q", tt.kind, name, got, want)
			}
		}
		if _, err := http.ParseTime(header.Get("Date")); err != nil {
			t.Errorf("kind %d: Date = %q; want the gateway's own", tt.kind, header.Get("Date"))
		}
	}
}

func TestNoBodyWhereThereIsNone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, output, length string
	}{
		{"HEAD", "HEAD", `{"statusCode":200,"body":"four"}`, "4"},
		{"not modified", "GET", `{"statusCode":304,"body":"four"}`, ""},
		{"no content", "OPTIONS", `{"statusCode":204,"body":""}`, ""},
	}
	for _, tt := range tests {
		w := answered(gatewaytest.Gateway{}, tt.method, tt.output, nil)
		if got := w.Header().Get("Content-Length"); w.Body.Len() > 0 || got != tt.length {
			t.Errorf("%s: body %q, Content-Length %q; want none and %q", tt.name, w.Body, got, tt.length)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := answered(gatewaytest.Gateway{}, "GET", "", errors.New("it failed"))
	if w.Code != 502 || w.Body.String() != refusal {
		t.Errorf("a function error = %d %q; want 502 %q", w.Code, w.Body, refusal)
	}
	for kind, want := range map[gatewaytest.Kind]int{gatewaytest.REST: 403, gatewaytest.HTTPAPI: 404} {
		w := answered(gatewaytest.Gateway{Kind: kind, Stage: "prod"}, "GET", `{"statusCode":200}`, nil)
		if w.Code != want {
			t.Errorf("outside the stage, kind %d: status = %d; want %d", kind, w.Code, want)
		}
	}
}

// answered returns what a client gets for GET / where the function's output is output.
func answered(g gatewaytest.Gateway, method, output string, err error) *httptest.ResponseRecorder {
	g.Invoke = func(context.Context, []byte) ([]byte, error) { return []byte(output), err }
	return g.Do(context.Background(), method, "/")
}
