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

// A panel is one bar for each contender.
type panel struct {
	title       string
	bars        []bar
	logarithmic bool
}

// A bar is a name and a time in milliseconds.
type bar struct {
	name  string
	value float64
}

// panels are cold starts, pauses and repeats.
func (r *results) panels() []panel {
	distance := r.usual().Milliseconds()
	share := condition{r.usual(), 256}
	if r.Samples[share] == nil {
		share.Megabytes = fullCPU
	}
	least := func(w wait) []bar {
		return append([]bar{{"the least possible", r.least(w, share)}}, r.bars(share, w.of)...)
	}
	return []panel{
		{fmt.Sprintf("Cold start: Init and first request, Voximplant %d ms away, ms", distance), least(coldStart), false},
		{"First request after a pause, ms", least(afterward), false},
		{"The same key again, ms (logarithmic scale)", r.bars(share, func(s *samples) durations { return s.Hit }), true},
	}
}

// bars leaves out what was not measured.
func (r *results) bars(under condition, of func(*samples) durations) []bar {
	var bars []bar
	for _, c := range r.Contenders {
		if value := of(r.of(under, c.Name)).p50(); !math.IsNaN(value) {
			bars = append(bars, bar{c.Name, value})
		}
	}
	return bars
}

func (r *results) plot(w io.Writer) {
	panels := r.panels()
	height := 30
	for _, p := range panels {
		height += p.height()
	}
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Medians of all contenders">`+"\n%s", plotWidth, height, plotStyle)
	y := 0
	for _, p := range panels {
		p.draw(w, y)
		y += p.height()
	}
	fmt.Fprintf(w, `<text class="note" x="0" y="%d">Medians, with the CPU share of 256 MB. Voximplant takes %v for a request; Secrets Manager is %v away and takes %v.</text>`+"\n</svg>\n",
		y+22, r.api, r.secretsDistance, r.secrets)
}

func (p panel) height() int { return panelTitle + len(p.bars)*barStep }

func (p panel) draw(w io.Writer, y int) {
	fmt.Fprintf(w, `<text class="title" x="0" y="%d">%s</text>`+"\n", y+26, p.title)
	scale := p.scale()
	for i, b := range p.bars {
		class := "bar"
		if b.name == "voxkv" {
			class = "voxkv"
		}
		top := y + panelTitle - 6 + i*barStep
		length := (plotWidth - plotLeft - plotRight) * scale(b.value)
		fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%s" x="%d" y="%d" width="%.0f" height="%d" rx="2"/><text x="%.0f" y="%d">%s</text>`+"\n",
			plotLeft-8, top+15, b.name, class, plotLeft, top, length, barHeight, plotLeft+length+6, top+15, round(b.value))
	}
}

// scale returns what part of the width a value takes. On a logarithmic scale
// the least one has a bar that can be seen.
func (p panel) scale() func(value float64) float64 {
	low, high := math.Inf(1), 0.0
	for _, b := range p.bars {
		low, high = min(low, b.value/2), max(high, b.value)
	}
	if p.logarithmic {
		return func(value float64) float64 { return math.Log(value/low) / math.Log(high/low) }
	}
	return func(value float64) float64 { return value / high }
}
