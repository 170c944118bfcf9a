// Package documents holds the documents to what a program can check: that links and anchors lead somewhere, that each page
// says whom it is for, that the contract has every route and code, and that a test names each of its statements.
package documents

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
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

// TestCodes finds a code that the source, the tables of codes or openapi.yaml leaves out.
func TestCodes(t *testing.T) {
	t.Parallel()
	http := codesIn(read(t, "docs/http-contract.md"))
	tables := codesIn(read(t, "docs/direct-invocation.md"))
	maps.Copy(tables, http)
	source, enum := sourceCodes(t), map[string]bool{}
	for _, code := range describe(t).Components.Schemas["Problem"].Value.Properties["code"].Value.Enum {
		enum[code.(string)] = true
	}
	if len(source) < 10 {
		t.Errorf("internal/problem/problem.go has the codes %v; want 10 or more", source)
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

// codesIn returns the codes of the tables in text.
func codesIn(text string) map[string]bool {
	codes := map[string]bool{}
	for _, found := range regexp.MustCompile("(?m)^\\| [45][0-9]{2} \\| `([a-z_]+)` \\|").FindAllStringSubmatch(text, -1) {
		codes[found[1]] = true
	}
	return codes
}

// sourceCodes returns the constants of the type Code.
func sourceCodes(t *testing.T) map[string]bool {
	t.Helper()
	codes := map[string]bool{}
	for spec := range constants(t, "internal/problem/problem.go") {
		if code, ok := spec.Values[0].(*ast.BasicLit); ok && fmt.Sprint(spec.Type) == "Code" {
			codes[strings.Trim(code.Value, `"`)] = true
		}
	}
	return codes
}

// constants yields the constants and variables of a source file that have a value.
func constants(t *testing.T, name string) iter.Seq[*ast.ValueSpec] {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(*ast.ValueSpec) bool) {
		for n := range ast.Preorder(file) {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) > 0 && !yield(spec) {
				return
			}
		}
	}
}

// TestRoutes finds a route that openapi.yaml or the table of routes leaves out, and a status that the table of errors
// does not have.
func TestRoutes(t *testing.T) {
	t.Parallel()
	text, source, described := read(t, "docs/http-contract.md"), sourceRoutes(t), map[string]bool{}
	for path, item := range describe(t).Paths.Map() {
		described[strings.TrimSuffix(path, "/{key}")] = true
		if !regexp.MustCompile("`GET " + regexp.QuoteMeta(path) + "[`?]").MatchString(text) {
			t.Errorf("%s: the table of routes in docs/http-contract.md has no row for this path of openapi.yaml", path)
		}
		for status := range item.Get.Responses.Map() {
			if status >= "400" && !strings.Contains(text, "\n| "+status+" |") {
				t.Errorf("%s: the table of errors in docs/http-contract.md has no row for this status of openapi.yaml", status)
			}
		}
	}
	if len(source) < 4 {
		t.Errorf("handler/request.go has the routes %v; want 4 or more", source)
	}
	missing(t, source, described, "openapi.yaml has no path for this route of handler/request.go")
	missing(t, described, source, "handler/request.go has no constant …Path for this path of openapi.yaml")
}

// sourceRoutes returns what the constants called …Path of the handler add to its root.
func sourceRoutes(t *testing.T) map[string]bool {
	t.Helper()
	routes := map[string]bool{}
	for spec := range constants(t, "handler/request.go") {
		sum, ok := spec.Values[0].(*ast.BinaryExpr)
		if !ok || !strings.HasSuffix(spec.Names[0].Name, "Path") {
			continue
		}
		if last, ok := sum.Y.(*ast.BasicLit); ok {
			routes["/v1/"+strings.Trim(last.Value, `"`)] = true
		}
	}
	return routes
}
