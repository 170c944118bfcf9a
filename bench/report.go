package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// round writes two significant digits, and whole numbers above 100.
func round(x float64) string {
	switch magnitude := math.Abs(x); {
	case math.IsNaN(x):
		return "–"
	case magnitude >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case magnitude >= 10:
		return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
	default:
		return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 2, 64), ".00")
	}
}

// A row is one figure of all contenders.
type row struct {
	figure string
	least  string // that any program could have, if it is known
	cell   func(c *contender) string
}

// table prints the figures with a column for each contender.
func (r *results) table(w io.Writer, rows []row) {
	header, line := "|", "|---|---|"
	for _, c := range r.Contenders {
		header += " " + c.Name + " |"
		line += "---|"
	}
	fmt.Fprintf(w, "| ms: p50 / p99 | the least %s\n%s\n", header, line)
	for _, row := range rows {
		fmt.Fprintf(w, "| %s | %s |", row.figure, cmp.Or(row.least, "–"))
		for _, c := range r.Contenders {
			fmt.Fprintf(w, " %s |", row.cell(c))
		}
		fmt.Fprintln(w)
	}
}

func (r *results) rows() []row {
	var rows []row
	for _, w := range []wait{coldStart, afterward} {
		for _, under := range r.conditions() {
			rows = append(rows, r.wait(w, under))
		}
	}
	usual, share := condition{r.usual(), fullCPU}, condition{r.usual(), 256}
	hit := func(s *samples) durations { return s.Hit }
	miss := func(s *samples) durations { return s.Miss }
	const missed = "another key, beyond the round trip and the API's time, "
	rows = append(rows,
		r.plain("Init, "+usual.String(), usual, func(s *samples) durations { return s.Init }),
		r.plain("first request, "+usual.String(), usual, func(s *samples) durations { return s.First }),
		r.plain("the same key again, "+usual.String(), usual, hit),
		r.plain("the same with its ETag: 304, "+usual.String(), usual, func(s *samples) durations { return s.NotModified }),
		r.plain(missed+usual.String(), usual, miss))
	if r.Samples[share] != nil {
		rows = append(rows,
			r.plain("**the same key again, "+share.String()+"**", share, hit),
			r.plain(missed+share.String(), share, miss))
	}
	return append(rows,
		row{figure: "peak memory, MB", cell: func(c *contender) string { return round(megabytes(r.of(usual, c.Name).PeakRSS)) }},
		row{figure: "zip, MB", cell: func(c *contender) string { return round(megabytes(c.Zip)) }},
		row{figure: "connections / requests to the API, first request after a pause", cell: func(c *contender) string {
			n := r.of(usual, c.Name).AfterPause
			return fmt.Sprintf("%d / %d", n.Connections, n.Requests)
		}},
		row{figure: "**of 1,000 requests: secret reads / signatures / upstream calls**", cell: func(c *contender) string {
			n := r.Counts[c.Name]
			return fmt.Sprintf("%d / %d / %d", n.Secrets, n.Signatures, n.Upstream)
		}})
}

// wait is a row that tells how far each contender is from the least.
func (r *results) wait(w wait, under condition) row {
	name := w.name + ", " + under.String()
	if under.Megabytes == 256 {
		name = "**" + name + "**" // the memory that the template gives
	}
	least := r.least(w, under)
	return row{name, round(least), func(c *contender) string {
		s := r.of(under, c.Name)
		d := w.of(s)
		cell := "–"
		if len(d) > 0 {
			cell = round(d.p50()) + " / " + round(d.p99())
		}
		if len(d) > 0 && !c.constant {
			cell += fmt.Sprintf(", %+.1f", d.p50()-least)
		}
		if w.name == afterward.name && s.Failed > 0 {
			cell += fmt.Sprintf("; %d of %d failed", s.Failed, s.Failed+len(d))
		}
		return cell
	}}
}

func megabytes(bytes int64) float64 {
	if bytes == 0 {
		return math.NaN()
	}
	return float64(bytes) / 1e6
}

