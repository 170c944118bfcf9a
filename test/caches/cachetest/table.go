package cachetest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A Table holds when an item was last seen, relative to its end, by cache and by
// state of the origin.
type Table struct {
	rows  []string
	cells map[string]map[State]time.Duration
}

// Saw notes a sighting. The latest of a cell stays.
func (t *Table) Saw(row string, state State, fromEnd time.Duration) {
	if t.cells == nil {
		t.cells = map[string]map[State]time.Duration{}
	}
	if t.cells[row] == nil {
		t.rows = append(t.rows, row)
		t.cells[row] = map[State]time.Duration{}
	}
	if last, ok := t.cells[row][state]; !ok || fromEnd > last {
		t.cells[row][state] = fromEnd
	}
}

// String returns the table in Markdown.
func (t *Table) String() string {
	var out strings.Builder
	out.WriteString("| seconds from expiry |")
	for _, s := range States() {
		fmt.Fprintf(&out, " %s |", s)
	}
	out.WriteString("\n|---|" + strings.Repeat("---:|", len(States())) + "\n")
	for _, row := range t.rows {
		fmt.Fprintf(&out, "| %s |", row)
		for _, s := range States() {
			text := "not measured"
			if last, ok := t.cells[row][s]; ok {
				text = fmt.Sprintf("%+.2f", last.Seconds())
			}
			fmt.Fprintf(&out, " %s |", text)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// Write prints the table, and writes it where the environment variable says.
func (t *Table) Write(test *testing.T, variable string) {
	test.Helper()
	test.Logf("When an item was last given, by what the origin did at that time:\n%v", t)
	if name := os.Getenv(variable); name != "" {
		if err := os.WriteFile(name, []byte(t.String()), 0o644); err != nil {
			test.Error(err)
		}
	}
}
