package template

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write tables into the documents")

// documents have the tables that tests make, each between <!-- NAME --> and <!-- end -->.
var documents = []string{"docs/operations.md", "docs/deploy.md"}

// checkTable compares the table of that name with what it should be.
func checkTable(t *testing.T, name, want string) {
	t.Helper()
	start := "<!-- " + name + " -->\n"
	for _, document := range documents {
		file := filepath.Join(root, document)
		before, rest, found := strings.Cut(string(read(t, file)), start)
		got, after, ended := strings.Cut(rest, "<!-- end -->")
		switch {
		case !found || !ended:
			continue
		case got == want:
		case *update:
			if err := os.WriteFile(file, []byte(before+start+want+"<!-- end -->"+after), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s: the table %s is\n%s\nwant, as -update writes it,\n%s", document, name, got, want)
		}
		return
	}
	t.Errorf("no document has the table %s", name)
}
