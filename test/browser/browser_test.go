// Package browser holds the function's promise in front of real browsers: no
// fetch of a page that starts at or after an item's end gets the item, and
// pages on other origins see what they need. It needs Chromium, Firefox, the
// caches of test/caches, node, npm and, once, the npm registry, and so runs only
// when VOXKV_BROWSER is set.
package browser

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
	"voxkv/test/tools"
)

// sites are functions whose settings fit every phase of an item's life into
// seconds, and one with none.
var sites = cachetest.Sites{
	"small": {
		"CACHE_MAX_AGE": "6s", "LOCAL_MAX_AGE": "0s", "STALE_MAX_AGE": "0s",
		"UPSTREAM_TIMEOUT": "2s",
	},
	"default":   {},
	"lasting":   {"CACHE_MAX_AGE": "1h"},                        // a slow machine warms the caches long before the page reads
	"confirmed": {"CACHE_MAX_AGE": "4s", "LOCAL_MAX_AGE": "0s"}, // an answer that takes 3 s may still be stored
	"feature":   {"ALLOWED_KEYS": ruledKeys},
	"status":    {"ALLOWED_KEYS": ruledKeys},
}

// ends are the items that end while the page polls them. Where the page begins
// late, it meets a cache that has already revalidated what it stored, if the
// origin is healthy.
var ends = map[string]struct{ ttl, begin time.Duration }{
	"small:5s":          {5 * time.Second, 0},
	"small:11s":         {11 * time.Second, 0},
	"small:14s":         {14 * time.Second, 0},
	"small:14s-from-3s": {14 * time.Second, 3 * time.Second},
	"small:14s-from-4s": {14 * time.Second, 4 * time.Second},
	"default:14s":       {14 * time.Second, 0},
}

const (
	// afterEnd is how long an item that has ended is asked for.
	afterEnd = 3 * time.Second

	// bearable is how long an answer may be on its way so that a cache and a
	// browser give no item after its end (docs/freshness.md).
	bearable = 3 * time.Second

	lasting   = "lasting:item"
	absent    = "lasting:absent"
	confirmed = "confirmed:item"
)

// TestBrowser is B3-7, B3-30 and E5-26 of docs/http-statements.md.
func TestBrowser(t *testing.T) {
	tools.Gate(t, "VOXKV_BROWSER")
	dir, present := tools.NPM(t, "browser.mjs"), tools.Browsers(t)
	// To a browser it is all one where httpd stores.
	kinds := slices.DeleteFunc(cachetest.Kinds(), func(k cachetest.Kind) bool { return k.Name == "httpd, socache" })
	s := cachetest.NewStage(t, sites, kinds)
	page := tools.Serve(t, http.HandlerFunc(servePage))
	visitors := make([]visitor, len(present))
	for i, b := range present {
		visitors[i] = open(t, b, dir, page)
	}
	putItems(s)
	stored := warm(t, s.Of(cachetest.Healthy))
	o := openTo(t, s, visitors)
	if t.Failed() {
		return
	}
	var table cachetest.Table
	for i, b := range present {
		t.Run(b.Name, func(t *testing.T) {
			t.Run("no item after its end", func(t *testing.T) { judgePolls(t, s, &table, b, o.plan.Polls, o.slowest, o.seen[i].Polls) })
			t.Run("a page reads items", func(t *testing.T) { judgeReads(t, s.Of(cachetest.Healthy), stored, o.seen[i].Reads) })
			t.Run("a page reads failures", func(t *testing.T) { judgeFailures(t, o.seen[i].Failures) })
			t.Run("a browser revalidates by itself", func(t *testing.T) {
				judgeConfirmed(t, b, o.seen[i].Confirmed, s.Origins[cachetest.Healthy].Exchanges())
			})
			t.Run("a flag is asked for once", func(t *testing.T) {
				judgeFlag(t, b, o.seen[i].Flag, s.Origins[cachetest.Healthy].Exchanges())
			})
			t.Run("a change is seen within the rule", func(t *testing.T) { judgeStatus(t, b, o.plan.Status, o.status, o.seen[i].Status, o.changed) })
		})
	}
	t.Run("no preflight", func(t *testing.T) { judgePreflights(t, s) })
	table.Write(t, "VOXKV_BROWSER_TABLE")
}

