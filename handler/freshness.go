package handler

import (
	"strconv"
	"time"

	"voxkv/lookup"
)

const (
	// margin is never handed out. Real caches overshoot max-age by up to a
	// second each, and a response is on its way for some time.
	margin = 2 * time.Second

	// ageless is how many caches in a row may each keep a response for its full
	// max-age, because the first sends no Age: nginx in front of a browser, so 2.
	// A private response passes one cache only.
	ageless = 2

	// reserve is how many seconds of an item's life a shared cache gets less than
	// a browser. Most shared caches count from the arrival of a response, so this
	// is how much longer a response may be on its way.
	reserve = 2
)

// A freshness is how long a response may be reused (RFC 9111 section 4.2).
type freshness struct {
	maxAge int64 // whole seconds; none below 1

	// sharedMaxAge is maxAge for shared caches. It is 0 where none may keep the
	// response.
	sharedMaxAge int64

	// clipped is where the item's end, not the ceiling, limits one of the two.
	// The ETag then changes every second, so that no 304 can shorten or end a
	// life: nginx goes on forwarding the Cache-Control it stored before the 304.
	clipped bool

	// remaining is the usable life in whole seconds.
	remaining int64
}

// fresh derives the freshness of an answer's item, such that its max-age ends
// margin before the item does, even if a second cache begins to count when the
// first one ends, and no later than ceiling after the storage was asked.
// docs/freshness.md says which caches then keep no item beyond its end.
func fresh(a lookup.Answer, ceiling time.Duration, private bool) freshness {
	young := seconds(ceiling) - ceilSeconds(max(a.Age, 0))
	remaining := seconds(max(a.Left, 0) - margin)
	if private {
		return freshness{maxAge: min(young, remaining), clipped: remaining < seconds(ceiling), remaining: remaining}
	}
	life := remaining / ageless
	return freshness{
		maxAge:       min(young, life),
		sharedMaxAge: max(min(young, life-reserve), 0),
		clipped:      life-reserve < seconds(ceiling),
		remaining:    remaining,
	}
}

// storable reports whether any cache may keep the response.
func (f freshness) storable() bool { return f.maxAge >= 1 }

// caching is what an answer that was made at a time tells caches.
func (f freshness) caching(at time.Time) caching {
	if !f.storable() {
		return uncached()
	}
	c := caching{control: f.cacheControl()}
	if f.sharedMaxAge >= 1 {
		c.shared = after(at, f.sharedMaxAge)
	}
	return c
}

// cacheControl is the header's value. No two of the last three directives keep
// every cache from serving stale: Traffic Server and Squid obey the first,
// Varnish's grace the second, CloudFront the third.
//
// A response that no shared cache may keep is private and not s-maxage=0, which
// leaves to a cache whether it stores the response.
func (f freshness) cacheControl() string {
	switch {
	case !f.storable():
		return noStore
	case f.sharedMaxAge < 1:
		return "private, max-age=" + decimal(f.maxAge) + neverStale
	}
	return "public, max-age=" + decimal(f.maxAge) + ", s-maxage=" + decimal(f.sharedMaxAge) + neverStale
}

const (
	noStore    = "no-store"
	neverStale = ", must-revalidate, stale-while-revalidate=0, stale-if-error=0"
)

// absence is the caching of a 404: shared caches may shield the storage until
// the absence is known for maxAge, a browser asks every time.
func absence(a lookup.Answer, maxAge time.Duration, private bool) caching {
	left := seconds(maxAge - max(a.Age, 0))
	c := caching{control: "private, max-age=0" + neverStale}
	switch {
	case left < 1:
		return uncached()
	case !private:
		c.control, c.shared = "public, max-age=0, s-maxage="+decimal(left)+neverStale, after(a.At, left)
	}
	return c
}

func after(at time.Time, seconds int64) time.Time {
	return at.Add(time.Duration(seconds) * time.Second)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// ceilSeconds rounds up. It adds nothing to d, which a peer may have chosen as
// long as a Duration can be.
func ceilSeconds(d time.Duration) int64 {
	if d%time.Second > 0 {
		return seconds(d) + 1
	}
	return seconds(d)
}
