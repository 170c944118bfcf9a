// Package caches holds the function's promise against real caches: no request
// that starts at or after an item's end gets the item. It needs the caches of
// install.sh, and so runs only when VOXKV_CACHES is set.
package caches

import (
	"slices"
	"sync"
	"testing"

	"voxkv/test/caches/cachetest"
	"voxkv/test/tools"
)

// sites are functions whose settings fit every phase of an item's life into
// seconds, and one with none. STALE_MAX_AGE=0s leaves a function whose storage
// fails nothing to answer.
var sites = cachetest.Sites{
	"small": {
		"CACHE_MAX_AGE": "6s", "LOCAL_MAX_AGE": "0s", "STALE_MAX_AGE": "0s",
		"UPSTREAM_TIMEOUT": "2s",
	},
	"default": {},
	"brief": {
		"CACHE_MAX_AGE": briefMaxAge.String(), "LOCAL_MAX_AGE": briefLocalMaxAge.String(),
		"NOT_FOUND_MAX_AGE": briefNotFoundMaxAge.String(),
	},
	privateSite: {"CACHE_MAX_AGE": "6s", "CACHE_SCOPE": "private"},
	// Absences are kept for long, so that none says no-store where the machine is slow.
	usersSite:          {"ALLOWED_KEYS": usersKeys, "NOT_FOUND_MAX_AGE": "1h"},
	cachetest.LateSite: {"LOCAL_MAX_AGE": "0s"},
}

// withEachCache runs test for each kind of cache that is here, side by side.
func withEachCache(t *testing.T, test func(t *testing.T, kind cachetest.Kind)) {
	t.Helper()
	tools.Gate(t, "VOXKV_CACHES")
	t.Parallel()
	for _, kind := range cachetest.Installed(t, cachetest.Kinds()) {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// TestCaches is B3-30, E5-25 and E5-26 of docs/http-statements.md.
func TestCaches(t *testing.T) {
	tools.Gate(t, "VOXKV_CACHES")
	t.Parallel()
	s := cachetest.NewStage(t, sites, slices.Concat(cachetest.Kinds(), cachetest.ObstinateKinds(), cachetest.StaleKinds()))
	fronts, stale := apart(s.Fronts)
	healthy, _ := apart(s.Of(cachetest.Healthy))
	var (
		lives, staleLives    []life
		overwrites, arrivals []turnover
		own, public          []visit
		all                  sync.WaitGroup
	)
	ends := putItems(s)
	s.Open()
	all.Go(func() { lives = watchEnds(t.Context(), fronts, ends) })
	all.Go(func() { staleLives = watchEnds(t.Context(), stale, ends) })
	all.Go(func() { overwrites = watchOverwrite(t.Context(), healthy) })
	all.Go(func() { arrivals = watchArrival(t.Context(), healthy) })
	all.Go(func() { own, public = watchUsers(t.Context(), healthy) })
	all.Wait()

	exchanges := s.Origins[cachetest.Healthy].Exchanges()
	t.Run("no item after its end", func(t *testing.T) { judgeEnds(t, s, lives) })
	t.Run("what no header can fix", func(t *testing.T) { report(t, s, staleLives) })
	t.Run("a 304 changes no life", func(t *testing.T) { judgeNotModified(t, exchanges, ends) })
	t.Run("an overwritten value goes", func(t *testing.T) { judgeTurnovers(t, overwrites, overwriteBound) })
	t.Run("an item comes", func(t *testing.T) { judgeTurnovers(t, arrivals, arrivalBound) })
	t.Run("nothing of one user is stored", func(t *testing.T) { judgeUsers(t, exchanges, own, public) })
	report(t, s, lives).Write(t, "VOXKV_TABLE")
}

// apart returns the fronts that must keep the promise, and those that were told
// to serve stale.
func apart(fronts []cachetest.Front) (bound, stale []cachetest.Front) {
	for _, f := range fronts {
		if slices.ContainsFunc(cachetest.StaleKinds(), func(k cachetest.Kind) bool { return k.Name == f.Cache }) {
			stale = append(stale, f)
		} else {
			bound = append(bound, f)
		}
	}
	return bound, stale
}

// report returns when items were last seen, and prints more than that.
func report(t *testing.T, s *cachetest.Stage, lives []life) *cachetest.Table {
	t.Helper()
	var table, late cachetest.Table
	for _, l := range lives {
		last, ok := l.last()
		switch {
		case !ok:
		case l.late():
			late.Saw(l.front.Cache, l.front.State, last)
		case s.InState(l.front, l.end):
			table.Saw(l.front.Cache, l.front.State, last)
		}
	}
	t.Logf("When an item was last given, of the %v after its end that were watched:\n%v", afterEnd, &table)
	t.Logf("The same, of answers that were %v on their way:\n%v", cachetest.Late, &late)
	return &table
}
