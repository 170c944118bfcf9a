package leaks_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestThreatModel: what docs/threat-model.md points at is there.
func TestThreatModel(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	document, err := os.ReadFile(filepath.Join(root, "docs", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)\\w+)`").FindAllSubmatch(document, -1)
	resources := regexp.MustCompile("`template\\.yaml: (\\w+)`").FindAllSubmatch(document, -1)
	if len(tests) < 30 || len(resources) < 5 {
		t.Fatalf("%d tests and %d resources are pointed at", len(tests), len(resources))
	}
	for _, m := range tests {
		if dir := string(m[1]); !declares(t, filepath.Join(root, dir), string(m[2])) {
			t.Errorf("there is no %s in %s", m[2], dir)
		}
	}
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range resources {
		if !bytes.Contains(template, []byte("\n  "+string(m[1])+":\n")) {
			t.Errorf("there is no %s in the template", m[1])
		}
	}
}

// declares reports whether a test of the package in dir is called name.
func declares(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(source, []byte("\nfunc "+name+"(")) {
			return true
		}
	}
	return false
}
