package caches

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

// judgeNotModified looks at what the function told the caches: a 304 may
// neither end a life sooner than the answer it confirms, nor make a later one
// than the item has, twice over for a cache that sends no Age.
func judgeNotModified(t *testing.T, exchanges []cachetest.Exchange, ends map[string]time.Time) {
	t.Helper()
	confirmed := 0
	freshUntil := map[string]time.Time{} // by key and tag
	for _, e := range exchanges {
		if e.Status != http.StatusOK && e.Status != http.StatusNotModified {
			continue
		}
		life := maxAge(e.Answer)
		about := e.Key + " " + e.Answer.Get("ETag")
		if e.Status == http.StatusNotModified {
			confirmed++
			// The function rounds the age of its copy up to a whole second. It made
			// its answer between At and Done.
			if shorter := freshUntil[about].Sub(e.Done.Add(life)); life <= 0 || shorter > time.Second {
				t.Errorf("%s: a 304 said %q, %v less than the 200 before", e.Key, e.Answer.Get("Cache-Control"), shorter)
			}
			if end, ok := ends[e.Key]; ok && e.At.Add(2*life).After(end) {
				t.Errorf("%s: a 304 said %q, %v before the end", e.Key, e.Answer.Get("Cache-Control"), end.Sub(e.At))
			}
		}
		freshUntil[about] = e.At.Add(life)
	}
	if confirmed == 0 {
		t.Error("the function answered no request with 304")
	}
	t.Logf("the function answered %d requests with 304", confirmed)
}

// maxAge returns the max-age of a Cache-Control, or 0.
func maxAge(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(h.Get("Cache-Control"), ", ") {
		if value, ok := strings.CutPrefix(directive, "max-age="); ok {
			seconds, _ := strconv.Atoi(value)
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}
