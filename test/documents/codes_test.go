// Package documents holds the documents to what a program can check: that links and anchors lead somewhere, that each page
// says whom it is for, that the contract has every route and code, and that a test names each of its statements.
package documents

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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

// TestCodes holds the tables of codes to the source, and the one for HTTP to openapi.yaml.
func TestCodes(t *testing.T) {
	t.Parallel()
	doc, err := openapitest.Document()
	if err != nil {
		t.Fatal(err)
	}
	enum := map[string]bool{}
	for _, code := range doc.Components.Schemas["Problem"].Value.Properties["code"].Value.Enum {
		enum[code.(string)] = true
	}
	overHTTP := codesIn(read(t, "docs/http-contract.md"))
	if !maps.Equal(overHTTP, enum) {
		t.Errorf("codes in docs/http-contract.md: %v; in openapi.yaml: %v", overHTTP, enum)
	}
	got, source := codesIn(read(t, "docs/direct-invocation.md")), sourceCodes(t)
	maps.Copy(got, overHTTP)
	if !maps.Equal(got, source) || len(got) < 10 {
		t.Errorf("codes in docs/http-contract.md and docs/direct-invocation.md: %v; in the source: %v", got, source)
	}
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
	file, err := parser.ParseFile(token.NewFileSet(), root+"/internal/problem/problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for n := range ast.Preorder(file) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || fmt.Sprint(spec.Type) != "Code" {
			continue
		}
		for _, value := range spec.Values {
			if code, ok := value.(*ast.BasicLit); ok {
				codes[strings.Trim(code.Value, `"`)] = true
			}
		}
	}
	return codes
}

// TestRoutes finds a path or a status of openapi.yaml that docs/http-contract.md does not tell of.
func TestRoutes(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/http-contract.md")
	doc, err := openapitest.Document()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		if !regexp.MustCompile("`GET " + regexp.QuoteMeta(path) + "[`?]").MatchString(text) {
			t.Errorf("the table of routes has no %s", path)
		}
		for status := range item.Get.Responses.Map() {
			if status >= "400" && !strings.Contains(text, "\n| "+status+" |") {
				t.Errorf("the table of errors has no %s", status)
			}
		}
	}
}
