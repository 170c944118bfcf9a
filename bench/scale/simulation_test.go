package main

import (
	"container/heap"
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"voxkv/allowlist"
	"voxkv/handler"
	"voxkv/internal/requestlog"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// A simulation is a scenario played event by event. The function is real:
// handlers with lookups, one pair for each sandbox, on a clock of their own.
type simulation struct {
	scenario
	random *rand.Rand
	began  time.Time
	now    time.Time
	phase  []time.Duration // of the items' lives

	pages     pages
	edges     []map[int]*stored // CloudFront's regional caches
	sandboxes []*sandbox

	seen traffic // counts, not rates
}

// arrivals is how long it takes until all pages are open. Were they opened at
// once, the sandboxes of that rush would stay and be counted.
const arrivals = 2 * time.Minute

// A page asks for one item for ever.
type page struct {
	at   time.Time // of the next poll
	item int
	edge int
	copy stored
}

// A stored response is fresh until its end.
type stored struct{ at, end time.Time }

// A sandbox serves one request at a time.
type sandbox struct {
	handler *handler.Handler
	until   time.Time
}

func newSimulation(s scenario, viewers float64) *simulation {
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	sim := &simulation{scenario: s, random: rand.New(rand.NewPCG(1, 2)), began: began, now: began}
	for range s.items {
		sim.phase = append(sim.phase, sim.spread(s.lifetime))
	}
	for range s.caches {
		sim.edges = append(sim.edges, make(map[int]*stored))
	}
	var watched float64
	for item, watching := range s.watching(viewers) {
		watched += watching
		for float64(len(sim.pages)) < math.Round(watched) {
			sim.pages = append(sim.pages, &page{at: began.Add(sim.spread(arrivals)), item: item, edge: sim.random.IntN(max(1, s.caches))})
		}
	}
	heap.Init(&sim.pages)
	return sim
}

func (s *simulation) spread(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d)))
}

// run returns the rates over length, which begins after warmUp.
func (s *simulation) run(warmUp, length time.Duration) traffic {
	s.until(s.began.Add(warmUp))
	s.seen = traffic{}
	s.until(s.began.Add(warmUp + length))
	t := s.seen
	for _, n := range []*float64{&t.polls, &t.viewer, &t.function, &t.upstream} {
		*n /= length.Seconds()
	}
	t.sandboxes = float64(len(s.sandboxes))
	return t
}

func (s *simulation) until(end time.Time) {
	for s.pages[0].at.Before(end) {
		p := s.pages[0]
		s.now = p.at
		s.seen.polls++
		if !s.now.Before(p.copy.end) {
			s.seen.viewer++
			p.copy = s.request(p)
		}
		p.at = p.at.Add(s.poll)
		heap.Fix(&s.pages, 0)
	}
}

// request goes to a cache, if there are any. What a browser gets from one ends when the cache's does.
func (s *simulation) request(p *page) stored {
	if s.caches == 0 {
		return s.invoke(p.item)
	}
	held := s.edges[p.edge][p.item]
	if held == nil || !s.now.Before(held.end) {
		fresh := s.invoke(p.item)
		held = &fresh
		s.edges[p.edge][p.item] = held
	}
	return *held
}

// invoke runs the function in a sandbox that is free, or in a new one.
func (s *simulation) invoke(item int) stored {
	s.seen.function++
	box := s.free()
	asked := s.seen.upstream
	age, shared := sent(box.handler, strconv.Itoa(item))
	if s.caches > 0 {
		age = shared
	}
	took := s.hit
	if s.seen.upstream > asked {
		took = s.miss
	}
	box.until = s.now.Add(took)
	return stored{at: s.now, end: s.now.Add(time.Duration(age) * time.Second)}
}

// free picks any sandbox that is: which one Lambda takes is not known, and to
// spread requests out makes for the oldest copies and the most misses.
func (s *simulation) free() *sandbox {
	var idle []*sandbox
	for _, box := range s.sandboxes {
		if !s.now.Before(box.until) {
			idle = append(idle, box)
		}
	}
	if len(idle) > 0 {
		return idle[s.random.IntN(len(idle))]
	}
	box := &sandbox{handler: s.newHandler()}
	s.sandboxes = append(s.sandboxes, box)
	return box
}

