// Package documents holds the documents to what a program can check: that links and anchors lead somewhere, that each page
// says whom it is for, that the contract has every route and code, and that a test names each of its statements.
package documents

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"voxkv/internal/openapitest"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// found returns what the group of pattern finds in text.
func found(text, pattern string) map[string]bool {
	all := map[string]bool{}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all[match[1]] = true
	}
	return all
}

// TestCodes finds a code that the source, the tables of codes or openapi.yaml leaves out.
func TestCodes(t *testing.T) {
	t.Parallel()
	const row = "(?m)^\\| [45][0-9]{2} \\| `([a-z_]+)` \\|"
	http, tables := found(read(t, "docs/http-contract.md"), row), found(read(t, "docs/direct-invocation.md"), row)
	maps.Copy(tables, http)
	source, enum := found(read(t, "internal/problem/problem.go"), `(?m)^\t\w+ +Code = "([a-z_]+)"`), map[string]bool{}
	for _, code := range describe(t).Components.Schemas["Problem"].Value.Properties["code"].Value.Enum {
		enum[code.(string)] = true
	}
	missing(t, source, tables, "neither docs/http-contract.md nor docs/direct-invocation.md has a row for this code of internal/problem")
	missing(t, tables, source, "internal/problem has no such code, and a table of the documents has a row for it")
	missing(t, http, enum, "the enum of Problem.code in openapi.yaml leaves out this code of docs/http-contract.md")
	missing(t, enum, http, "docs/http-contract.md has no row for this code of openapi.yaml")
}

// missing reports each name that is in have and not in want.
func missing(t *testing.T, have, want map[string]bool, what string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if !want[name] {
			t.Errorf("%s: %s", name, what)
		}
	}
}

// describe returns openapi.yaml.
func describe(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapitest.Document()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestRoutes finds a route that openapi.yaml or the table of routes leaves out, and a status that the table of errors
// does not have.
func TestRoutes(t *testing.T) {
	t.Parallel()
	text, source, described := read(t, "docs/http-contract.md"), found(read(t, "handler/request.go"), `(?m)^\t\w+Path += root \+ "(\w+)"`), map[string]bool{}
	for path, item := range describe(t).Paths.Map() {
		described[strings.TrimPrefix(strings.TrimSuffix(path, "/{key}"), "/v1/")] = true
		if !regexp.MustCompile("`GET " + regexp.QuoteMeta(path) + "[`?]").MatchString(text) {
			t.Errorf("%s: the table of routes in docs/http-contract.md has no row for this path of openapi.yaml", path)
		}
		for status := range item.Get.Responses.Map() {
			if status >= "400" && !strings.Contains(text, "\n| "+status+" |") {
				t.Errorf("%s: the table of errors in docs/http-contract.md has no row for this status of openapi.yaml", status)
			}
		}
	}
	missing(t, source, described, "openapi.yaml has no path for this route of handler/request.go")
	missing(t, described, source, "handler/request.go has no constant …Path for this path of openapi.yaml")
}
