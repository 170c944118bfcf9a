package main

import (
	"bytes"
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
	cell   func(c *contender) string
}

// important reports whether the README shows the row too.
func (r row) important() bool { return strings.HasPrefix(r.figure, "**") }

// table prints the figures with a column for each contender.
func (r *results) table(w io.Writer, rows []row) {
	header, line := "|", "|---|"
	for _, c := range r.Contenders {
		header += " " + c.Name + " |"
		line += "---|"
	}
	fmt.Fprintf(w, "| ms: p50 / p99, × floor %s\n%s\n", header, line)
	for _, row := range rows {
		fmt.Fprintf(w, "| %s |", row.figure)
		for _, c := range r.Contenders {
			fmt.Fprintf(w, " %s |", row.cell(c))
		}
		fmt.Fprintln(w)
	}
}

func (r *results) rows() []row {
	rows := []row{
		r.times(instant, "Init, instant stand-ins", func(s *samples) durations { return s.Init }),
		r.times(usual, "Init", func(s *samples) durations { return s.Init }),
		r.times(usual, "first request", func(s *samples) durations { return s.First }),
		r.times(usual, "**cold: both**", func(s *samples) durations { return s.Cold }),
		r.times(usual, "**the same key again**", func(s *samples) durations { return s.Hit }),
		r.times(usual, "the same with its ETag: 304", func(s *samples) durations { return s.NotModified }),
		r.beyond(usual, "another key, beyond upstream's time"),
		r.beyond(instant, "the same, instant stand-ins"),
	}
	for _, condition := range []string{at256, at128} {
		if r.Samples[condition] == nil {
			continue
		}
		rows = append(rows,
			r.times(condition, "**"+condition+": cold**", func(s *samples) durations { return s.Cold }),
			r.times(condition, condition+": the same key again", func(s *samples) durations { return s.Hit }),
			r.beyond(condition, condition+": another key, beyond upstream's time"))
	}
	return append(rows,
		row{"**peak memory, MB**", func(c *contender) string { return round(megabytes(r.of(usual, c.Name).PeakRSS)) }},
		row{"zip, MB", func(c *contender) string { return round(megabytes(c.Zip)) }},
		row{"**of 1,000 requests: secret reads / signatures / upstream calls**", func(c *contender) string {
			n := r.Counts[c.Name]
			return fmt.Sprintf("%d / %d / %d", n.Secrets, n.Signatures, n.Upstream)
		}})
}

func megabytes(bytes int64) float64 {
	if bytes == 0 {
		return math.NaN()
	}
	return float64(bytes) / 1e6
}

// times is a row of medians, 99th percentiles and ratios.
func (r *results) times(condition, figure string, of func(*samples) durations) row {
	floor := of(r.of(condition, "floor")).p50()
	return row{figure, func(c *contender) string {
		d := of(r.of(condition, c.Name))
		if len(d) == 0 {
			return "–"
		}
		cell := round(d.p50()) + " / " + round(d.p99())
		if !math.IsNaN(floor) && c.Name != "floor" {
			cell += ", " + round(d.p50()/floor) + " ×"
		}
		return cell
	}}
}

// beyond is a row that the floor has no part in.
func (r *results) beyond(condition, figure string) row {
	return row{figure, func(c *contender) string {
		d := r.of(condition, c.Name).Miss
		if len(d) == 0 {
			return "–"
		}
		return round(d.p50()) + " / " + round(d.p99())
	}}
}

// rest prints what has no column for each contender.
func (r *results) rest(w io.Writer) {
	fmt.Fprintf(w, "\n- %s, on %s. Stand-ins answer after %s (Secrets Manager) and %s (Voximplant); each contender was started %d times under each condition.\n",
		r.Time.Format("2006-01-02"), r.Machine, r.Settings["secrets"], r.Settings["voximplant"], r.Settings["starts"])
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

// update puts the tables into documents, between <!-- bench: NAME --> and <!-- end -->.
func (r *results) update(files []string) error {
	var all, summary bytes.Buffer
	r.table(&all, r.rows())
	r.rest(&all)
	r.table(&summary, slices.DeleteFunc(r.rows(), func(row row) bool { return !row.important() }))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text = between(text, "<!-- bench: all -->\n", all.Bytes())
		text = between(text, "<!-- bench: summary -->\n", summary.Bytes())
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// between replaces what stands between begin and the next end, if they are there.
func between(text []byte, begin string, replacement []byte) []byte {
	before, rest, found := bytes.Cut(text, []byte(begin))
	_, after, ended := bytes.Cut(rest, []byte("<!-- end -->"))
	if !found || !ended {
		return text
	}
	return slices.Concat(before, []byte(begin), replacement, []byte("<!-- end -->"), after)
}
