package caches

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

// listed is the page's origin that the requests name.
const listed = "https://app.example.com"

// changes are settings that change while caches hold an item, and how an answer
// shows that they have. The name of a site is that of the change.
var changes = map[string]struct {
	before string            // CACHE_MAX_AGE
	after  map[string]string // on top of it
	shown  func(http.Header) bool
}{
	"ceiling": {"6s", map[string]string{"CACHE_MAX_AGE": "2s"}, func(h http.Header) bool { return maxAge(h) <= 2*time.Second }},
	"origins": {"2s", map[string]string{"CORS_ORIGINS": "https://www.example.com," + listed}, func(h http.Header) bool {
		return h.Get("Access-Control-Allow-Origin") == listed && strings.Contains(h.Get("Vary"), "Origin")
	}},
	"unlisted": {"2s", map[string]string{"CORS_ORIGINS": "https://www.example.com"}, func(h http.Header) bool {
		return h.Get("Access-Control-Allow-Origin") == "" && strings.Contains(h.Get("Vary"), "Origin")
	}},
	"scope": {"2s", map[string]string{"CACHE_SCOPE": "private"}, func(h http.Header) bool { return strings.HasPrefix(h.Get("Cache-Control"), "private") }},
}

// TestSettingsChange holds that new settings reach callers with the next
// revalidation of a cache, whatever it keeps of an answer that a 304 confirms.
func TestSettingsChange(t *testing.T) {
	before := cachetest.Sites{}
	for name, change := range changes {
		before[name] = map[string]string{"CACHE_MAX_AGE": change.before, "LOCAL_MAX_AGE": "0s"}
	}
	withEachCache(t, func(t *testing.T, kind cachetest.Kind) {
		o := cachetest.NewOrigin(t, before)
		c := cachetest.Start(t, kind, o.Addr)
		c.Await(t)
		var all sync.WaitGroup
		for name := range changes {
			all.Go(func() { changeSettings(t, o, c, name) })
		}
		all.Wait()
	})
}

// changeSettings has the cache store an item, changes the settings, and waits
// until the cache has asked the function again.
func changeSettings(t *testing.T, o *cachetest.Origin, c *cachetest.Cache, name string) {
	t.Helper()
	change, key := changes[name], name+":item"
	m := manner{name: "from a page", method: http.MethodGet, header: http.Header{"Origin": {listed}}}
	get := func() answer { return askStorable(t.Context(), c.URL+"/v1/items/"+key, m) }
	o.Storage.Put(key, "value", time.Now().Add(time.Hour))
	if first := get(); !first.item() || change.shown(first.header) {
		t.Errorf("%s: before the change, %d %v", name, first.status, first.header)
	}
	after := map[string]string{"CACHE_MAX_AGE": change.before, "LOCAL_MAX_AGE": "0s"}
	maps.Copy(after, change.after)
	o.Set(t, name, after)
	changed := time.Now()
	again := time.NewTicker(tick)
	defer again.Stop()
	for stable := 0; stable < 10; {
		a := get()
		switch asked := askedSince(o, key, changed); {
		case asked > 0 && (!a.item() || !change.shown(a.header)):
			t.Errorf("%s: the function was asked %d times since the change, and the cache still says %d %v", name, asked, a.status, a.header)
			return
		case asked > 0:
			stable++
		case time.Since(changed) > patience:
			t.Errorf("%s: the function was not asked again for %v", name, patience)
			return
		}
		<-again.C
	}
}

// askStorable asks until the answer says more than no-store: on a busy machine the
// storage may take longer to answer than CACHE_MAX_AGE.
func askStorable(ctx context.Context, url string, m manner) answer {
	begin := time.Now()
	for {
		a := ask(ctx, http.DefaultClient, url, m, "")
		if a.header.Get("Cache-Control") != "no-store" || time.Since(begin) > patience {
			return a
		}
	}
}

// askedSince counts the questions for key after a time.
func askedSince(o *cachetest.Origin, key string, since time.Time) int {
	n := 0
	for _, e := range o.Exchanges() {
		if e.Key == key && e.At.After(since) {
			n++
		}
	}
	return n
}
