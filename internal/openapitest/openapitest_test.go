package openapitest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// common are the headers of every answer, fresh those of an item.
var (
	common = map[string]string{
		"X-Request-Id": "1", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Referrer-Policy": "no-referrer",
		"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store",
		"Expires": "Thu, 01 Jan 1970 00:00:00 GMT", "X-Accel-Expires": "0",
	}
	fresh = map[string]string{
		"Content-Type":  "application/json; charset=utf-8",
		"Cache-Control": "public, max-age=60, s-maxage=60, must-revalidate, stale-while-revalidate=0, stale-if-error=0",
		"Expires":       "Mon, 23 Nov 2026 10:34:20 GMT", "ETag": `"q83vASNFZ4mrze8B"`,
		"X-Accel-Expires": "@1795430060",
	}
	private = with(fresh, map[string]string{"Cache-Control": "private, max-age=60, must-revalidate, stale-while-revalidate=0, stale-if-error=0",
		"Expires": "Thu, 01 Jan 1970 00:00:00 GMT", "X-Accel-Expires": "0"})
	text = with(fresh, map[string]string{
		"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": `attachment; filename="value.txt"`,
		"Content-Security-Policy": "sandbox; default-src 'none'",
	})
	problem = map[string]string{"Content-Type": "application/problem+json"}
	allow   = with(problem, map[string]string{"Allow": "GET, HEAD, OPTIONS"})
)

const (
	item     = `{"key":"k","value":"v","expires_at":1795430000}`
	internal = `{"type":"about:blank","title":"Internal Server Error","status":500,"code":"internal_error","detail":"d","request_id":"1"}`
	notFound = `{"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"d","request_id":"1"}`
	noRoute  = `{"type":"about:blank","title":"Not Found","status":404,"code":"no_route","detail":"d","request_id":"1"}`
	noMethod = `{"type":"about:blank","title":"Method Not Allowed","status":405,"code":"method_not_allowed","detail":"d","request_id":"1"}`
	batch    = `{"items":{"k":{"key":"k","value":"v","expires_at":1795430000},"absent":null},"errors":{"busy":{"code":"upstream_busy","errorType":"UpstreamBusy","errorMessage":"m"}}}`
	busy     = `{"type":"about:blank","title":"Service Unavailable","status":503,"code":"upstream_busy","detail":"d","request_id":"1","retry_after":1}`
)

