package main

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// durations are samples of one figure.
type durations []time.Duration

// at returns the quantile q, NaN milliseconds if there are no samples.
func (d durations) at(q float64) float64 {
	if len(d) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(d))
	return milliseconds(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)])
}

func (d durations) p50() float64 { return d.at(0.50) }
func (d durations) p99() float64 { return d.at(0.99) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// MarshalJSON leaves the samples out.
func (d durations) MarshalJSON() ([]byte, error) {
	if len(d) == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(map[string]float64{"samples": float64(len(d)), "p50_ms": d.p50(), "p99_ms": d.p99()})
}
