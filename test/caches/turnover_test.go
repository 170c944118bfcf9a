package caches

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

const (
	briefMaxAge         = 3 * time.Second
	briefLocalMaxAge    = time.Second
	briefNotFoundMaxAge = 2 * time.Second

	// changeAfter is when the storage changes after every cache has stored an answer. The
	// first ones, which take longest, have gone by then.
	changeAfter = 5600 * time.Millisecond

	// overshoot is how much longer than promised a cache may keep an answer,
	// since caches count in whole seconds.
	overshoot = time.Second

	// overwriteBound is CACHE_MAX_AGE after the value was last read. It is twice
	// that for a cache behind one that sends no Age, which there is none of here.
	overwriteBound = briefMaxAge + overshoot

	// arrivalBound is NOT_FOUND_MAX_AGE after the storage was asked: the cache
	// keeps an absence the shorter, the longer the function remembered it.
	arrivalBound = briefNotFoundMaxAge + overshoot
)

// A turnover is how long a front went on giving what the storage held before a change.
type turnover struct {
	front  cachetest.Front
	lasted time.Duration
	took   time.Duration // the longest way of an old answer that a cache may still have had
	done   bool          // the old answer was seen, and then what is stored now
}

// watchOverwrite overwrites a value.
func watchOverwrite(ctx context.Context, fronts []cachetest.Front) []turnover {
	const key = "brief:overwritten"
	put := func(value string) {
		fronts[0].Origin.Storage.Put(key, value, time.Now().Add(time.Hour))
	}
	put("before")
	return watchTurnover(ctx, fronts, key, func() { put("after") }, func(a answer) bool {
		return strings.Contains(a.body, "before")
	})
}

// watchArrival stores an item under a key that was asked for while it had none.
func watchArrival(ctx context.Context, fronts []cachetest.Front) []turnover {
	const key = "brief:late"
	return watchTurnover(ctx, fronts, key, func() {
		fronts[0].Origin.Storage.Put(key, "after", time.Now().Add(time.Hour))
	}, func(a answer) bool { return a.status == http.StatusNotFound })
}

// watchTurnover polls key before and after change, and once more in the end. old tells
// the answers from before.
func watchTurnover(ctx context.Context, fronts []cachetest.Front, key string, change func(), old func(answer) bool) []turnover {
	begin := time.Now()
	polls := make([][]answer, len(fronts))
	watching, stop := context.WithCancel(ctx)
	var stored, all sync.WaitGroup
	stored.Add(len(fronts))
	for i, f := range fronts {
		all.Go(func() {
			get := func() answer { return ask(ctx, f.Client, f.URL+"/v1/items/"+key, plainly, "") }
			first := get()
			for !old(first) && time.Since(begin) < patience {
				first = get()
			}
			stored.Done()
			polls[i] = slices.Concat([]answer{first}, poll(watching, f.Client, f.URL+"/v1/items/"+key, plainly), []answer{get()})
		})
	}
	stored.Wait() // a busy machine takes its time, and there would be nothing to go
	time.Sleep(changeAfter)
	change()
	at := time.Now()
	time.AfterFunc(2*max(overwriteBound, arrivalBound), stop) // however late the change was
	all.Wait()
	turnovers := make([]turnover, len(fronts))
	for i, answers := range polls {
		turnovers[i] = turnover{front: fronts[i], lasted: begin.Sub(at)}
		for _, a := range answers {
			if old(a) {
				turnovers[i].lasted = a.start.Sub(at)
			}
			if old(a) && a.start.Add(a.took).After(at.Add(-overwriteBound)) {
				turnovers[i].took = max(turnovers[i].took, a.took)
			}
			turnovers[i].done = turnovers[i].done || strings.Contains(a.body, "after")
		}
		turnovers[i].done = turnovers[i].done && old(answers[0])
	}
	return turnovers
}

func judgeTurnovers(t *testing.T, turnovers []turnover, bound time.Duration) {
	t.Helper()
	for _, u := range turnovers {
		t.Logf("%v: the old answer was last given %+.2f s after the change; promised are %v", u.front, u.lasted.Seconds(), bound)
		if u.lasted > bound+u.took || !u.done {
			t.Errorf("%v: the old answer was given until %v after the change, it and then the new one were seen: %v; want at most %v, and true",
				u.front, u.lasted, u.done, bound+u.took)
		}
	}
}