// An outcome is what came of a plan.
type outcome struct {
	plan    plan
	seen    []report        // by visitor
	slowest []time.Duration // by poll, of all visitors
	status  []time.Duration // the same of the polls of the status
	changed []time.Time     // when the status did
}

// openTo opens the stage to visitors, who carry out a plan.
func openTo(t *testing.T, s *cachetest.Stage, visitors []visitor) outcome {
	t.Helper()
	s.Open()
	p := newPlan(s)
	o := outcome{plan: p, seen: make([]report, len(visitors)), slowest: make([]time.Duration, len(p.Polls)), status: make([]time.Duration, len(p.Status))}
	var visits sync.WaitGroup
	visits.Go(func() { o.changed = changeStatus(t.Context(), s.Origins[cachetest.Healthy]) })
	for i, poll := range p.Polls {
		visits.Go(func() { o.slowest[i] = visit(t.Context(), poll) })
	}
	for i, v := range visitors {
		visits.Go(func() { o.seen[i] = v.follow(t, p) })
	}
	visits.Wait()
	for _, r := range o.seen {
		for i, polled := range r.Polls {
			o.slowest[i] = max(o.slowest[i], time.Duration(polled.Slowest)*time.Millisecond)
		}
		for i, polled := range r.Status {
			o.status[i] = max(o.status[i], time.Duration(polled.Slowest)*time.Millisecond)
		}
	}
	return o
}

func servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write([]byte("<!doctype html><title>a page on another origin</title>"))
}

func putItems(s *cachetest.Stage) {
	now := time.Now()
	for _, o := range s.Origins {
		for key, life := range ends {
			o.Storage.Put(key, "value", now.Add(life.ttl))
		}
		for _, key := range []string{lasting, confirmed, flag} {
			o.Storage.Put(key, "value", now.Add(10*time.Hour)) // which limits no max-age
		}
	}
}

// warm makes the caches store what the page reads, so that it sees their Age. It
// returns the request id of what each front gave last.
func warm(t *testing.T, fronts []cachetest.Front) []string {
	t.Helper()
	stored := make([]string, len(fronts))
	for i, f := range fronts {
		// A busy machine may use up the time that the function gives the storage.
		for status := 0; status != http.StatusOK; {
			res, _ := tools.Do(t, http.MethodGet, item(f, lasting), "")
			status, stored[i] = res.StatusCode, res.Header.Get("X-Request-Id")
		}
	}
	return stored
}

