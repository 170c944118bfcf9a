package main

import (
	"fmt"
	"io"
	"math"
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

// table prints the figures with a column for each contender.
func (r *results) table(w io.Writer) {
	header, line := "|", "|---|"
	for _, c := range r.Contenders {
		header += " " + c.Name + " |"
		line += "---|"
	}
	fmt.Fprintf(w, "| ms: p50 / p99, × floor %s\n%s\n", header, line)
	for _, row := range r.rows() {
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
			r.times(condition, condition+": cold", func(s *samples) durations { return s.Cold }),
			r.times(condition, condition+": the same key again", func(s *samples) durations { return s.Hit }),
			r.beyond(condition, condition+": another key, beyond upstream's time"))
	}
	return append(rows,
		row{"peak memory, MB", func(c *contender) string { return round(megabytes(r.of(usual, c.Name).PeakRSS)) }},
		row{"zip, MB", func(c *contender) string { return round(megabytes(c.Zip)) }},
		row{"of 1,000 requests: secret reads / signatures / upstream calls", func(c *contender) string {
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
	for _, name := range []string{"floor", "voxkv"} {
		p := r.InProcess[name]
		fmt.Fprintf(w, "\nIn process, event to response, %s: %s µs, %d allocations.", name, round(p.Microseconds), p.Allocations)
	}
	if l := r.Load; l != nil {
		fmt.Fprintf(w, "\ncmd/local under %s, %s connections: %.0f requests a second; a net/http server that does nothing: %.0f.", l.Tool, connections, l.Local, l.Floor)
	}
	fmt.Fprintf(w, "\n\n| target | | measured | |\n|---|---|---|---|\n")
	for _, t := range r.Targets {
		met := "met"
		if !t.Met {
			met = "**not met**"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", t.Figure, t.Target, t.Measured, met)
	}
}
