// Package openapitest checks responses against the description of the API, openapi.yaml in the root of the module.
package openapitest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Validate fails t unless openapi.yaml documents res as an answer to r: the status of that operation, every header of it
// and no other, the content type and the body. A path or a method that the document does not have must be answered as
// its components NoRoute and MethodNotAllowed say. The body of res can still be read afterwards.
func Validate(t testing.TB, r *http.Request, res *http.Response) {
	t.Helper()
	doc, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, doc, r, res); err != nil {
		t.Errorf("%s %s: status %d: %v", r.Method, r.URL.EscapedPath(), res.StatusCode, err)
	}
}

// Document returns openapi.yaml, read once. It must not be changed.
var Document = sync.OnceValues(func() (*openapi3.T, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromFile(filepath.Join(dir, "openapi.yaml"))
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(loader.Context)
})

// root returns the directory of go.mod. Tests run in the directory of their package.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("openapitest: no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

func validate(t testing.TB, doc *openapi3.T, r *http.Request, res *http.Response) error {
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	documented, err := response(doc, r, res.StatusCode)
	if err != nil {
		return err
	}
	header := http.Header{}
	for name, values := range res.Header {
		header[http.CanonicalHeaderKey(name)] = values // the handler spells ETag as RFC 9110 does
	}
	if err := checkContent(documented, header.Get("Content-Type"), body); err != nil {
		return err
	}
	if err := undocumented(documented, header); err != nil {
		return err
	}
	in := input(doc, withoutValidated(documented, header), header, body)
	// The function answers HEAD with the body of GET, which the gateway removes.
	in.Options.ExcludeResponseBody = r.Method == http.MethodHead
	if err := openapi3filter.ValidateResponse(t.Context(), in); err != nil {
		return err
	}
	rememberValidated(documented, header)
	return nil
}

// checkContent refuses a body where none is documented, and a type that is not.
func checkContent(documented *openapi3.Response, contentType string, body []byte) error {
	switch {
	case len(documented.Content) == 0 && len(body) > 0:
		return errors.New("a body where there is none")
	case len(documented.Content) > 0 && documented.Content.Get(contentType) == nil:
		return fmt.Errorf("Content-Type %q is not documented", contentType)
	}
	return nil
}

// rememberValidated notes the values of header, which withoutValidated then leaves out.
func rememberValidated(documented *openapi3.Response, header http.Header) {
	for name := range documented.Headers {
		if name == "X-Request-Id" || name == "ETag" || name == "Expires" || name == "X-Accel-Expires" {
			continue // its value is always a new one, which would fill the memory of a fuzzing run
		}
		validated.Store(headerValue{documented, name, header.Get(name)}, true)
	}
}

// response returns what doc says of an answer to r with this status.
func response(doc *openapi3.T, r *http.Request, status int) (*openapi3.Response, error) {
	item := path(doc, r.URL.Path)
	if item == nil {
		item = &openapi3.PathItem{}
	} else if operation := item.Operations()[r.Method]; operation != nil {
		if found := operation.Responses.Status(status); found != nil {
			return found.Value, nil
		}
		return nil, errors.New("the status is not documented")
	}
	switch {
	case status == http.StatusNotFound && (item.Options == nil || item.Options.Responses.Status(status) != nil):
		// OPTIONS is answered with 404 only on a path that a setting can turn off.
		return doc.Components.Responses["NoRoute"].Value, nil
	case status == http.StatusMethodNotAllowed && item.Options != nil:
		return doc.Components.Responses["MethodNotAllowed"].Value, nil
	}
	return nil, errors.New("the path or the method is not documented; want NoRoute or MethodNotAllowed")
}

// path returns the path item for path. The only parameter of a template stands at its end, and here it matches the whole
// rest of path, because the function answers also if the rest is not a key.
func path(doc *openapi3.T, path string) *openapi3.PathItem {
	for template, item := range doc.Paths.Map() {
		prefix, _, parameter := strings.Cut(template, "{")
		if path == template || parameter && strings.HasPrefix(path, prefix) {
			return item
		}
	}
	return nil
}

// transport are headers that net/http adds. They are not part of the API.
var transport = map[string]bool{"Content-Type": true, "Content-Length": true, "Date": true}

func undocumented(documented *openapi3.Response, header http.Header) error {
	known := map[string]bool{}
	for name := range documented.Headers {
		known[http.CanonicalHeaderKey(name)] = true
	}
	for name, values := range header {
		switch {
		case !known[name] && !transport[name]:
			return fmt.Errorf("header %s is not documented", name)
		case len(values) != 1:
			return fmt.Errorf("header %s has %d values", name, len(values))
		}
	}
	return nil
}

// A headerValue is the value of a header of a response. The validator compiles the schema of each header each time that it
// validates one, so remembering the values that were valid makes it five times as fast.
type headerValue struct {
	documented  *openapi3.Response
	name, value string
}

// validated has the headerValues that were valid.
var validated sync.Map

// withoutValidated returns documented without the headers whose values were valid before.
func withoutValidated(documented *openapi3.Response, header http.Header) *openapi3.Response {
	rest := *documented
	rest.Headers = openapi3.Headers{}
	for name, h := range documented.Headers {
		if _, ok := validated.Load(headerValue{documented, name, header.Get(name)}); !ok {
			rest.Headers[name] = h
		}
	}
	return &rest
}

// input returns what the validator checks: the response as if it answered GET with status 200, as documented says. The
// validator would not check a response with status 304, or to HEAD.
func input(doc *openapi3.T, documented *openapi3.Response, header http.Header, body []byte) *openapi3filter.ResponseValidationInput {
	operation := &openapi3.Operation{Responses: openapi3.NewResponses(
		openapi3.WithStatus(http.StatusOK, &openapi3.ResponseRef{Value: documented}))}
	return &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: &http.Request{Method: http.MethodGet},
			Route:   &routers.Route{Spec: doc, Operation: operation},
		},
		Status:  http.StatusOK,
		Header:  header,
		Body:    io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
}
