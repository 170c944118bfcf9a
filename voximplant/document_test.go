package voximplant

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestCodesInDocument: docs/operations.md names every code that is told apart, so that whoever reads it in a log finds it.
func TestCodesInDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	alarms := regexp.MustCompile(`(?s)\n### Credentials\n.*?\n### Throttles\n`).Find(text) // what to do when one rings
	named := map[int]bool{}
	for _, span := range regexp.MustCompile(`\b(\d{1,3})(?:–(\d{3}))?\b`).FindAllStringSubmatch(string(alarms), -1) {
		from, _ := strconv.Atoi(span[1])
		to := from
		if span[2] != "" {
			to, _ = strconv.Atoi(span[2])
		}
		for code := from; code <= to; code++ {
			named[code] = true
		}
	}
	for code := range 1000 {
		if e := codeError(code); (e.Kind != KindFailed || e.Repeat) && !named[code] {
			t.Errorf("docs/operations.md does not name %d, %s", code, e.Kind)
		}
	}
}