// with is a and b in one, b's where both have a name.
func with(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, target string
		status               int
		header               map[string]string
		body, wrong          string // wrong is part of the complaint, empty for none
	}{
		{"item", "GET", "/v1/items/k", 200, fresh, item, ""},
		{"same item", "GET", "/v1/items/k", 304, fresh, "", ""},
		{"item by query", "GET", "/v1/items?key=k", 200, private, item, ""},
		{"batch", "GET", "/v1/items?key=k&key=absent&key=busy", 200, private, batch, ""},
		{"optional item", "GET", "/v1/optional/k", 200, fresh, item, ""},
		{"optional item, absent", "GET", "/v1/optional/k", 200, with(fresh, map[string]string{"Cache-Control": "private, max-age=0, must-revalidate, stale-while-revalidate=0, stale-if-error=0"}), "null", ""},
		{"null for an item", "GET", "/v1/items/k", 200, fresh, "null", "body"},
		{"problem for an optional item", "GET", "/v1/optional/k", 404, problem, notFound, "not documented"},
		{"parsed", "GET", "/v1/parsed/k", 200, fresh, strings.Replace(item, "}", `,"value_json":[null]}`, 1), ""},
		{"value", "GET", "/v1/values/k", 200, text, "v", ""},
		{"same value", "GET", "/v1/values/k", 304, text, "", ""},
		{"no values", "GET", "/v1/values/k", 404, problem, noRoute, ""},
		{"no method of HTTP", "BREW", "/v1/items/k", 405, allow, noMethod, ""},
		{"no values, another method", "POST", "/v1/values/k", 404, problem, noRoute, ""},
		{"no method of values", "POST", "/v1/values/k", 405, allow, noMethod, ""},
		{"item without body", "HEAD", "/v1/items/k", 200, fresh, "", ""},
		{"problem", "GET", "/v1/items/k", 500, problem, internal, ""},
		{"no route", "GET", "/favicon.ico", 404, problem, noRoute, ""},
		{"no method", "POST", "/v1/health", 405, allow, noMethod, ""},
		{"busy", "GET", "/v1/items/k", 503, with(problem, map[string]string{"Retry-After": "1"}), busy, ""},
		{"path without a route", "GET", "/favicon.ico", 200, fresh, item, "not documented"},
		{"method without a route", "PUT", "/v1/items/k", 200, fresh, item, "not documented"},
		{"method of no route", "GET", "/favicon.ico", 405, allow, noMethod, "not documented"},
		{"no route of a method", "POST", "/v1/items/k", 404, problem, noRoute, "not documented"},
		{"public batch", "GET", "/v1/items?key=k&key=l", 200, fresh, batch, "Cache-Control"},
		{"public answer by query", "GET", "/v1/items?key=k", 304, fresh, "", "Cache-Control"},
		{"batch without errors", "GET", "/v1/items?key=k&key=l", 200, private, `{"items":{}}`, "body"},
		{"batch with an unknown code", "GET", "/v1/items?key=k&key=l", 200, private, strings.Replace(batch, "upstream_busy", "oops", 1), "body"},
		{"batch by path", "GET", "/v1/items/k", 200, fresh, batch, "body"},
		{"item as a value", "GET", "/v1/values/k", 200, fresh, item, "application/json"},
		{"value that is a page", "GET", "/v1/values/k", 200, with(text, map[string]string{"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}), "v", "Content-Security-Policy"},
		{"value that is shown", "GET", "/v1/values/k", 304, with(text, map[string]string{"Content-Disposition": ""}), "", "Content-Disposition"},
		{"another problem on no route", "GET", "/favicon.ico", 404, problem, notFound, "code"},
		{"status", "GET", "/v1/items/k", 410, problem, internal, "status is not documented"},
		{"status of health", "GET", "/v1/health", 500, problem, internal, "status is not documented"},
		{"code of another status", "GET", "/v1/items/k", 500, problem, busy, "code"},
		{"unknown code", "GET", "/v1/items/k", 500, problem, strings.Replace(internal, "internal_error", "oops", 1), "code"},
		{"header too many", "GET", "/v1/items/k", 200, with(fresh, map[string]string{"Set-Cookie": "a=b"}), item, "Set-Cookie is not documented"},
		{"header of another status", "GET", "/v1/items/k", 200, with(fresh, map[string]string{"Retry-After": "1"}), item, "Retry-After is not documented"},
		{"header missing", "GET", "/v1/items/k", 503, problem, busy, "Retry-After"},
		{"header missing on HEAD", "HEAD", "/v1/items/k", 200, with(fresh, map[string]string{"X-Request-Id": ""}), "", "X-Request-Id"},
		{"header missing on 304", "GET", "/v1/items/k", 304, with(fresh, map[string]string{"Cache-Control": ""}), "", "Cache-Control"},
		{"header malformed", "GET", "/v1/items/k", 200, with(fresh, map[string]string{"Cache-Control": "max-age=60"}), item, "Cache-Control"},
		{"header malformed on 304", "GET", "/v1/items/k", 304, with(fresh, map[string]string{"ETag": "abc"}), "", "ETag"},
		{"header malformed on 503", "GET", "/v1/items/k", 503, with(problem, map[string]string{"Retry-After": "61"}), busy, "Retry-After"},
		{"error without Expires", "GET", "/v1/items/k", 500, with(problem, map[string]string{"Expires": ""}), internal, "Expires"},
		{"error stored by nginx", "GET", "/v1/items/k", 500, with(problem, map[string]string{"X-Accel-Expires": "@1795430060"}), internal, "X-Accel-Expires"},
		{"answer by query stored by nginx", "GET", "/v1/items?key=k", 200, with(private, map[string]string{"X-Accel-Expires": "@1795430060"}), item, "X-Accel-Expires"},
		{"stored error", "GET", "/v1/items/k", 500, with(problem, map[string]string{"Cache-Control": "max-age=1"}), internal, "Cache-Control"},
		{"content type", "GET", "/v1/items/k", 200, with(fresh, map[string]string{"Content-Type": "text/html"}), item, "text/html"},
		{"content type of a problem", "GET", "/v1/items/k", 500, with(problem, map[string]string{"Content-Type": "application/json"}), internal, "application/json"},
		{"content type missing on HEAD", "HEAD", "/v1/items/k", 200, with(fresh, map[string]string{"Content-Type": ""}), "", "Content-Type"},
		{"body with 304", "GET", "/v1/items/k", 304, fresh, item, "a body"},
		{"body that is no item", "GET", "/v1/items/k", 200, fresh, `{"key":"k","value":1,"expires_at":null}`, "value"},
		{"body without a member", "GET", "/v1/items/k", 200, fresh, `{"key":"k","value":"v"}`, "expires_at"},
		{"body that is no JSON", "GET", "/v1/items/k", 200, fresh, `{`, "body"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc, err := Document()
			if err != nil {
				t.Fatal(err)
			}
			res := &http.Response{StatusCode: tt.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(tt.body))}
			for name, value := range with(common, tt.header) {
				if value != "" {
					res.Header[name] = []string{value}
				}
			}
			err = validate(t, doc, httptest.NewRequest(tt.method, tt.target, nil), res)
			switch {
			case tt.wrong == "" && err != nil:
				t.Error(err)
			case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
				t.Errorf("error = %v; want one about %s", err, tt.wrong)
			}
			if again, _ := io.ReadAll(res.Body); string(again) != tt.body {
				t.Errorf("the body can be read again as %q; want %q", again, tt.body)
			}
		})
	}
}

func TestHeaderTwice(t *testing.T) {
	t.Parallel()
	doc, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	res := &http.Response{StatusCode: 500, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(internal))}
	for name, value := range with(common, problem) {
		res.Header.Set(name, value)
	}
	res.Header.Add("Cache-Control", "no-store")
	if err := validate(t, doc, httptest.NewRequest("GET", "/v1/items/k", nil), res); err == nil {
		t.Error("two Cache-Control pass")
	}
}

func BenchmarkValidate(b *testing.B) {
	r := httptest.NewRequest("GET", "/v1/items/k", nil)
	for b.Loop() {
		res := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(item))}
		for name, value := range with(common, fresh) {
			res.Header[name] = []string{value}
		}
		Validate(b, r, res)
	}
}
