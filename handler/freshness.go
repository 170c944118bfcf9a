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

	// ageless is how many caches in a row may keep an item for its full max-age
	// because the first sends no Age: nginx in front of a browser, so 2. A
	// private response passes one cache only.
	ageless = 2
)

// A freshness is how long a response may be reused (RFC 9111 section 4.2).
type freshness struct {
	maxAge int64 // whole seconds; none below 1

	// clipped is where the item's end, not the ceiling, limits maxAge. The ETag
	// then changes every second, so that no 304 can shorten or end a life: nginx
	// goes on forwarding the Cache-Control it stored before the 304.
	clipped bool

	// remaining is the usable life in whole seconds.
	remaining int64
}

// fresh derives the freshness of an answer's item: no cache, and no second
// cache behind one that sends no Age, reuses it within margin of its end or
// longer than ceiling after it was read from the storage.
func fresh(a lookup.Answer, ceiling time.Duration, private bool) freshness {
	hops := int64(ageless)
	if private {
		hops = 1
	}
	remaining := seconds(a.Left - margin)
	return freshness{
		maxAge:    min(seconds(ceiling)-ceilSeconds(a.Age), remaining/hops),
		clipped:   remaining/hops < seconds(ceiling),
		remaining: remaining,
	}
}

// storable reports whether any cache may keep the response.
func (f freshness) storable() bool { return f.maxAge >= 1 }

// cacheControl is the header's value. No two of the last three directives keep
// every cache from serving stale: Traffic Server and Squid obey the first,
// Varnish's grace the second, CloudFront the third.
func (f freshness) cacheControl(private bool) string {
	if !f.storable() {
		return noStore
	}
	visibility := "public"
	if private {
		visibility = "private"
	}
	return visibility + ", max-age=" + strconv.FormatInt(f.maxAge, 10) + neverStale
}

const (
	noStore    = "no-store"
	neverStale = ", must-revalidate, stale-while-revalidate=0, stale-if-error=0"
)

// absentControl is the Cache-Control of a 404: shared caches may shield the
// storage for a moment, a browser asks every time.
func absentControl(maxAge time.Duration, private bool) string {
	switch {
	case maxAge < time.Second:
		return noStore
	case private:
		return "private, max-age=0" + neverStale
	}
	return "public, max-age=0, s-maxage=" + strconv.FormatInt(seconds(maxAge), 10) + neverStale
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// ceilSeconds rounds up. It adds nothing to d, which a peer may have chosen as
// long as a Duration can be.
func ceilSeconds(d time.Duration) int64 {
	return seconds(d) + min(max(int64(d%time.Second), 0), 1)
}
