package cachetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// A Table holds when an item was last seen, relative to its end, by cache and
// by state of the origin. It may be filled from several goroutines.
type Table struct {
	mu    sync.Mutex // guards everything below
	rows  []string
	cells map[cell]time.Duration
}

type cell struct {
	row   string
	state State
}

// Saw notes a sighting. The latest of a cell stays.
func (t *Table) Saw(row string, state State, fromEnd time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cells == nil {
		t.cells = map[cell]time.Duration{}
	}
	if !slices.Contains(t.rows, row) {
		t.rows = append(t.rows, row)
	}
	if last, ok := t.cells[cell{row, state}]; !ok || fromEnd > last {
		t.cells[cell{row, state}] = fromEnd
	}
}

// lines returns the table's text, head first.
func (t *Table) lines() [][]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	head := []string{"seconds from expiry"}
	for _, s := range States() {
		head = append(head, string(s))
	}
	lines := [][]string{head}
	for _, row := range t.rows {
		line := []string{row}
		for _, s := range States() {
			text := "not measured"
			if last, ok := t.cells[cell{row, s}]; ok {
				text = fmt.Sprintf("%+.2f", last.Seconds())
			}
			line = append(line, text)
		}
		lines = append(lines, line)
	}
	return lines
}

// String returns the table for a terminal.
func (t *Table) String() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	for _, line := range t.lines() {
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	w.Flush()
	return out.String()
}

// Markdown returns the table for a document.
func (t *Table) Markdown() string {
	var out strings.Builder
	for i, line := range t.lines() {
		fmt.Fprintf(&out, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			out.WriteString("|---" + strings.Repeat("|---:", len(line)-1) + "|\n")
		}
	}
	return out.String()
}