// plain is a row of medians and 99th percentiles.
func (r *results) plain(figure string, under condition, of func(*samples) durations) row {
	return row{figure: figure, cell: func(c *contender) string {
		d := of(r.of(under, c.Name))
		if len(d) == 0 {
			return "–"
		}
		return round(d.p50()) + " / " + round(d.p99())
	}}
}

// rest prints what has no column for each contender.
func (r *results) rest(w io.Writer) {
	fmt.Fprintf(w, "\n- %s, on %s. Voximplant takes %v for a request; Secrets Manager is %v away and takes %v. Each contender was started %d times under each condition, and paused %d times for %v.\n",
		r.Time.Format("2006-01-02"), r.Machine, r.api, r.secretsDistance, r.secrets, r.times, r.pauses, r.pause)
	for _, name := range []string{"floor", "voxkv"} {
		p := r.InProcess[name]
		fmt.Fprintf(w, "- In process, from event to response, %s: %s µs, %d allocations.\n", name, round(p.Microseconds), p.Allocations)
	}
	if l := r.Load; l != nil {
		fmt.Fprintf(w, "- `cmd/local` under %s with %s connections: %.0f requests a second; a net/http server that does nothing: %.0f.\n",
			l.Tool, connections, l.Local, l.Floor)
	}
	fmt.Fprintf(w, "\n| target | | measured | |\n|---|---|---|---|\n")
	for _, t := range r.Targets {
		met := "met"
		if !t.Met {
			met = "**not met**"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", t.Figure, t.Target, t.Measured, met)
	}
}

// summary prints the few figures that the README has, under the conditions that are usual.
func (r *results) summary(w io.Writer) {
	share := condition{r.usual(), 256}
	contenders := slices.DeleteFunc(slices.Clone(r.Contenders), func(c *contender) bool {
		return c.constant || strings.HasSuffix(c.Name, "per request")
	})
	header, line := "| median, Voximplant "+share.String()+" |", "|---|"
	for _, c := range contenders {
		header += " " + c.Name + " |"
		line += "---|"
	}
	fmt.Fprintf(w, "%s\n%s\n", header, line)
	for _, row := range []struct {
		figure string
		of     func(*contender) string
	}{
		{"cold start and first answer, ms", func(c *contender) string { return round(r.of(share, c.Name).Cold.p50()) }},
		{"first answer after a pause, ms", func(c *contender) string { return round(r.of(share, c.Name).Pause.p50()) }},
		{"the same key again, ms", func(c *contender) string { return round(r.of(share, c.Name).Hit.p50()) }},
		{"calls to Voximplant for 1,000 requests", func(c *contender) string { return fmt.Sprint(r.Counts[c.Name].Upstream) }},
	} {
		fmt.Fprintf(w, "| %s |", row.figure)
		for _, c := range contenders {
			fmt.Fprintf(w, " %s |", row.of(c))
		}
		fmt.Fprintln(w)
	}
}

// update puts the tables into documents, between <!-- bench: NAME --> and <!-- end -->.
func (r *results) update(files []string) error {
	var all, summary bytes.Buffer
	r.table(&all, r.rows())
	r.rest(&all)
	r.summary(&summary)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text, found := between(text, "<!-- bench: all -->\n", all.Bytes())
		text, too := between(text, "<!-- bench: summary -->\n", summary.Bytes())
		if !found && !too {
			return fmt.Errorf("%s has no place for a table: <!-- bench: all --> or <!-- bench: summary -->, then <!-- end -->", file)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// between replaces what stands between begin and the next end, and reports whether they are there.
func between(text []byte, begin string, replacement []byte) ([]byte, bool) {
	before, rest, found := bytes.Cut(text, []byte(begin))
	_, after, ended := bytes.Cut(rest, []byte("<!-- end -->"))
	if !found || !ended {
		return text, false
	}
	return slices.Concat(before, []byte(begin), replacement, []byte("<!-- end -->"), after), true
}
