package caches

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

// afterEnd is how long an item that has ended is asked for.
const afterEnd = 3 * time.Second

// items are what ends during the measurement, and how each is asked for.
var items = []struct {
	key     string
	ttl     time.Duration
	manners []manner
}{
	{"small:5s", 5 * time.Second, []manner{plainly}},
	{"small:8s", 8 * time.Second, []manner{plainly}},
	{"small:8s-conditionally", 8 * time.Second, []manner{conditionally}},
	{"small:11s-all", 11 * time.Second, []manner{plainly, conditionally, headOnly, inPart, staleToo, authorized}},
	{"small:14s", 14 * time.Second, []manner{plainly}},
	{"small:14s-conditionally", 14 * time.Second, []manner{conditionally}},
	{"default:14s", 14 * time.Second, []manner{plainly, conditionally}},
}

// A life is what one poller saw of an item that ended.
type life struct {
	front   cachetest.Front
	key     string
	manner  manner
	end     time.Time
	answers []answer
}

// last returns the start of the last request that was given the item, relative
// to the item's end.
func (l life) last() (time.Duration, bool) {
	for i := len(l.answers) - 1; i >= 0; i-- {
		if l.answers[i].item() {
			return l.answers[i].start.Sub(l.end), true
		}
	}
	return 0, false
}

// promised returns until when a cache behind this one may reuse what it was
// given (RFC 9111 section 4.2), relative to the item's end.
func (l life) promised() time.Duration {
	latest := l.answers[0].start
	for _, a := range l.answers {
		if a.item() && maxAge(a.header) > 0 {
			age, _ := strconv.Atoi(a.header.Get("Age"))
			until := a.start.Add(maxAge(a.header) - time.Duration(age)*time.Second)
			latest = slices.MaxFunc([]time.Time{latest, until}, time.Time.Compare)
		}
	}
	return latest.Sub(l.end)
}

func putItems(o *cachetest.Origin) {
	now := time.Now()
	for _, item := range items {
		o.Storage.Put(item.key, "value", now.Add(item.ttl))
	}
}

// watchEnds polls every item through every front until some time after its end.
func watchEnds(ctx context.Context, fronts []cachetest.Front) []life {
	var lives []life
	for _, f := range fronts {
		ends := map[string]time.Time{}
		for _, stored := range f.Origin.Storage.Items() {
			ends[stored.Key] = stored.ExpiresAt
		}
		for _, item := range items {
			for _, m := range item.manners {
				lives = append(lives, life{front: f, key: item.key, manner: m, end: ends[item.key]})
			}
		}
	}
	var all sync.WaitGroup
	for i := range lives {
		all.Go(func() { lives[i].watch(ctx) })
	}
	all.Wait()
	return lives
}

func (l *life) watch(ctx context.Context) {
	l.answers = poll(ctx, l.front.Client, l.front.URL+"/v1/items/"+l.key, l.manner, l.end.Add(afterEnd))
}

// judgeEnds is the promise. Its tolerance is zero.
func judgeEnds(t *testing.T, lives []life) {
	t.Helper()
	for _, l := range lives {
		switch last, ok := l.last(); {
		case !ok:
			t.Errorf("%v: %s was never seen when asked for %s", l.front, l.key, l.manner.name)
		case last >= 0:
			t.Errorf("%v: a request for %s, asked for %s, started %v after its end and got it", l.front, l.key, l.manner.name, last)
		case l.promised() > 0:
			t.Errorf("%v: a browser may reuse %s, asked for %s, until %v after its end", l.front, l.key, l.manner.name, l.promised())
		}
	}
	for f, n := range reuses(lives) {
		if n == 0 && f != cachetest.Direct {
			t.Errorf("%s never answered from its store, so nothing was tested", f)
		}
	}
}

// reuses counts, by cache, the answers that a cache gave from its store: the
// function gives each a new X-Request-Id.
func reuses(lives []life) map[string]int {
	counts := map[string]int{}
	seen := map[string]bool{}
	for _, l := range lives {
		for _, a := range l.answers {
			if a.status != http.StatusOK {
				continue
			}
			id := l.front.URL + a.header.Get("X-Request-Id")
			if seen[id] {
				counts[l.front.Cache]++
			} else {
				counts[l.front.Cache] += 0
			}
			seen[id] = true
		}
	}
	return counts
}

// showStale shows what a cache does that was told to serve stale. It judges
// nothing: no header of the function can forbid it.
func showStale(t *testing.T, lives []life) {
	t.Helper()
	last := map[cachetest.State]time.Duration{}
	for _, l := range lives {
		if seen, ok := l.last(); ok && (last[l.front.State] == 0 || seen > last[l.front.State]) {
			last[l.front.State] = seen
		}
	}
	for _, state := range cachetest.States() {
		t.Logf("%s, %s: last seen %+.2f s from expiry, of %v watched", cachetest.StaleNginx().Name, state, last[state].Seconds(), afterEnd)
	}
}
