package caches

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

const (
	// afterEnd is how long an item that has ended is asked for. An answer that is
	// late may have been stored only then.
	afterEnd = 3 * time.Second

	// bearable and bearableTwice are how long an answer may be on its way so that
	// one cache, and two in a row, give no item after its end (docs/freshness.md).
	bearable      = 6 * time.Second
	bearableTwice = 3 * time.Second
)

// items are what ends during the measurement, and how each is asked for.
var items = []struct {
	key     string
	ttl     time.Duration
	manners []manner
}{
	{"small:5s", 5 * time.Second, []manner{plainly}},
	{"small:5s-seldom", 5 * time.Second, []manner{seldom}},
	{"small:8s", 8 * time.Second, []manner{plainly}},
	{"small:8s-conditionally", 8 * time.Second, []manner{conditionally}},
	{"small:11s-all", 11 * time.Second, []manner{plainly, conditionally, headOnly, inPart, staleToo, authorized}},
	{"small:14s", 14 * time.Second, []manner{plainly}},
	{"small:14s-conditionally", 14 * time.Second, []manner{conditionally}},
	{"default:14s", 14 * time.Second, []manner{plainly, conditionally}},
	{"default:14s-seldom", 14 * time.Second, []manner{seldom}},
	// Each of these is first asked for so long before its end.
	{"late:4s", 4 * time.Second, []manner{plainly}},
	{"late:5s", 5 * time.Second, []manner{plainly}},
	{"late:6s", 6 * time.Second, []manner{plainly}},
	{"late:7s", 7 * time.Second, []manner{plainly}},
	{"late:8s", 8 * time.Second, []manner{plainly}},
	{"late:9s", 9 * time.Second, []manner{plainly}},
	{"late:10s", 10 * time.Second, []manner{plainly}},
	{"late:12s", 12 * time.Second, []manner{plainly, authorized}},
	{"late:17s", 17 * time.Second, []manner{plainly, conditionally, staleToo}},
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

// putItems stores the items behind every origin and returns when they end.
func putItems(s *cachetest.Stage) map[string]time.Time {
	now, ends := time.Now(), map[string]time.Time{}
	for _, item := range items {
		ends[item.key] = now.Add(item.ttl).Truncate(time.Second)
		for _, o := range s.Origins {
			o.Storage.Put(item.key, "value", ends[item.key])
		}
	}
	return ends
}

// watchEnds polls every item through every front until some time after its end.
func watchEnds(ctx context.Context, fronts []cachetest.Front, ends map[string]time.Time) []life {
	var lives []life
	for _, f := range fronts {
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
	url, until := l.front.URL+"/v1/items/"+l.key, l.end.Add(afterEnd)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if l.manner.seldom {
		l.answers = []answer{ask(ctx, l.front.Client, url, l.manner, "")}
		select {
		case <-time.After(time.Until(until.Add(-time.Second))):
		case <-ctx.Done():
		}
	}
	l.answers = append(l.answers, poll(ctx, l.front.Client, url, l.manner)...)
}

func (l life) late() bool { return strings.HasPrefix(l.key, cachetest.LateSite+":") }

// judgeEnds is the promise. Its tolerance is zero, but for answers that a busy
// machine kept for longer than the promise bears: those may be as much late.
// That the caches store at all, judgeReused shows with an item that lives for long.
func judgeEnds(t *testing.T, s *cachetest.Stage, lives []life) {
	t.Helper()
	slowest, kept := slowest(lives), kept(s)
	for _, l := range lives {
		took := max(slowest[l.about()], kept[l.front.State][l.key])
		switch last, ok := l.last(); {
		case !ok && l.missed(s):
			t.Errorf("%v: %s was never seen when asked for %s, but %d %q", l.front, l.key, l.manner.name, l.answers[0].status, l.answers[0].body)
		case !ok: // no answer came before the end
		case last >= max(0, took-bearable):
			t.Errorf("%v: a request for %s, asked for %s, started %v after its end and got it", l.front, l.key, l.manner.name, last)
		case l.promised() > max(0, took-bearableTwice):
			t.Errorf("%v: a browser may reuse %s, asked for %s, until %v after its end", l.front, l.key, l.manner.name, l.promised())
		}
	}
}

// about names what a cache stores of an item, however it is asked for.
func (l life) about() string { return l.front.URL + " " + l.key }

// slowest returns how long an item was on its way at the most.
func slowest(lives []life) map[string]time.Duration {
	longest := map[string]time.Duration{}
	for _, l := range lives {
		for _, a := range l.answers {
			if a.item() {
				longest[l.about()] = max(longest[l.about()], a.took)
			}
		}
	}
	return longest
}

// missed reports whether the first request was answered before the item's end
// and before the origin failed, and so should have been given it. On a busy
// machine the function may give up waiting for the storage, with a status of 5xx.
func (l life) missed(s *cachetest.Stage) bool {
	first := l.answers[0]
	answered := first.start.Add(first.took)
	return first.status != 0 && first.status < 500 && answered.Before(l.end) && s.Untroubled(l.front, answered)
}

// kept returns how long origins kept an item at the most. A cache may have an answer
// whose caller got none.
func kept(s *cachetest.Stage) map[cachetest.State]map[string]time.Duration {
	longest := map[cachetest.State]map[string]time.Duration{}
	for state, o := range s.Origins {
		longest[state] = map[string]time.Duration{}
		for _, e := range o.Exchanges() {
			if e.Status == http.StatusOK || e.Status == http.StatusNotModified {
				longest[state][e.Key] = max(longest[state][e.Key], e.Done.Sub(e.At))
			}
		}
	}
	return longest
}
