package documents

import (
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strings"
	"testing"
)

// quoted is code in a document.
const quoted = "`([^`\n]+)`"

// TestMap: CONTRIBUTING.md says what each package and each directory is for.
func TestMap(t *testing.T) {
	t.Parallel()
	dirs := map[string]bool{}
	for _, name := range files(t, ".go") {
		top, _, _ := strings.Cut(name, "/")
		if !strings.HasSuffix(name, "_test.go") && top != "bench" && top != "examples" && top != "test" {
			dirs[path.Dir(name)] = true
		}
	}
	for _, name := range files(t, ".md") {
		if top, _, below := strings.Cut(name, "/"); below {
			dirs[top] = true
		}
	}
	missing(t, dirs, found(read(t, "CONTRIBUTING.md"), quoted), "CONTRIBUTING.md has no row for this directory")
}

// TestImportsGoDown: a package imports only packages whose rows in the map of CONTRIBUTING.md are below its own.
func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	table, _, _ := strings.Cut(read(t, "CONTRIBUTING.md"), "\nAround it")
	rows := map[string]int{}
	for i, row := range regexp.MustCompile("(?m)^\\| `([a-z./]+)` \\|").FindAllStringSubmatch(table, -1) {
		rows[row[1]] = i + 1
	}
	if len(rows) < 15 {
		t.Fatalf("the map has the packages %v; want all of the program", rows)
	}
	for _, name := range files(t, ".go") {
		row := rows[path.Dir(name)]
		if row == 0 || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), root+"/"+name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported := path.Clean(strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`)+"/", "voxkv/"))
			if below := rows[imported]; below != 0 && below <= row {
				t.Errorf("%s imports %s, which is not below it in the map of CONTRIBUTING.md", name, imported)
			}
		}
	}
}

// TestDependencies: CONTRIBUTING.md has a reason for each direct dependency.
func TestDependencies(t *testing.T) {
	t.Parallel()
	direct := found(read(t, "go.mod"), `(?m)^\t(?:github\.com/)?(\S+) v\S+$`)
	if len(direct) < 5 {
		t.Fatalf("go.mod has %d direct dependencies; want all of them", len(direct))
	}
	missing(t, direct, found(read(t, "CONTRIBUTING.md"), quoted), "CONTRIBUTING.md has no reason for this module")
}
