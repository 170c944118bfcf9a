package oracles

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"

	"voxkv/test/tools"
)

// TestExchanges keeps the others from agreeing on nothing.
func TestExchanges(t *testing.T) {
	t.Parallel()
	statuses, storable := map[int]int{}, 0
	for _, e := range exchanges() {
		statuses[e.Status]++
		if e.Private > 0 {
			storable++
		}
		const epoch = "Thu, 01 Jan 1970 00:00:00 GMT"
		if expires := e.Header["expires"]; (e.Shared <= 0) != (expires == epoch) || expires == "" {
			t.Errorf("%s: Expires = %q where the lifetime is %d", e.Name, expires, e.Shared)
		}
	}
	for _, status := range []int{200, 204, 304, 400, 404, 405, 500, 502, 503, 504} {
		if statuses[status] == 0 {
			t.Errorf("no answer has the status %d", status)
		}
	}
	if storable < 500 {
		t.Errorf("%d answers may be reused; want 500 or more", storable)
	}
}

// TestCacheControlAgrees is B3-8, and B3-7: a value may be overwritten right after the function read it. One cache gives
// the old one for CACHE_MAX_AGE from then on, two in a row for twice that, if the first sends no Age.
func TestCacheControlAgrees(t *testing.T) {
	t.Parallel()
	for _, e := range exchanges() {
		for name, want := range map[string]int64{"shared": e.Shared, "private": e.Private} {
			if got := e.lifetime(t, name == "private", "Expires"); got != want {
				t.Errorf("%s: %s: %v\na %s cache says %d s; want %d", e.Name, e.Method, e.Header["cache-control"], name, got, want)
			}
		}
		// A shared cache that knows Expires only must come to the same.
		if got := e.lifetime(t, false, "Cache-Control"); max(got, 0) != max(e.Shared, 0) {
			t.Errorf("%s: Expires %s is %d s ahead; want %d", e.Name, e.Header["expires"], got, e.Shared)
		}
		for _, caches := range []time.Duration{1, 2} {
			gone, bound := e.Of.age+caches*time.Duration(e.Private)*time.Second, caches*e.Of.ceiling
			if e.Of != (life{}) && e.Private > 0 && gone > bound {
				t.Errorf("%s: %s: behind %d caches the old value is gone after %v; want %v", e.Name, e.Header["cache-control"], caches, gone, bound)
			}
		}
	}
}

// lifetime is how long github.com/pquerna/cachecontrol would reuse the answer if it came without a header.
func (e exchange) lifetime(t *testing.T, private bool, without string) int64 {
	t.Helper()
	r := &http.Request{Method: e.Method, Header: headers(e.Request)}
	header := headers(e.Header)
	header.Del(without)
	reasons, _, _, object, err := cacheobject.UsingRequestResponseWithObject(r, e.Status, header, private)
	if err != nil {
		t.Fatalf("%s: %v", e.Name, err)
	}
	// It gives this reason to a private cache too, for which credentials are none (RFC 9111 section 3.5).
	reasons = slices.DeleteFunc(reasons, func(reason cacheobject.Reason) bool {
		return private && reason == cacheobject.ReasonRequestAuthorizationHeader
	})
	if len(reasons) > 0 {
		return never
	}
	d := object.RespDirectives
	if stale := !d.MustRevalidate || d.StaleIfError != 0 || d.StaleWhileRevalidate != 0; stale && without != "Cache-Control" {
		t.Errorf("%s: %s allows stale answers", e.Name, e.Header["cache-control"])
	}
	object.NowUTC = at.UTC().Truncate(time.Second)
	var result cacheobject.ObjectResults
	cacheobject.ExpirationObject(object, &result)
	return int64(result.OutExpirationTime.Sub(object.NowUTC) / time.Second)
}

func headers(fields map[string]string) http.Header {
	header := http.Header{}
	for name, value := range fields {
		header.Set(name, value)
	}
	return header
}

// A verdict is what oracles.mjs found for one exchange and one kind of cache.
type verdict struct {
	Storable bool    `json:"storable"`
	Lifetime float64 `json:"lifetime"` // seconds, with all that may be served stale
	Reused   bool    `json:"reused"`   // without a question, at the moment of the answer
	Stale    []any   `json:"stale"`    // how it would be reused at the end of them
}

// TestHTTPCacheSemanticsAgrees is E5-28 of docs/http-statements.md.
func TestHTTPCacheSemanticsAgrees(t *testing.T) {
	tools.Gate(t, "VOXKV_ORACLES")
	t.Parallel()
	all := exchanges()
	verdicts := consult(t, append(all, withoutMustRevalidate(t, all)))
	if got := verdicts[len(all)]["private"]; !got.Reused {
		t.Errorf("without must-revalidate an answer is not reused either: %+v", got)
	}
	for i, got := range verdicts[:len(all)] {
		e := all[i]
		for name, want := range map[string]int64{"shared": e.Shared, "private": e.Private} {
			g := got[name]
			if g.Storable != (want >= 0) || g.Lifetime != float64(max(want, 0)) {
				t.Errorf("%s: %s %d: %s\na %s cache says storable %t, %v s; want %d", e.Name, e.Method, e.Status,
					e.Header["cache-control"], name, g.Storable, g.Lifetime, want)
			}
			// It takes must-revalidate for no-cache. So whoever caches with it asks each time.
			if g.Reused {
				t.Errorf("%s: %s\na %s cache reuses it without asking; the HTTP contract says it never does", e.Name, e.Header["cache-control"], name)
			}
			if len(g.Stale) > 0 {
				t.Errorf("%s: %s\na %s cache reuses it when stale: %v", e.Name, e.Header["cache-control"], name, g.Stale)
			}
		}
	}
}

// withoutMustRevalidate is an item that a private cache may keep, but for that directive.
func withoutMustRevalidate(t *testing.T, all []exchange) exchange {
	t.Helper()
	i := slices.IndexFunc(all, func(e exchange) bool { return e.Private > 0 })
	e := all[i]
	e.Header = maps.Clone(e.Header)
	e.Header["cache-control"] = "public, max-age=60"
	return e
}

// consult runs oracles.mjs on all and returns its verdicts, by kind of cache, in the same order.
func consult(t *testing.T, all []exchange) []map[string]verdict {
	t.Helper()
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []map[string]verdict
	tools.Program{Dir: tools.NPM(t, "oracles.mjs"), Input: input, Command: []string{"node", "oracles.mjs"}}.Report(t, &verdicts)
	if len(verdicts) != len(all) {
		t.Fatalf("%d verdicts on %d exchanges", len(verdicts), len(all))
	}
	return verdicts
}
