package caches

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

// TestSettingsChange holds that new settings reach callers with the next
// revalidation of a cache, whatever it keeps of an answer that a 304 confirms.
func TestSettingsChange(t *testing.T) {
	const key, page = "site:item", "https://app.example.com"
	from := manner{name: "from a page", method: http.MethodGet, header: http.Header{"Origin": {page}}}
	shown := func(h http.Header) bool {
		return maxAge(h) <= 2*time.Second && h.Get("Access-Control-Allow-Origin") == page && strings.Contains(h.Get("Vary"), "Origin")
	}
	withEachCache(t, func(t *testing.T, kind cachetest.Kind) {
		o := cachetest.NewOrigin(t, cachetest.Sites{"site": {"CACHE_MAX_AGE": "6s", "LOCAL_MAX_AGE": "0s"}})
		c := cachetest.Start(t, kind, o.Addr)
		c.Await(t)
		o.Storage.Put(key, "value", time.Now().Add(time.Hour))
		if first := askStorable(t.Context(), c.URL+"/v1/items/"+key, from); !first.item() || shown(first.header) {
			t.Fatalf("before the change, %d %v", first.status, first.header)
		}
		o.Set(t, "site", map[string]string{"CACHE_MAX_AGE": "2s", "LOCAL_MAX_AGE": "0s", "CORS_ORIGINS": "https://www.example.com," + page})
		changed := time.Now()
		again := time.NewTicker(tick)
		defer again.Stop()
		for stable := 0; stable < 10; <-again.C {
			a := askStorable(t.Context(), c.URL+"/v1/items/"+key, from)
			switch asked := askedSince(o, key, changed); {
			case asked > 0 && (!a.item() || !shown(a.header)):
				t.Fatalf("the function was asked %d times since the change, and the cache still says %d %v", asked, a.status, a.header)
			case asked > 0:
				stable++
			case time.Since(changed) > patience:
				t.Fatalf("the function was not asked again for %v", patience)
			}
		}
	})
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
