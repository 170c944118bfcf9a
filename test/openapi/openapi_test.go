// Package openapi holds openapi.yaml against the handler, in both directions, against a linter, and against a program
// that makes requests of it. The last two need npm and PyPI, and so run only when VOXKV_OPENAPI is set.
package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"voxkv/handler"
	"voxkv/internal/lookuptest"
	"voxkv/internal/openapitest"
	"voxkv/internal/requestlog"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// A call is a request, and what the storage says to it.
type call struct {
	name, method, target string
	header               http.Header
	lookup               lookup.Func
	noValues             bool // RAW_VALUES is off
}

const (
	byPath   = "/v1/items/order:1001"
	optional = "/v1/optional/order:1001"
	parsed   = "/v1/parsed/order:1001"
	alone    = "/v1/values/order:1001"
	byQuery  = "/v1/items?key=."
	batch    = "/v1/items?key=order:1001&key=.&key="
)

// living is an item that has left to live; 0 means that nobody knows.
func living(left time.Duration) lookup.Func { return holding("<b>ё</b>", left) }

func holding(value string, left time.Duration) lookup.Func {
	return func(ctx context.Context, key string) (lookup.Answer, error) {
		a, err := lookuptest.Living(left, 0)(ctx, key)
		if a.Item.Value = value; left == 0 {
			a.Item.ExpiresAt = time.Time{}
		}
		return a, err
	}
}

// calls bring about every answer that there is. What settings change in their headers is tested, and held to the
// document, in handler.
func calls() []call {
	preflight := http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"GET"}}
	matching := http.Header{"If-None-Match": {"*"}}
	all := []call{
		{name: "options", method: "OPTIONS", target: "/v1/health"},
		{name: "no values", method: "GET", target: alone, noValues: true},
		{name: "no values", method: "HEAD", target: alone, noValues: true},
		{name: "no values", method: "OPTIONS", target: alone, noValues: true},
		{name: "no values", method: "POST", target: alone, noValues: true},
		{name: "POST", method: "POST", target: alone},
		{name: "JSON object", method: "GET", target: parsed, lookup: holding(`{"a":[12345678901234567890,null]}`, time.Hour)},
		{name: "POST", method: "POST", target: byPath},
		{name: "TRACE", method: "TRACE", target: "/v1/health"},
	}
	targets := []string{byPath, optional, parsed, alone, byQuery, batch}
	for _, target := range targets {
		all = append(all, call{name: "preflight", method: "OPTIONS", target: target, header: preflight})
	}
	for _, method := range []string{"GET", "HEAD"} {
		for _, target := range targets {
			all = append(all, call{name: "same item", method: method, target: target, lookup: living(time.Hour), header: matching})
			for name, found := range outcomes() {
				all = append(all, call{name: name, method: method, target: target, lookup: found})
			}
		}
		for _, target := range []string{"/v1/optional/a%20b", "/v1/optional", "/v1/parsed/a%20b", "/v1/values/..", "/v1/parsed/", "/v1/parsed", "/v1/values",
			"/v1/items?" + strings.Repeat("key=a&", 11), "/v1/items?key=a;b", "/v1/items/.", "/v1/items/a%20b", "/v1/items/a/b", "/v1/items/", "/v1/items", "/v1/items?key=a+b", "/v1/health", "/", "/favicon.ico"} {
			all = append(all, call{name: "no lookup", method: method, target: target})
		}
	}
	return all
}

// outcomes are what may become of a lookup.
func outcomes() map[string]lookup.Func {
	all := map[string]lookup.Func{
		"item":                          living(time.Hour),
		"item about to expire":          living(5 * time.Second),
		"item that no cache may keep":   living(3 * time.Second),
		"item that may live for ever":   living(0),
		"panic":                         func(context.Context, string) (lookup.Answer, error) { panic("a bug") },
		"absence":                       lookuptest.Failing(voximplant.ErrNotFound),
		"time ran out":                  lookuptest.Failing(context.DeadlineExceeded),
		"caller went away":              lookuptest.Failing(context.Canceled),
		"unknown error":                 lookuptest.Failing(errors.New("a bug")),
		"throttled, with advice":        lookuptest.Failing(&voximplant.Error{Kind: voximplant.KindThrottled, RetryAfter: time.Hour}),
		"kind that nobody has heard of": lookuptest.Failing(&voximplant.Error{Kind: "?"}),
	}
	for _, kind := range []voximplant.Kind{
		voximplant.KindCredentials, voximplant.KindConfiguration, voximplant.KindThrottled,
		voximplant.KindUnavailable, voximplant.KindFailed, voximplant.KindMalformed,
	} {
		all[string(kind)] = lookuptest.Failing(&voximplant.Error{Kind: kind})
	}
	return all
}

