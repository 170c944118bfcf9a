package main

import (
	"math"
	"testing"
	"time"

	"voxkv/bench/floor"
)

// results are everything one run measured.
type results struct {
	options
	Settings   string
	Machine    string
	Time       time.Time
	Contenders []*contender
	Samples    map[condition]map[string]*samples // by contender
	Counts     map[string]counts
	InProcess  map[string]inProcess
	Load       *load `json:",omitempty"`
	Targets    []target
}

// of returns no samples for what was not measured; their quantiles are NaN.
func (r *results) of(under condition, contender string) *samples {
	if s := r.Samples[under][contender]; s != nil {
		return s
	}
	return &samples{}
}

// conditions are those with figures, by size and distance.
func (r *results) conditions() []condition {
	var all []condition
	for _, megabytes := range sizes {
		for _, distance := range r.distances {
			if c := (condition{distance, megabytes}); r.Samples[c] != nil {
				all = append(all, c)
			}
		}
	}
	return all
}

// A wait is a request whose least time is known: what the floor takes, which
// asks nobody, and what anybody waits for the network.
type wait struct {
	name    string
	of      func(*samples) durations
	network func(network) time.Duration
}

var (
	coldStart = wait{"cold", func(s *samples) durations { return s.Cold }, network.cold}
	afterward = wait{"after a pause", func(s *samples) durations { return s.Pause }, network.again}
)

// least returns the least milliseconds that any program could take.
func (r *results) least(w wait, under condition) float64 {
	n := network{Distance: under.Distance, API: r.api, SecretsDistance: r.secretsDistance, Secrets: r.secrets}
	return w.of(r.of(under, "floor")).p50() + milliseconds(w.network(n))
}

// An inProcess is one answer without any process around it.
type inProcess struct {
	Microseconds float64
	Allocations  int64
}

// measureInProcess runs the benchmarks of hit_test.go.
func measureInProcess(events template) (map[string]inProcess, error) {
	l, err := newLocal()
	if err != nil {
		return nil, err
	}
	defer l.server.Close()
	putItems(l.storage, 1)
	payload := events.event(orderKey(0), "")
	all := make(map[string]inProcess)
	for name, f := range map[string]invoke{"voxkv": l.invoke, "floor": floor.Handler().Invoke} {
		// The best of three: others' work on the machine only ever adds.
		best := inProcess{Microseconds: math.Inf(1)}
		for range 3 {
			r := testing.Benchmark(repeat(f, payload))
			took := float64(r.T.Nanoseconds()) / float64(r.N) / 1000
			best = inProcess{min(best.Microseconds, took), r.AllocsPerOp()}
		}
		all[name] = best
	}
	return all, nil
}

// A target is a line of the promise.
type target struct {
	Figure, Target, Measured string
	Met                      bool
}

// targets judges the run.
func (r *results) targets() []target {
	t := &judge{r: r}
	for _, under := range r.conditions() {
		t.beyond(coldStart, under, 10)
	}
	for _, under := range r.conditions() {
		t.beyond(afterward, under, 5)
	}
	usual, share := condition{r.usual(), fullCPU}, condition{r.usual(), 256}
	v := r.of(usual, "voxkv")
	if len(v.Pause)+v.Failed > 0 {
		t.atMost("first requests after a pause that fail", "", r.failed("voxkv"), 0)
		t.atMost("connections to the API for the first request after a pause", "", float64(v.AfterPause.Connections), 1)
		t.atMost("requests to the API for it", "", float64(v.AfterPause.Requests), 1)
	}
	t.ratio("warm hit through the Runtime API, p50", v.Hit.p50(), r.of(usual, "floor").Hit.p50(), 1.2)
	t.ratio("the same, 256 MB", r.of(share, "voxkv").Hit.p50(), r.of(share, "floor").Hit.p50(), 1.5)
	hit := r.InProcess["voxkv"]
	t.atMost("event → response in process, warm hit", "µs", hit.Microseconds, 20)
	t.atMost("allocations of it", "", float64(hit.Allocations), 130)
	t.atMost("warm miss beyond the round trip and the API's time, p50", "ms", v.Miss.p50(), 0.3)
	t.atMost("arm64 zip", "MB", megabytes(r.contender("voxkv").Zip), 3.3)
	t.atMost("secret reads of 1,000 requests", "", float64(r.Counts["voxkv"].Secrets), 1)
	t.atMost("signatures of 1,000 requests", "", float64(r.Counts["voxkv"].Signatures), 1)
	return t.list
}

// failed counts the first requests after a pause that did.
func (r *results) failed(contender string) float64 {
	n := 0
	for _, under := range r.conditions() {
		n += r.of(under, contender).Failed
	}
	return float64(n)
}

// contender returns the one called name.
func (r *results) contender(name string) contender {
	for _, c := range r.Contenders {
		if c.Name == name {
			return *c
		}
	}
	return contender{}
}

// A judge collects targets. What was not measured is left out.
type judge struct {
	r    *results
	list []target
}

func (j *judge) add(figure, goal, measured string, value float64, met bool) {
	if !math.IsNaN(value) {
		j.list = append(j.list, target{figure, goal, measured, met})
	}
}

// unit puts a unit behind a number, if there is one.
func unit(number, name string) string {
	if name == "" {
		return number
	}
	return number + " " + name
}

func (j *judge) atMost(figure, name string, value, bound float64) {
	j.add(figure, "≤ "+unit(round(bound), name), unit(round(value), name), value, value <= bound)
}

func (j *judge) ratio(figure string, value, floor, bound float64) {
	times := value / floor
	j.add(figure, "≤ "+round(bound)+" × floor", round(times)+" ×", times, times <= bound)
}

// beyond allows so many milliseconds more than the least.
func (j *judge) beyond(w wait, under condition, bound float64) {
	value := w.of(j.r.of(under, "voxkv")).p50() - j.r.least(w, under)
	j.atMost(w.name+", "+under.String()+": beyond the least", "ms", value, bound)
}
