package cachetest

import (
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// Direct is the name of having no cache in between.
const Direct = "no cache"

// failures are when the origins of a stage begin and cease to fail, from its
// opening. Items that live for some seconds end before, in and between.
var failures = []time.Duration{3 * time.Second, 6 * time.Second, 9500 * time.Millisecond}

// A Front is a cache, or none, in front of an origin.
type Front struct {
	Cache  string // Direct if it is none
	State  State  // what the origin turns to at times
	URL    string // its root, without a slash at the end
	Origin *Origin
	Client *http.Client
}

// String names the cache and what its origin does.
func (f Front) String() string { return f.Cache + ", " + string(f.State) }

// A Stage is every cache in front of an origin for each State.
type Stage struct {
	Origins map[State]*Origin
	Fronts  []Front
	opened  time.Time
}

// NewStage starts caches of every kind that is installed, and returns when all
// of them serve. A kind that is missing has a test of its own, which is skipped.
func NewStage(t *testing.T, sites Sites, kinds []Kind) *Stage {
	t.Helper()
	s := &Stage{Origins: map[State]*Origin{}}
	var caches []*Cache
	kinds = Installed(t, kinds)
	for _, state := range States() {
		o := NewOrigin(t, sites)
		s.Origins[state] = o
		s.Fronts = append(s.Fronts, Front{Direct, state, o.URL, o, newClient(t)})
		for _, kind := range kinds {
			c := Start(t, kind, o.Addr)
			caches = append(caches, c)
			s.Fronts = append(s.Fronts, Front{kind.Name, state, c.URL, o, newClient(t)})
		}
	}
	for _, c := range caches {
		c.Await(t)
	}
	return s
}

// Installed returns those of kinds that are here. For each other a subtest is skipped, which says so.
func Installed(t *testing.T, kinds []Kind) []Kind {
	t.Helper()
	var found []Kind
	for _, kind := range kinds {
		if _, err := exec.LookPath(kind.program); err != nil {
			t.Run(kind.Name, func(t *testing.T) {
				t.Skipf("%s IS NOT TESTED: %v; test/caches/install.sh installs it", kind.Name, err)
			})
			continue
		}
		found = append(found, kind)
	}
	return found
}

func newClient(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Of returns the fronts whose origin turns to state.
func (s *Stage) Of(state State) []Front {
	var fronts []Front
	for _, f := range s.Fronts {
		if f.State == state {
			fronts = append(fronts, f)
		}
	}
	return fronts
}

// Open begins the play: each origin turns to its state and back at times, and
// fails in the end.
func (s *Stage) Open() {
	s.opened = time.Now()
	for state, o := range s.Origins {
		for _, after := range failures {
			next := Healthy
			if failing(after) {
				next = state
			}
			time.AfterFunc(after, func() { o.Turn(next) })
		}
	}
}

// InState reports whether the front's origin was in the front's state at a time.
func (s *Stage) InState(f Front, at time.Time) bool {
	return f.State == Healthy || failing(at.Sub(s.opened))
}

// Untroubled reports whether the front's origin has not failed by a time.
func (s *Stage) Untroubled(f Front, at time.Time) bool {
	return f.State == Healthy || at.Before(s.opened.Add(failures[0]))
}

// failing reports whether the origins that fail do so at a time from the opening.
func failing(at time.Duration) bool {
	n := 0
	for _, after := range failures {
		if after <= at {
			n++
		}
	}
	return n%2 == 1
}
