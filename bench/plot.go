package main

import (
	"fmt"
	"io"
	"math"
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

// A panel is one bar for each contender, on a logarithmic scale.
type panel struct {
	title string
	value func(*samples) float64 // milliseconds
	on    string                 // the condition
}

// plot draws cold starts and repeats.
func (r *results) plot(w io.Writer) {
	panels := []panel{
		{"Cold start: Init and first request, ms", func(s *samples) float64 { return s.Cold.p50() }, usual},
		{"The same key again, ms", func(s *samples) float64 { return s.Hit.p50() }, usual},
	}
	if r.Samples[at128] != nil {
		panels = append(panels, panel{"The same key again with the CPU share of 128 MB, ms", func(s *samples) float64 { return s.Hit.p50() }, at128})
	}
	height := len(panels)*(panelTitle+len(r.Contenders)*barStep) + 30
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Medians of all contenders">`+"\n%s", plotWidth, height, plotStyle)
	y := 0
	for _, p := range panels {
		r.panel(w, p, y)
		y += panelTitle + len(r.Contenders)*barStep
	}
	fmt.Fprintf(w, `<text class="note" x="0" y="%d">Medians; bars on a logarithmic scale. Stand-ins answer after %s (Secrets Manager) and %s (Voximplant).</text>`+"\n</svg>\n",
		y+22, r.Settings["secrets"], r.Settings["voximplant"])
}

func (r *results) panel(w io.Writer, p panel, y int) {
	fmt.Fprintf(w, `<text class="title" x="0" y="%d">%s</text>`+"\n", y+26, p.title)
	low, high := r.bounds(p)
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
		length := (plotWidth - plotLeft - plotRight) * math.Log(value/low) / math.Log(high/low)
		fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%s" x="%d" y="%d" width="%.0f" height="%d" rx="2"/><text x="%.0f" y="%d">%s</text>`+"\n",
			plotLeft-8, top+15, c.Name, class, plotLeft, top, length, barHeight, plotLeft+length+6, top+15, round(value))
	}
}

// bounds are the scale's: half of the least value, so that its bar is seen, and the greatest.
func (r *results) bounds(p panel) (low, high float64) {
	low, high = math.Inf(1), 0
	for _, c := range r.Contenders {
		if value := p.value(r.of(p.on, c.Name)); !math.IsNaN(value) {
			low, high = min(low, value), max(high, value)
		}
	}
	return low / 2, high
}