// visit fetches what the page polls, as other visitors do: the page then meets
// what the cache has stored in all phases of its life. It returns how long an
// answer took at the most.
func visit(ctx context.Context, p poll) (slowest time.Duration) {
	ctx, cancel := context.WithDeadline(ctx, p.end)
	defer cancel()
	again := time.NewTicker(400 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		start := time.Now()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
		if err != nil {
			return slowest
		}
		// An origin that fails may well drop the connection.
		if res, err := p.front.Client.Do(r); err == nil {
			res.Body.Close()
			slowest = max(slowest, time.Since(start))
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
	return slowest
}

func item(f cachetest.Front, key string) string { return f.URL + "/v1/items/" + key }

func newPlan(s *cachetest.Stage) plan {
	var p plan
	for _, f := range s.Of(cachetest.Healthy) {
		p.Reads = append(p.Reads, item(f, lasting), item(f, absent))
		if f.Cache == cachetest.Direct {
			p.Confirmed, p.Flag = item(f, confirmed), item(f, flag)
		}
		if f.Cache == cachetest.Direct || f.Cache == "nginx" {
			end := time.Now().Add(pollStatus)
			p.Status = append(p.Status, poll{URL: item(f, status), Until: end.UnixMilli(), front: f, end: end})
		}
	}
	for _, f := range s.Of(cachetest.StorageDown) {
		p.Failures = append(p.Failures, item(f, lasting))
	}
	for _, f := range s.Fronts {
		for _, stored := range f.Origin.Storage.Items() {
			life, ok := ends[stored.Key]
			if ok && (life.begin == 0 || f.State == cachetest.Healthy) {
				until := stored.ExpiresAt.Add(afterEnd).UnixMilli()
				p.Polls = append(p.Polls, poll{item(f, stored.Key), life.begin.Milliseconds(), until, f, stored.ExpiresAt})
			}
		}
	}
	return p
}

// judgePolls is the promise. Its tolerance is zero, but for answers that a busy
// machine kept for longer than the promise bears: those may be as much late. That the
// caches and the browser store at all, judgeReads and judgeFlag show with items that
// live for long: a page on a busy machine may meet one of these only once.
func judgePolls(t *testing.T, s *cachetest.Stage, table *cachetest.Table, b tools.Browser, polls []poll, slowest []time.Duration, seen []polled) {
	t.Helper()
	answers, reused := 0, 0
	for i, p := range polls {
		first, last := time.UnixMilli(seen[i].First), time.UnixMilli(seen[i].Last).Sub(p.end)
		switch {
		case seen[i].Answers == 0 && seen[i].First > 0 && first.Before(p.end) && s.Untroubled(p.front, first):
			t.Errorf("%v: the page never saw %s", p.front, p.URL)
		case seen[i].Answers > 0 && last >= max(0, slowest[i]-bearable):
			t.Errorf("%v: a fetch of %s started %v after its end and got it", p.front, p.URL, last)
		}
		if seen[i].Answers > 0 && s.InState(p.front, p.end) {
			table.Saw(p.front.Cache+", "+b.Name, p.front.State, last)
		}
		answers, reused = answers+seen[i].Answers, reused+seen[i].Reused
	}
	t.Logf("%d of %d answers came from a store", reused, answers)
}

// judgeReads looks at an item and an absence, through each front. Each cache gives
// the item that it has stored.
func judgeReads(t *testing.T, fronts []cachetest.Front, stored []string, seen []read) {
	t.Helper()
	for i, f := range fronts {
		found, missing := seen[2*i], seen[2*i+1]
		if found.Status != http.StatusOK || found.Body.Value != "value" {
			t.Errorf("%v: the page saw %+v; want the item", f, found)
		}
		if id := found.Headers["x-request-id"]; f.Cache != cachetest.Direct && id != stored[i] {
			t.Errorf("%v: the page saw the answer to %s; want that to %s, from the store", f, id, stored[i])
		}
		want := []string{"etag", "x-request-id", "cache-control", "expires", "date"}
		if f.Cache != cachetest.Direct && f.Cache != "nginx" { // which send no Age
			want = append(want, "age")
		}
		for _, name := range want {
			if found.Headers[name] == "" {
				t.Errorf("%v: the page saw no %s among %v", f, name, found.Headers)
			}
		}
		if missing.Status != http.StatusNotFound || missing.Body.Code != "not_found" {
			t.Errorf("%v: the page saw %+v; want 404 not_found", f, missing)
		}
	}
}

// judgeFailures looks at a problem that is the storage's.
func judgeFailures(t *testing.T, seen []read) {
	t.Helper()
	for _, r := range seen {
		// A busy machine may use up the time that the function gives the storage.
		timeout := r.Status == http.StatusGatewayTimeout && r.Body.Code == "upstream_timeout"
		if !timeout && (r.Status != http.StatusServiceUnavailable || r.Body.Code != "upstream_unavailable") {
			t.Errorf("the page saw %+v; want 503 upstream_unavailable", r)
		}
	}
}

// judgeConfirmed holds that the origin answered 304 where the page saw 200.
func judgeConfirmed(t *testing.T, b tools.Browser, statuses []int, exchanges []cachetest.Exchange) {
	t.Helper()
	if slices.ContainsFunc(statuses, func(status int) bool { return status != http.StatusOK }) {
		t.Errorf("the page saw %v; want 200 only", statuses)
	}
	asked, confirmations := 0, 0
	for _, e := range exchanges {
		if e.Key != confirmed || !sent(b, e.Request) || e.Answer.Get("Cache-Control") == "no-store" {
			continue // nothing is confirmed that a busy machine took too long to read
		}
		if e.Request.Get("If-None-Match") != "" {
			asked++
		}
		if e.Status == http.StatusNotModified {
			confirmations++
		}
	}
	if asked == 0 || confirmations != asked {
		t.Errorf("the origin saw If-None-Match %d times and answered 304 %d times; want as many, and some", asked, confirmations)
	}
	t.Logf("the browser revalidated %d times", asked)
}

// judgePreflights holds that a plain fetch needs none.
func judgePreflights(t *testing.T, s *cachetest.Stage) {
	t.Helper()
	for state, o := range s.Origins {
		for _, e := range o.Exchanges() {
			if e.Method == http.MethodOptions {
				t.Errorf("%s: a preflight for %s", state, e.Key)
			}
		}
	}
}
