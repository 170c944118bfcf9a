package caches

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
	"voxkv/test/tools"
)

const (
	// sharedAge is the s-maxage of an answer whose max-age is a minute.
	sharedAge = 2 * time.Second

	// patience bounds waiting that ends by itself, far from what load can do.
	patience = 40 * time.Second
)

// TestSharedMaxAge measures whether caches obey s-maxage on a 200 (RFC 9111
// section 5.2.2.10): each asks again long before max-age is over.
func TestSharedMaxAge(t *testing.T) {
	withEachCache(t, func(t *testing.T, kind cachetest.Kind) {
		c := cachetest.Start(t, kind, strings.TrimPrefix(tools.Serve(t, numbered()), "http://"))
		c.Await(t)
		judgeSharedMaxAge(t, c)
	})
}

// numbered answers each request with a number of its own.
func numbered() http.Handler {
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		number := strconv.FormatInt(n.Add(1), 10)
		w.Header().Set("Cache-Control", "public, max-age=60, s-maxage="+strconv.Itoa(int(sharedAge.Seconds()))+
			", must-revalidate, stale-while-revalidate=0, stale-if-error=0")
		w.Header().Set("ETag", `"`+number+`"`)
		w.Header().Set("X-Request-Id", number)
		w.Write([]byte(number))
	})
}

// judgeSharedMaxAge polls until the cache has both answered by itself and asked
// its origin again. The cache had an answer when its client had it, and no
// request reaches it before it starts: load makes the time between the two
// shorter than it was in the cache.
func judgeSharedMaxAge(t *testing.T, c *cachetest.Cache) {
	t.Helper()
	begin := time.Now()
	var body string
	var stored time.Time
	reused := 0
	again := time.NewTicker(tick)
	defer again.Stop()
	for time.Since(begin) < patience {
		a := ask(t.Context(), http.DefaultClient, c.URL+"/k", plainly, "")
		lasted := a.start.Sub(stored)
		switch {
		case a.status != http.StatusOK:
			t.Fatalf("status %d; want 200", a.status)
		case a.body == body && lasted > sharedAge+overshoot:
			t.Fatalf("reused an answer for %v; s-maxage is %v, and caches count whole seconds", lasted, sharedAge)
		case a.body == body:
			reused++
		case reused > 0:
			t.Logf("asked again after %.2f s, having answered %d requests itself", lasted.Seconds(), reused)
			return
		default:
			body, stored = a.body, time.Now()
		}
		<-again.C
	}
	t.Errorf("answered %d requests itself in %v, and did not ask again after one", reused, patience)
}
