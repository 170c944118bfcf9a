// Package freshness computes how long an answer may be kept (RFC 9111 section
// 4.2). docs/freshness.md says which caches then keep no item beyond its end.
package freshness

import (
	"time"

	"voxkv/lookup"
)

const (
	// expiryMargin is the end of an item's life that is never handed out. Real
	// caches exceed max-age by up to a second each, and a response takes some time
	// to arrive.
	expiryMargin = 2 * time.Second

	// cachesWithoutAge is how many caches in a row may each keep a response for its
	// full max-age, because the one before sends no Age: nginx and a browser behind
	// it, so 2. A private response passes through one cache only.
	cachesWithoutAge = 2

	// sharedReserve is how many seconds less than a browser a shared cache gets if
	// the item's end limits its life. Most shared caches count from the arrival of
	// a response, so this is how much longer a response may take to arrive.
	sharedReserve = 2
)

// A Freshness is how long caches may keep a response, in whole seconds.
type Freshness struct {
	// MaxAge is for all caches. If it is below 1, none may keep the response.
	MaxAge int64

	// SharedMaxAge is for shared caches. If it is 0, none of them may keep the
	// response.
	SharedMaxAge int64

	// Clipped reports whether the item's end, and not the ceiling, limits MaxAge or
	// SharedMaxAge. The ETag must then change every second, so that no 304 shortens
	// or ends a life: after a 304 nginx goes on sending the Cache-Control that it
	// stored before.
	Clipped bool

	// Remaining is the life that caches may use at all.
	Remaining int64
}

// Of returns the freshness of an answer with an item. MaxAge ends expiryMargin
// before the item does, even if a second cache begins to count when the first one
// ends, and no later after upstream was asked than the max-age of the key's rule
// or, if that has none, ceiling. The rule may make the answer private, too.
func Of(a lookup.Answer, ceiling time.Duration, private bool) Freshness {
	private = private || a.Rule.Private
	if a.Rule.MaxAge != nil {
		ceiling = *a.Rule.MaxAge
	}
	unused := seconds(ceiling) - ceilSeconds(max(a.Age, 0)) // what the answer's age leaves of the ceiling
	remaining := seconds(max(a.Left, 0) - expiryMargin)
	if private {
		return Freshness{MaxAge: min(unused, remaining), Clipped: remaining < seconds(ceiling), Remaining: remaining}
	}
	life := remaining / cachesWithoutAge
	return Freshness{
		MaxAge:       min(unused, life),
		SharedMaxAge: max(min(unused, life-sharedReserve), 0),
		Clipped:      life-sharedReserve < seconds(ceiling),
		Remaining:    remaining,
	}
}

// Shorter returns the freshness of a response that holds what f and g are of.
func (f Freshness) Shorter(g Freshness) Freshness {
	return Freshness{
		MaxAge:       min(f.MaxAge, g.MaxAge),
		SharedMaxAge: min(f.SharedMaxAge, g.SharedMaxAge),
		Clipped:      f.Clipped || g.Clipped,
		Remaining:    min(f.Remaining, g.Remaining),
	}
}

// Storable reports whether any cache may keep the response.
func (f Freshness) Storable() bool { return f.MaxAge >= 1 }

// OfAbsence returns how many seconds shared caches may keep the absence of an
// item, so that it is known for maxAge in all. If below 1, they may not.
func OfAbsence(a lookup.Answer, maxAge time.Duration) int64 {
	return seconds(maxAge - max(a.Age, 0))
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// ceilSeconds returns d in seconds, rounded up. It adds nothing to d itself, which may
// be the longest Duration.
func ceilSeconds(d time.Duration) int64 {
	if d%time.Second > 0 {
		return seconds(d) + 1
	}
	return seconds(d)
}