func (s *simulation) newHandler() *handler.Handler {
	scope, err := allowlist.Parse("*")
	if err != nil {
		panic(err)
	}
	found, err := lookup.New(lookup.Config{
		Scope:       scope,
		Fetch:       s.fetch,
		LocalMaxAge: s.localMaxAge,
		StaleMaxAge: s.maxAge,
		MaxItems:    4096,
		Timeout:     5 * time.Second,
		Now:         func() time.Time { return s.now },
	})
	if err != nil {
		panic(err)
	}
	return &handler.Handler{
		Lookup:  found.Item,
		MaxAge:  s.maxAge,
		Origins: []string{"*"},
		Log:     &requestlog.Log{Logger: slog.New(slog.DiscardHandler)},
	}
}

// fetch is Voximplant's storage, in which an item is written anew when it ends.
func (s *simulation) fetch(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
	s.seen.upstream++
	item, err := strconv.Atoi(key)
	if err != nil {
		return nil, err
	}
	lived := (s.now.Sub(s.began) + s.phase[item]) % s.lifetime
	return &voximplant.KeyValueItem{Key: key, Value: "v", ExpiresAt: s.now.Add(s.lifetime - lived)}, nil
}

// pages is a heap by the time of the next poll.
type pages []*page

func (p pages) Len() int           { return len(p) }
func (p pages) Less(i, j int) bool { return p[i].at.Before(p[j].at) }
func (p pages) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pages) Push(x any)        { *p = append(*p, x.(*page)) }
func (p *pages) Pop() any          { panic("pages never go") }

func TestModelAgainstSimulation(t *testing.T) {
	t.Parallel()
	small := usual()
	const viewers = 1000
	small.items = 25
	small.lifetime = 10 * time.Minute
	tests := map[string]func(*scenario){
		"usual":                func(*scenario) {},
		"CloudFront":           func(s *scenario) { s.caches = 3 },
		"many items":           func(s *scenario) { s.items = 500 },
		"many, CloudFront":     func(s *scenario) { s.items, s.caches = 500, 3 },
		"short lives":          func(s *scenario) { s.lifetime = 45 * time.Second },
		"short, CloudFront":    func(s *scenario) { s.lifetime, s.caches = 45*time.Second, 3 },
		"no local copies":      func(s *scenario) { s.localMaxAge = 0 },
		"slow pages":           func(s *scenario) { s.poll = 90 * time.Second },
		"one item for all":     func(s *scenario) { s.items = 1 },
		"one, CloudFront":      func(s *scenario) { s.items, s.caches = 1, 3 },
		"ceiling of ten times": func(s *scenario) { s.maxAge, s.lifetime = 10*time.Minute, time.Hour },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := small
			change(&s)
			model, played := newModel(s).traffic(viewers), newSimulation(s, viewers).run(2*arrivals, max(s.lifetime, 5*time.Minute))
			t.Logf("model     %+v", model)
			t.Logf("simulated %+v", played)
			near(t, "polls", model.polls, played.polls, 0.02)
			near(t, "requests of viewers", model.viewer, played.viewer, 0.15)
			near(t, "requests of the function", model.function, played.function, 0.15)
			// It depends on which sandbox gets what, and rushes are rare.
			near(t, "upstream calls", model.upstream, played.upstream, 0.5)
			near(t, "sandboxes", model.sandboxes, played.sandboxes, 0.6)
		})
	}
}

// near lets few by the second be off by some: they are too few to count.
func near(t *testing.T, what string, model, played, within float64) {
	t.Helper()
	const few = 0.25
	if off := model/played - 1; math.Abs(off) > within && math.Abs(model-played) > few {
		t.Errorf("%s: model %.2f, simulation %.2f a second: %+.0f %%; want within %.0f %%", what, model, played, 100*off, 100*within)
	}
}
