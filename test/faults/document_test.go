//go:build linux

package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/faults.md")

const introduction = `# When something breaks

For whoever runs voxkv, and for callers who want to know what failures look like.

What a caller of the function gets while something around it is broken, what that costs upstream, and what the one who
reads the logs sees. This page is written by its own test, ` + "`test/faults`" + `, which runs all that the binary is made of, by
a clock of its own, and breaks one thing after another: ` + "`go test ./test/faults/ -run TestDocument -update`" + `; ` + "`make faults`" + `
does so with the real binary. What is not on this page was not tried.

Four things hold in every row, and the test looks at each of them:

- **A copy stands in.** The rows tell what happens to an item that the function has not seen lately. Where it holds an
  unexpired copy no older than ` + "`STALE_MAX_AGE`" + `, the answer is that copy with status 200 in place of any 5xx, and the
  log line is a WARN that names the cause. An item that has expired is never an answer.
- **It heals by itself.** As soon as all is well again, so is the next request; nothing has to be restarted. After a
  refused key, or a secret that somebody had to correct, it takes up to 5 s, and after five failures in a row, of different
  keys or of one and for that one alone, as long as ` + "`Retry-After`" + ` says.
- **In time.** The answer leaves half a second before the invocation's time is up, however much is hanging.
- **Nothing gets out.** No answer tells what is behind the function, and neither answers nor logs hold a key, a token, the
  account or a value, also where Voximplant or the secret shows them in a strange place.

An answer is a problem document (RFC 9457); switch on its ` + "`code`" + `. A direct invocation fails with an ` + "`errorType`" + ` of the
same name: ` + "`UpstreamBusy`" + ` for ` + "`upstream_busy`" + `. A 5xx is ` + "`no-store`" + ` always, so no cache keeps it. In the tables, *calls* are
the requests that one question makes to Voximplant, *reads* those to Secrets Manager for the key, and – is what cannot be
counted from outside. *N* is ` + "`CACHE_MAX_AGE`" + `, or ` + "`NOT_FOUND_MAX_AGE`" + ` for a 404, less the time that the answer took; "…" stands for
` + "`must-revalidate, stale-while-revalidate=0, stale-if-error=0`" + `. Every setting has its default where nothing else is said.

Two levels matter: an ERROR needs somebody to do something, a WARN may pass by itself.
`

// A section is a part of docs/faults.md.
type section struct {
	title string
	rows  []row
}

func sections() []section {
	return []section{
		{"Voximplant answers with an error code", codeRows()},
		{"Voximplant answers with an HTTP status and no error code", statusRows()},
		{"Voximplant answers something else", answerRows()},
		{"The way to Voximplant", wayRows()},
		{"Time", timeRows()},
		{"Secrets Manager, before there is a key", noKeyRows()},
		{"Secrets Manager, once there is a key", keyRows()},
	}
}

// TestDocument compares the page with the rows, or writes it.
func TestDocument(t *testing.T) {
	t.Parallel()
	name := filepath.Join("..", "..", "docs", "faults.md")
	want := document(sections())
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil || string(got) != want {
		t.Errorf("docs/faults.md is not what the rows say (%v); write it with -update", err)
	}
}

func document(sections []section) string {
	var page strings.Builder
	page.WriteString(introduction)
	for _, s := range sections {
		fmt.Fprintf(&page, "\n## %s\n\n", s.title)
		page.WriteString("| what breaks | answer | `Retry-After` | `Cache-Control` | calls | reads | log |\n|---|---|---|---|---|---|---|\n")
		for _, r := range s.rows {
			retryAfter := r.retryAfter
			if retryAfter == "" {
				retryAfter = r.want.retryAfter
			}
			cacheControl := strings.Replace(r.want.cacheControl, neverStale, ", …", 1)
			fmt.Fprintf(&page, "| %s | %s | %s | `%s` | %v | %v | %s |\n",
				r.name, r.want.answer(), retryAfter, cacheControl, r.calls, r.reads, r.want.level)
		}
	}
	return page.String()
}

func (o outcome) answer() string {
	if o.code == "" {
		return fmt.Sprintf("%d, the item", o.status)
	}
	return fmt.Sprintf("%d `%s`", o.status, o.code)
}
