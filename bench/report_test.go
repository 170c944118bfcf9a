package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// measured are results with the same median for every time of a contender.
func measured() *results {
	r := &results{Samples: map[condition]map[string]*samples{}, Counts: map[string]counts{}}
	r.distances = []time.Duration{20 * time.Millisecond}
	for i, name := range []string{"floor", "voxkv", "naive Go", "naive Go, per request"} {
		r.Contenders = append(r.Contenders, &contender{Name: name, constant: name == "floor"})
		times := durations{time.Duration(i) * 10 * time.Millisecond}
		for _, megabytes := range sizes {
			under := condition{20 * time.Millisecond, megabytes}
			if r.Samples[under] == nil {
				r.Samples[under] = map[string]*samples{}
			}
			r.Samples[under][name] = &samples{Cold: times, Pause: times, Hit: times}
		}
		r.Counts[name] = counts{Upstream: int64(100 * i)}
	}
	return r
}

// TestDocuments: both tables get to their places in copies of the documents that `make bench` writes, and nothing else changes.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for document, rows := range map[string][]string{
		"README.md": {"| median, Voximplant 20 ms away, 256 MB | voxkv | naive Go |", "| cold start and first answer, ms | 10 | 20 |",
			"| calls to Voximplant for 1,000 requests | 100 | 200 |"},
		"docs/performance.md": {"| **cold, 20 ms away, 256 MB** |"},
	} {
		before, err := os.ReadFile(filepath.Join("..", document))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "document.md")
		if err := os.WriteFile(name, before, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := measured().update([]string{name}); err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		after, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if strings.Count(string(after), row+"\n")+strings.Count(string(after), row+" ") != 1 {
				t.Errorf("%s has no row %s:\n%s", document, row, after)
			}
		}
		if head, _, _ := strings.Cut(string(before), "<!-- bench"); !strings.HasPrefix(string(after), head) {
			t.Errorf("%s changed before the table", document)
		}
		_, tail, _ := strings.Cut(string(before), "<!-- end -->")
		if !strings.HasSuffix(string(after), tail) {
			t.Errorf("%s changed behind the table", document)
		}
	}
}

// TestNoPlaceForTables: a document that lost its marks is an error, and stays as it is.
func TestNoPlaceForTables(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "document.md")
	if err := os.WriteFile(name, []byte("<!-- bench: all -->\nno end\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := measured().update([]string{name}); err == nil || !strings.Contains(err.Error(), "has no place for a table") {
		t.Errorf("error = %v; want that there is no place for a table", err)
	}
}
