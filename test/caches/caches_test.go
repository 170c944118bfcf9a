// Package caches holds the function's promise against real caches: no request
// that starts at or after an item's end gets the item. It needs the caches of
// install.sh, and so runs only when VOXKV_CACHES is set.
package caches

import (
	"net/http"
	"os"
	"sync"
	"testing"

	"voxkv/test/caches/cachetest"
)

// direct is the name of having no cache in between.
const direct = "no cache"

// sites are functions whose settings fit every phase of an item's life into
// seconds, and one with none. STALE_MAX_AGE=0s leaves a function whose storage
// fails nothing to answer.
var sites = cachetest.Sites{
	"small": {
		"CACHE_MAX_AGE": "6s", "LOCAL_MAX_AGE": "0s", "STALE_MAX_AGE": "0s",
		"UPSTREAM_TIMEOUT": "200ms",
	},
	"default": {},
	"brief": {
		"CACHE_MAX_AGE": briefMaxAge.String(), "LOCAL_MAX_AGE": briefLocalMaxAge.String(),
		"NOT_FOUND_MAX_AGE": briefNotFoundMaxAge.String(),
	},
	"private": {"CACHE_MAX_AGE": "6s", "CACHE_SCOPE": "private"},
}

// A front is a cache, or none, in front of an origin.
type front struct {
	cache  string
	state  cachetest.State // what the origin turns to
	url    string
	origin *cachetest.Origin
	client *http.Client
}

func (f front) String() string { return f.cache + ", " + string(f.state) }

// A stage is every cache in front of an origin for each state.
type stage struct {
	origins map[cachetest.State]*cachetest.Origin
	fronts  []front
	stale   []front // nginx that was told to serve stale
}

func TestCaches(t *testing.T) {
	if os.Getenv("VOXKV_CACHES") == "" {
		t.Skip("VOXKV_CACHES is not set")
	}
	s := newStage(t)
	var (
		ends, staleEnds      []life
		overwrites, arrivals []turnover
		private              []privacy
		all                  sync.WaitGroup
	)
	for state, o := range s.origins {
		putItems(o)
		schedule(o, state)
	}
	all.Go(func() { ends = watchEnds(t.Context(), s.fronts) })
	all.Go(func() { staleEnds = watchEnds(t.Context(), s.stale) })
	all.Go(func() { overwrites = watchOverwrite(t.Context(), s.healthy()) })
	all.Go(func() { arrivals = watchArrival(t.Context(), s.healthy()) })
	all.Go(func() { private = watchPrivate(t.Context(), s.healthy()) })
	all.Wait()

	t.Run("no item after its end", func(t *testing.T) { judgeEnds(t, ends) })
	t.Run("what no header can fix", func(t *testing.T) { showStale(t, staleEnds) })
	t.Run("a 304 changes no life", func(t *testing.T) { judgeNotModified(t, s.origins[cachetest.Healthy]) })
	t.Run("an overwritten value goes", func(t *testing.T) { judgeTurnovers(t, overwrites, overwriteBound) })
	t.Run("an item comes", func(t *testing.T) { judgeTurnovers(t, arrivals, arrivalBound) })
	t.Run("nothing private is stored", func(t *testing.T) { judgePrivate(t, private) })
	report(t, ends)
}

// newStage starts everything and returns when all of it serves.
func newStage(t *testing.T) stage {
	t.Helper()
	s := stage{origins: map[cachetest.State]*cachetest.Origin{}}
	var kinds []cachetest.Kind
	for _, kind := range append(cachetest.Kinds(), cachetest.StaleNginx()) {
		if reason := kind.Missing(); reason != "" {
			t.Run(kind.Name, func(t *testing.T) { t.Skip(reason) })
		} else {
			kinds = append(kinds, kind)
		}
	}
	var caches []*cachetest.Cache
	for _, state := range cachetest.States() {
		o := cachetest.NewOrigin(t, sites)
		s.origins[state] = o
		s.fronts = append(s.fronts, front{direct, state, o.URL, o, newClient(t)})
		for _, kind := range kinds {
			c := cachetest.Start(t, kind, o.Addr)
			caches = append(caches, c)
			s.add(front{kind.Name, state, c.URL, o, newClient(t)})
		}
	}
	for _, c := range caches {
		c.Await(t)
	}
	return s
}

func (s *stage) add(f front) {
	if f.cache == cachetest.StaleNginx().Name {
		s.stale = append(s.stale, f)
	} else {
		s.fronts = append(s.fronts, f)
	}
}

// healthy returns the fronts of the origin that never fails.
func (s *stage) healthy() []front {
	var healthy []front
	for _, f := range s.fronts {
		if f.state == cachetest.Healthy {
			healthy = append(healthy, f)
		}
	}
	return healthy
}

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// report prints when items were last seen, and writes it where VOXKV_TABLE says.
func report(t *testing.T, ends []life) {
	t.Helper()
	var table cachetest.Table
	for _, l := range ends {
		if last, ok := l.last(); ok && l.inState() {
			table.Saw(l.front.cache, l.front.state, last)
		}
	}
	t.Logf("When an item was last given to a request, by what the origin did at that time:\n%v", &table)
	if name := os.Getenv("VOXKV_TABLE"); name != "" {
		if err := os.WriteFile(name, []byte(table.Markdown()), 0o644); err != nil {
			t.Error(err)
		}
	}
}
