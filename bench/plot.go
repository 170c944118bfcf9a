package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

const (
	plotWidth  = 820
	plotLeft   = 190 // of the bars
	plotRight  = 110 // for the figures behind them
	barHeight  = 20
	barStep    = 28
	panelTitle = 44
)

const plotStyle = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.note { fill: #59636e }
.bar { fill: #8c959f }
.voxkv { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
  .bar { fill: #656c76 }
  .voxkv { fill: #4493f8 }
}
</style>
`

// A panel is one bar for each contender.
type panel struct {
	title       string
	value       func(*samples) float64 // milliseconds
	on          string                 // the condition
	logarithmic bool
}

// plot draws cold starts and repeats.
func (r *results) plot(w io.Writer) {
	cold := func(s *samples) float64 { return s.Cold.p50() }
	panels := []panel{
		{"Cold start: Init and first request, ms", cold, usual, false},
		{"Cold start with the CPU share of 256 MB, ms", cold, at256, false},
		{"The same key again, ms (logarithmic scale)", func(s *samples) float64 { return s.Hit.p50() }, usual, true},
	}
	panels = slices.DeleteFunc(panels, func(p panel) bool { return r.Samples[p.on] == nil })
	height := len(panels)*(panelTitle+len(r.Contenders)*barStep) + 30
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Medians of all contenders">`+"\n%s", plotWidth, height, plotStyle)
	y := 0
	for _, p := range panels {
		r.panel(w, p, y)
		y += panelTitle + len(r.Contenders)*barStep
	}
	fmt.Fprintf(w, `<text class="note" x="0" y="%d">Medians. Stand-ins answer after %s (Secrets Manager) and %s (Voximplant).</text>`+"\n</svg>\n",
		y+22, r.Settings["secrets"], r.Settings["voximplant"])
}

func (r *results) panel(w io.Writer, p panel, y int) {
	fmt.Fprintf(w, `<text class="title" x="0" y="%d">%s</text>`+"\n", y+26, p.title)
	scale := r.scale(p)
	for i, c := range r.Contenders {
		value := p.value(r.of(p.on, c.Name))
		if math.IsNaN(value) {
			continue
		}
		class := "bar"
		if c.Name == "voxkv" {
			class = "voxkv"
		}
		top := y + panelTitle - 6 + i*barStep
		length := (plotWidth - plotLeft - plotRight) * scale(value)
		fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%s" x="%d" y="%d" width="%.0f" height="%d" rx="2"/><text x="%.0f" y="%d">%s</text>`+"\n",
			plotLeft-8, top+15, c.Name, class, plotLeft, top, length, barHeight, plotLeft+length+6, top+15, round(value))
	}
}

// scale returns what part of the width a value takes. On a logarithmic scale
// the least one has a bar that can be seen.
func (r *results) scale(p panel) func(value float64) float64 {
	low, high := math.Inf(1), 0.0
	for _, c := range r.Contenders {
		if value := p.value(r.of(p.on, c.Name)); !math.IsNaN(value) {
			low, high = min(low, value/2), max(high, value)
		}
	}
	if p.logarithmic {
		return func(value float64) float64 { return math.Log(value/low) / math.Log(high/low) }
	}
	return func(value float64) float64 { return value / high }
}
