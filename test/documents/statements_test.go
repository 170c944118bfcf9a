package documents

import (
	"fmt"
	"regexp"
	"testing"
)

// TestEveryStatementHasATest: a comment of a test names each identifier of docs/http-statements.md, and no other.
func TestEveryStatementHasATest(t *testing.T) {
	t.Parallel()
	identifier := regexp.MustCompile(`\b[BE][35]-[0-9]+\b`)
	stated := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([BE][35]-[0-9]+) \| .+ \|$`).FindAllStringSubmatch(read(t, "docs/http-statements.md"), -1) {
		stated[row[1]] = true
	}
	named := map[string]string{} // by identifier, a file that names it
	for _, name := range files(t, "_test.go") {
		for _, id := range identifier.FindAllString(read(t, name), -1) {
			named[id] = name
		}
	}
	for n := range 30 {
		for _, kind := range []string{"B3", "E5"} {
			id := fmt.Sprintf("%s-%d", kind, n+1)
			if !stated[id] || named[id] == "" {
				t.Errorf("%s: stated %v, named by the tests of %q; want both", id, stated[id], named[id])
			}
		}
	}
	for id, name := range named {
		if !stated[id] {
			t.Errorf("%s names %s, which docs/http-statements.md does not have", name, id)
		}
	}
}
