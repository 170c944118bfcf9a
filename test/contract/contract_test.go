// Package contract keeps docs/http-contract.md true where a program can: its table names a test for every statement of the
// HTTP contract, and its routes, statuses and codes are those of openapi.yaml.
package contract

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"voxkv/internal/openapitest"
)

const (
	root     = "../.."
	document = root + "/docs/http-contract.md"

	// statements are so many of each kind.
	statements = 30
)

var (
	row = regexp.MustCompile(`(?m)^\| ([BE][35]-[0-9]+) \| (.*) \| (.*) \|$`)

	// reference is a test, and for one that has several parts the name of the part.
	reference = regexp.MustCompile("`([a-z0-9_/]+_test\\.go) ((?:Test|Fuzz)\\w+)(?: \"([^\"]+)\")?`")
)

func read(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryStatementHasATest(t *testing.T) {
	t.Parallel()
	rows := map[string]string{}
	for _, found := range row.FindAllStringSubmatch(read(t), -1) {
		statement, tests := found[1], found[3]
		if rows[statement] != "" {
			t.Errorf("%s stands twice in the table", statement)
		}
		rows[statement] = tests
		if left := strings.Trim(reference.ReplaceAllString(tests, ""), ", "); left != "" {
			t.Errorf("%s: %q names no test", statement, left)
		}
	}
	for _, kind := range []string{"B3", "E5"} {
		for n := range statements {
			statement := fmt.Sprintf("%s-%d", kind, n+1)
			if !reference.MatchString(rows[statement]) {
				t.Errorf("%s has no test", statement)
			}
			delete(rows, statement)
		}
	}
	for statement := range rows {
		t.Errorf("%s is no statement", statement)
	}
}

func TestEveryNamedTestIsThere(t *testing.T) {
	t.Parallel()
	files := map[string]map[string]bool{}
	for _, found := range reference.FindAllStringSubmatch(read(t), -1) {
		name, test, part := found[1], found[2], found[3]
		if files[name] == nil {
			files[name] = namesIn(t, name)
		}
		if !files[name][test] {
			t.Errorf("%s has no %s", name, test)
		}
		if part != "" && !files[name][strconv.Quote(part)] {
			t.Errorf("%s: %s has no part %q", name, test, part)
		}
	}
	if len(files) < 10 {
		t.Errorf("%d files are named; want 10 or more", len(files))
	}
}

// namesIn returns the functions of a file and, quoted, what it passes to t.Run.
func namesIn(t *testing.T, name string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for n := range ast.Preorder(file) {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names[n.Name.Name] = true
		case *ast.CallExpr:
			method, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || method.Sel.Name != "Run" || len(n.Args) != 2 {
				continue
			}
			if part, ok := n.Args[0].(*ast.BasicLit); ok {
				names[part.Value] = true
			}
		}
	}
	return names
}

// TestCodes holds the two tables of codes to the source, and the one for HTTP to openapi.yaml.
func TestCodes(t *testing.T) {
	t.Parallel()
	doc, err := openapitest.Document()
	if err != nil {
		t.Fatal(err)
	}
	overHTTP, direct, _ := strings.Cut(read(t), "**Direct invocation**")
	enum := map[string]bool{}
	for _, code := range doc.Components.Schemas["Problem"].Value.Properties["code"].Value.Enum {
		enum[code.(string)] = true
	}
	if got := codesIn(overHTTP); !maps.Equal(got, enum) {
		t.Errorf("codes over HTTP in the document: %v; in openapi.yaml: %v", got, enum)
	}
	got, source := codesIn(overHTTP+direct), sourceCodes(t)
	if !maps.Equal(got, source) || len(got) < 10 {
		t.Errorf("codes in the document: %v; in the source: %v", got, source)
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

// TestErrorTable finds a code, a status or a path that the document does not tell of.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	text := read(t)
	doc, err := openapitest.Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range doc.Components.Schemas["Problem"].Value.Properties["code"].Value.Enum {
		if !regexp.MustCompile(fmt.Sprintf("(?m)^\\| [45][0-9]{2} \\| `%s` \\|", code)).MatchString(text) {
			t.Errorf("the table of errors has no %s", code)
		}
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
