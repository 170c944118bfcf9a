package lookup

import "time"

// limits are how old an entry may be for a question. The entries are shared by all
// rules and callers, so these apply where an entry is read.
type limits struct {
	local time.Duration // an item that answers without asking upstream
	stale time.Duration // an item that answers when upstream fails
}

// limits returns those of a rule with this max-age, nil for none. Half of it is left
// to caches, which an entry as old as that would leave nothing.
func (l *Lookup) limits(maxAge *time.Duration) limits {
	limit := limits{local: l.LocalMaxAge, stale: l.StaleMaxAge}
	if maxAge != nil {
		limit.local = min(limit.local, *maxAge/2)
		if l.StaleFollowsRule {
			limit.stale = *maxAge
		}
	}
	return limit
}

// strictest is the local limit of the rule with the shortest max-age. Callers whose
// rules differ may wait for one fetch: what it may take from the cache must be fresh
// for each of them.
func (l *Lookup) strictest() time.Duration {
	if shortest, ok := l.Scope.ShortestMaxAge(); ok {
		return l.limits(&shortest).local
	}
	return l.LocalMaxAge
}

// maxAge is how long e is fresh: an item for local, an absence as long under every
// rule. Otherwise the age of a 404 would tell which rule a key is under, and a key
// that is out of scope from a missing one.
func (l *Lookup) maxAge(e entry, local time.Duration) time.Duration {
	if e.item == nil {
		return min(l.NotFoundMaxAge, l.LocalMaxAge)
	}
	return local
}
