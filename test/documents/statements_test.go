package documents

import (
	"fmt"
	"maps"
	"testing"
)

// TestEveryStatementHasATest: a comment of a test names each identifier of docs/http-statements.md, and no other.
func TestEveryStatementHasATest(t *testing.T) {
	t.Parallel()
	stated, named := found(read(t, "docs/http-statements.md"), `(?m)^\| ([BE][35]-[0-9]+) \| .+ \|$`), map[string]bool{}
	for _, name := range files(t, "_test.go") {
		maps.Copy(named, found(read(t, name), `\b([BE][35]-[0-9]+)\b`))
	}
	for n := range 30 {
		for _, kind := range []string{"B3", "E5"} {
			if id := fmt.Sprintf("%s-%d", kind, n+1); !stated[id] {
				t.Errorf("%s: docs/http-statements.md has dropped this statement", id)
			}
		}
	}
	missing(t, stated, named, "no test names this statement of docs/http-statements.md")
	missing(t, named, stated, "a test names this statement, which docs/http-statements.md does not have")
}
