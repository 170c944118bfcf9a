package main

import (
	"math"
	"time"
)

// A traffic is what a scenario comes to, by the second.
type traffic struct {
	polls     float64 // of pages
	viewer    float64 // requests that leave the browser
	function  float64 // requests that reach the function
	upstream  float64 // calls of Voximplant
	sandboxes float64
	busy      time.Duration // the function's time for one request
}

// A model is a scenario with what the function sends, by the seconds that an
// item has left. It follows one viewer and one cache of each item, as if all
// the others did the same.
type model struct {
	scenario
	maxAge []mixed // seconds that CloudFront may keep an answer
	gap    []mixed // seconds from a browser's request to its next, without CloudFront
}

// A mixed figure is one for answers from upstream, and one for local copies of all ages.
type mixed struct{ asked, copied float64 }

// of is the mean where the share hits are local copies.
func (m mixed) of(hits float64) float64 { return (1-hits)*m.asked + hits*m.copied }

func newModel(s scenario) *model {
	m := &model{scenario: s}
	lives := freshness(s.maxAge)
	poll := s.poll.Seconds()
	for left := time.Duration(0); left <= s.lifetime; left += time.Second {
		// A browser asks at the first poll after its copy has ended.
		gap := func(age time.Duration) float64 {
			browser, _ := lives(left, age)
			return poll * max(1, math.Ceil(browser/poll))
		}
		m.maxAge = append(m.maxAge, s.mix(func(age time.Duration) float64 {
			_, shared := lives(left, age)
			return shared
		}))
		m.gap = append(m.gap, s.mix(gap))
	}
	return m
}

// withCloudFront is the same behind CloudFront's caches.
func (m model) withCloudFront() *model {
	m.caches = regionalCaches
	return &m
}

// mix takes the mean of f over the ages that local copies have. The header
// counts begun seconds.
func (s scenario) mix(f func(age time.Duration) float64) mixed {
	x := mixed{asked: f(0), copied: f(0)}
	if s.localMaxAge < time.Second {
		return x
	}
	var sum, n float64
	for age := time.Second; age <= s.localMaxAge; age += time.Second {
		sum += f(age)
		n++
	}
	x.copied = sum / n
	return x
}

// rounds is enough for sandboxes and local copies to settle: fewer requests of
// upstream make requests shorter, which needs fewer sandboxes.
const rounds = 8

func (m *model) traffic(viewers float64) traffic {
	t := traffic{polls: viewers / m.poll.Seconds(), sandboxes: 1}
	groups := m.groups(viewers)
	for range rounds {
		t.viewer, t.function, t.upstream = 0, 0, 0
		for _, g := range groups {
			viewer, function, upstream := m.item(g.watching, t.sandboxes)
			t.viewer += g.items * viewer
			t.function += g.items * function
			t.upstream += g.items * upstream
		}
		missed := t.upstream / t.function
		t.busy = time.Duration(float64(m.hit) + missed*float64(m.miss-m.hit))
		t.sandboxes = m.sandboxes(t.function*t.busy.Seconds(), groups[0].watching)
	}
	return t
}

// sandboxes is how many it takes for the requests that run at a time: on
// average, by chance, and when the most watched item ends. Then every browser
// that shows it asks at its next poll, and until the first answer is there each
// finds a sandbox busy with the same question. CloudFront makes one question of these.
func (m *model) sandboxes(running, mostWatched float64) float64 {
	if m.caches == 0 {
		running += mostWatched / m.poll.Seconds() * m.miss.Seconds()
	}
	return math.Ceil(running+2*math.Sqrt(running)) + 1
}

// item returns the rates of one item, with so many viewers.
func (m *model) item(watching, sandboxes float64) (viewer, function, upstream float64) {
	// What the function sends depends on how old its copies are, and that on how often it is asked.
	hits := 0.0
	for range 3 {
		if m.caches == 0 {
			viewer = watching * m.perSecond(m.polls(), func(left int) float64 { return m.gap[left].of(hits) })
			function = viewer
			upstream = m.herds(viewer/watching, watching, sandboxes)
		} else {
			var passing float64
			viewer, function, passing = m.behindCaches(watching, hits)
			upstream = m.spread(function-passing, sandboxes) + m.herds(1/m.lifetime.Seconds(), passing*m.lifetime.Seconds(), sandboxes)
		}
		upstream = min(upstream, function)
		hits = 1 - upstream/function
	}
	return viewer, function, upstream
}

// behindCaches is with CloudFront. All browsers' copies end with the cache's,
// so each viewer comes once in the cache's turn, and the first one begins the
// next. passing are the requests of an item's last seconds, which no cache may answer.
func (m *model) behindCaches(watching, hits float64) (viewer, function, passing float64) {
	n := float64(m.caches)
	asked := n * (1 - math.Exp(-watching/n)) // caches that have a viewer at all
	poll := m.poll.Seconds()
	wait := poll / (watching/asked + 1)
	turn := func(left int) float64 { return m.maxAge[left].of(hits) + wait }
	viewer = watching * m.perSecond(m.polls(), func(left int) float64 { return max(poll, turn(left)) })
	function = min(viewer, asked*m.perSecond(chances(wait), turn))
	// The same with one step for all of the last seconds, and then without it.
	stored := m.perSecond(chances(wait), func(left int) float64 {
		if m.maxAge[left].of(hits) < 1 {
			return m.lifetime.Seconds()
		}
		return turn(left)
	}) - 1/m.lifetime.Seconds()
	return viewer, function, max(function-asked*stored, 0)
}

// spread is how often upstream is asked where requests have nothing to do with each other.
func (m *model) spread(requests, sandboxes float64) float64 {
	if requests <= 0 {
		return 0
	}
	wait := sandboxes / requests
	return sandboxes * m.perSecond(chances(wait), func(left int) float64 { return min(m.localMaxAge.Seconds(), float64(left)) + wait })
}

// herds is how often upstream is asked where size requests come together, each
// within one poll, as do those of browsers whose copies end together. Of those
// that meet the same sandbox while its copy is young, one asks.
func (m *model) herds(perSecond, size, sandboxes float64) float64 {
	if m.localMaxAge == 0 {
		return perSecond * size
	}
	windows := max(1, m.poll.Seconds()/m.localMaxAge.Seconds())
	met := sandboxes * -math.Expm1(size/windows*math.Log1p(-1/sandboxes))
	return perSecond * windows * min(met, size/windows)
}

// perSecond is how often something happens that begins at some time of an
// item's life, and happens again after a gap which depends on what is left of it.
func (m *model) perSecond(begin []float64, gap func(left int) float64) float64 {
	n, life := 0.0, m.lifetime.Seconds()
	for _, begun := range begin {
		for left := life - begun; left > 0; {
			g := gap(int(left))
			// While nothing may be stored there is no end of them.
			step := max(g, shortest)
			n += step / g
			left -= step
		}
	}
	return n / float64(len(begin)) / life
}

const (
	// shortest is the least time, in seconds, that a step covers.
	shortest = 0.1

	// steps is how many times stand for all at which something may begin.
	steps = 20
)

// polls are the times at which a page may first ask for a new item.
func (m *model) polls() []float64 {
	begin := make([]float64, steps)
	for i := range begin {
		begin[i] = (float64(i) + 0.5) / steps * m.poll.Seconds()
	}
	return begin
}

// chances are the times of the first of many independent requests, which come
// after wait seconds on average.
func chances(wait float64) []float64 {
	begin := make([]float64, steps)
	for i := range begin {
		begin[i] = -math.Log(1-(float64(i)+0.5)/steps) * wait
	}
	return begin
}
