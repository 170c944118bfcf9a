package documents

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestMap: CONTRIBUTING.md says what each package and each directory is for.
func TestMap(t *testing.T) {
	t.Parallel()
	page := read(t, "CONTRIBUTING.md")
	missing := map[string]bool{}
	for _, name := range files(t, ".go") {
		dir := path.Dir(name)
		top, _, _ := strings.Cut(dir, "/")
		if strings.HasSuffix(name, "_test.go") || top == "bench" || top == "examples" || top == "test" {
			continue
		}
		missing[dir] = !strings.Contains(page, "`"+dir+"`")
	}
	for _, name := range files(t, ".md") {
		if top, _, below := strings.Cut(name, "/"); below {
			missing[top] = !strings.Contains(page, "`"+top+"`")
		}
	}
	for dir, is := range missing {
		if is {
			t.Errorf("CONTRIBUTING.md has no row for %s", dir)
		}
	}
}

// TestDependencies: CONTRIBUTING.md has a reason for each direct dependency.
func TestDependencies(t *testing.T) {
	t.Parallel()
	page := read(t, "CONTRIBUTING.md")
	direct := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(read(t, "go.mod"), -1)
	if len(direct) < 5 {
		t.Fatalf("go.mod has %d direct dependencies; want all of them", len(direct))
	}
	for _, module := range direct {
		if name := strings.TrimPrefix(module[1], "github.com/"); !strings.Contains(page, "`"+name+"`") {
			t.Errorf("CONTRIBUTING.md has no reason for %s", module[1])
		}
	}
}