// answer returns the handler's answer to c.
func (c call) answer() (*http.Request, *http.Response) {
	h := &handler.Handler{
		Lookup:         c.lookup,
		MaxAge:         time.Minute,
		NotFoundMaxAge: 5 * time.Second,
		RawValues:      !c.noValues,
		Origins:        []string{"*"},
		Log:            &requestlog.Log{Logger: slog.New(slog.DiscardHandler)},
	}
	r := httptest.NewRequest(c.method, c.target, nil)
	maps.Copy(r.Header, c.header)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return r, w.Result()
}

// TestDocument: each answer is documented, and each documented answer is given. The document promises nothing that never
// happens.
func TestDocument(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for _, c := range calls() {
		t.Run(c.name+" "+c.method+" "+c.target, func(t *testing.T) {
			r, res := c.answer()
			openapitest.Validate(t, r, res)
			var problem struct{ Code string }
			if r.Method != http.MethodHead && res.StatusCode >= 400 {
				if err := json.NewDecoder(res.Body).Decode(&problem); err != nil {
					t.Error(err)
				}
			}
			given[strings.TrimSpace(fmt.Sprint(operation(r), " ", res.StatusCode, " ", problem.Code))] = true
		})
	}
	for answer := range document(t) {
		if !given[answer] {
			t.Errorf("documented, but never given: %s", answer)
		}
	}
}

// operation names what the document knows r as.
func operation(r *http.Request) string {
	path := r.URL.Path
	for _, prefix := range []string{"/v1/items/", "/v1/optional/", "/v1/parsed/", "/v1/values/"} {
		if strings.HasPrefix(path, prefix) {
			path = prefix + "{key}"
		}
	}
	known := slices.Contains([]string{"/v1/items/{key}", "/v1/optional/{key}", "/v1/parsed/{key}", "/v1/values/{key}", "/v1/items", "/v1/health"}, path)
	if known && slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, r.Method) {
		return r.Method + " " + path
	}
	return "otherwise"
}

// document lists what openapi.yaml says: "GET /v1/items/{key} 503 upstream_busy".
func document(t *testing.T) map[string]bool {
	t.Helper()
	doc, err := openapitest.Document()
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	add := func(operation, status string, r *openapi3.Response) {
		all := codes(r)
		if strings.HasPrefix(operation, "HEAD") || len(all) == 0 {
			documented[operation+" "+status] = true
			return
		}
		for _, code := range all {
			documented[operation+" "+status+" "+code] = true
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for status, r := range operation.Responses.Map() {
				add(method+" "+path, status, r.Value)
			}
		}
	}
	add("otherwise", "404", doc.Components.Responses["NoRoute"].Value)
	add("otherwise", "405", doc.Components.Responses["MethodNotAllowed"].Value)
	return documented
}

// codes returns the codes that r's problem document may hold.
func codes(r *openapi3.Response) []string {
	content := r.Content["application/problem+json"]
	if content == nil {
		return nil
	}
	var all []string
	for _, code := range content.Schema.Value.AllOf[1].Value.Properties["code"].Value.Enum {
		all = append(all, code.(string))
	}
	return all
}

// TestComponentsAreUsed does what the linter cannot, which knows nothing of answers that belong to no operation.
func TestComponentsAreUsed(t *testing.T) {
	t.Parallel()
	doc, err := openapitest.Document()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for kind, names := range map[string][]string{
		"parameters": slices.Collect(maps.Keys(doc.Components.Parameters)),
		"headers":    slices.Collect(maps.Keys(doc.Components.Headers)),
		"schemas":    slices.Collect(maps.Keys(doc.Components.Schemas)),
		"responses":  slices.Collect(maps.Keys(doc.Components.Responses)),
	} {
		for _, name := range names {
			reference := "'#/components/" + kind + "/" + name + "'"
			if name != "NoRoute" && name != "MethodNotAllowed" && !strings.Contains(string(text), reference) {
				t.Errorf("%s is never used", reference)
			}
		}
	}
}
