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

// A call is a request, what the storage says to it, and how the function is set up.
type call struct {
	name, method, target string
	header               http.Header
	lookup               lookup.Func
	private, noValues    bool
	origin               string
	absentFor            time.Duration
}

const (
	byPath   = "/v1/items/order:1001"
	optional = "/v1/optional/order:1001"
	parsed   = "/v1/parsed/order:1001"
	alone    = "/v1/values/order:1001"
	byQuery  = "/v1/items?key=."
	batch    = "/v1/items?key=order:1001&key=.&key="
	page     = "https://app.example.com"
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

// calls bring about every answer that there is.
func calls() []call {
	preflight := http.Header{"Origin": {page}, "Access-Control-Request-Method": {"GET"}}
	matching := http.Header{"If-None-Match": {"*"}}
	all := []call{
		{name: "private item", method: "GET", target: byPath, lookup: living(time.Hour), private: true},
		{name: "item for a listed origin", method: "GET", target: byPath, lookup: living(time.Hour), header: preflight, origin: page},
		{name: "item for no listed origin", method: "GET", target: byPath, lookup: living(time.Hour), origin: page},
		{name: "absence that nobody remembers", method: "GET", target: byPath, lookup: lookuptest.Failing(voximplant.ErrNotFound), absentFor: 1},
		{name: "private absence", method: "GET", target: byPath, lookup: lookuptest.Failing(voximplant.ErrNotFound), private: true},
		{name: "preflight", method: "OPTIONS", target: byPath, header: preflight},
		{name: "private preflight", method: "OPTIONS", target: byPath, header: preflight, private: true},
		{name: "preflight from a listed origin", method: "OPTIONS", target: byQuery, header: preflight, origin: page},
		{name: "preflight for a bad key", method: "OPTIONS", target: "/v1/items/%00", header: preflight},
		{name: "preflight", method: "OPTIONS", target: optional, header: preflight},
		{name: "absence that nobody remembers", method: "GET", target: optional, lookup: lookuptest.Failing(voximplant.ErrNotFound), absentFor: 1},
		{name: "private absence", method: "GET", target: optional, lookup: lookuptest.Failing(voximplant.ErrNotFound), private: true},
		{name: "preflight", method: "OPTIONS", target: parsed, header: preflight},
		{name: "preflight", method: "OPTIONS", target: alone, header: preflight},
		{name: "options", method: "OPTIONS", target: "/v1/health"},
		{name: "no values", method: "GET", target: alone, noValues: true},
		{name: "no values", method: "HEAD", target: alone, noValues: true},
		{name: "no values", method: "OPTIONS", target: alone, noValues: true},
		{name: "no values", method: "POST", target: alone, noValues: true},
		{name: "POST", method: "POST", target: alone},
		{name: "value for no listed origin", method: "GET", target: alone, lookup: living(time.Hour), origin: page},
		{name: "JSON object", method: "GET", target: parsed, lookup: holding(`{"a":[12345678901234567890,null]}`, time.Hour)},
		{name: "JSON number", method: "GET", target: parsed, lookup: holding("-0.5", time.Hour)},
		{name: "JSON null", method: "GET", target: parsed, lookup: holding("null", time.Hour)},
		{name: "item of every key", method: "GET", target: "/v1/items?key=a&key=b", lookup: living(time.Hour)},
		{name: "the same batch", method: "GET", target: "/v1/items?key=a&key=b", lookup: living(time.Hour), header: matching},
		{name: "POST", method: "POST", target: byPath},
		{name: "DELETE by query", method: "DELETE", target: byQuery},
		{name: "TRACE", method: "TRACE", target: "/v1/health"},
	}
	for _, method := range []string{"GET", "HEAD"} {
		for _, target := range []string{byPath, optional, parsed, alone, byQuery, batch} {
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
		Private:        c.private,
		RawValues:      !c.noValues,
		Origins:        []string{"*"},
		Log:            &requestlog.Log{Logger: slog.New(slog.DiscardHandler)},
	}
	if c.origin != "" {
		h.Origins = []string{c.origin}
	}
	if c.absentFor > 0 {
		h.NotFoundMaxAge = c.absentFor
	}
	r := httptest.NewRequest(c.method, c.target, nil)
	maps.Copy(r.Header, c.header)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return r, w.Result()
}

func TestEveryAnswerIsDocumented(t *testing.T) {
	t.Parallel()
	for _, c := range calls() {
		t.Run(c.name+" "+c.method+" "+c.target, func(t *testing.T) {
			r, res := c.answer()
			openapitest.Validate(t, r, res)
		})
	}
}

// TestEveryDocumentedAnswerIsGiven keeps the document from promising what never happens.
func TestEveryDocumentedAnswerIsGiven(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for _, c := range calls() {
		r, res := c.answer()
		var problem struct{ Code string }
		if r.Method != http.MethodHead && res.StatusCode >= 400 {
			if err := json.NewDecoder(res.Body).Decode(&problem); err != nil {
				t.Fatal(err)
			}
		}
		given[strings.TrimSpace(fmt.Sprint(operation(r), " ", res.StatusCode, " ", problem.Code))] = true
	}
	documented := document(t)
	for _, answer := range slices.Sorted(maps.Keys(documented)) {
		if !given[answer] {
			t.Errorf("documented, but never given: %s", answer)
		}
	}
	for _, answer := range slices.Sorted(maps.Keys(given)) {
		if !documented[answer] && !strings.HasPrefix(answer, "HEAD otherwise") {
			t.Errorf("given, but not documented: %s", answer)
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
	switch {
	case known && slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, r.Method):
		return r.Method + " " + path
	case r.Method == http.MethodHead:
		return "HEAD otherwise"
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
	return words(content.Schema.Value.AllOf[1].Value.Properties["code"].Value.Enum)
}

func words(values []any) []string {
	var all []string
	for _, v := range values {
		all = append(all, v.(string))
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
