// Package allowlist says which keys exist for a caller, how long they may be kept
// and by whom: the rules of the setting ALLOWED_KEYS.
package allowlist

import (
	"log/slog"
	"slices"
	"time"
)

// A List is the rules of which the first that matches a key decides. The zero List
// has none, and so no key exists.
type List struct {
	rules []rule

	// exact has the index of the rule of each key that is named as it is. So a list of
	// thousands of keys costs one look into a map.
	exact map[string]int

	// others are the indexes of all other rules, in order.
	others []int
}

// A Decision is what the rules say of a key to a caller.
type Decision struct {
	Allowed bool

	// MaxAge is the rule's own ceiling, nil if it has none.
	MaxAge *time.Duration

	// Private keeps the answer for its caller alone. It is the same whoever asks: true
	// if the first rule that matches the key for any caller at all has a placeholder.
	Private bool

	// ClaimUnusable reports whether a rule could have matched, but the caller has not
	// the claims that it needs, or some that cannot be part of a key. It is false if
	// another claim that the rule needs is that of somebody else.
	ClaimUnusable bool
}

// Decide returns what the rules say of key to the caller by.
func (l List) Decide(key string, by Caller) (d Decision) {
	first, named := l.exact[key]
	for _, i := range l.others {
		if named && first < i {
			break
		}
		r := &l.rules[i]
		m := r.match(key, by)
		d.Private = d.Private || m.possible && r.claims > 0
		d.ClaimUnusable = d.ClaimUnusable || m.claimUnusable
		if m.matches {
			d.Allowed, d.MaxAge = true, r.maxAge
			return d
		}
	}
	if named {
		d.Allowed, d.MaxAge = true, l.rules[first].maxAge
	}
	return d
}

// Covers reports whether every key that begins with prefix is allowed to the
// caller by. It is, if prefix alone matches a rule that leaves the rest open.
func (l List) Covers(prefix string, by Caller) bool {
	return slices.ContainsFunc(l.rules, func(r rule) bool { return r.open && r.match(prefix, by).matches })
}

// Everything reports whether every key is allowed to everyone.
func (l List) Everything() bool { return l.Covers("", Caller{}) }

// NeedClaims returns how many rules have a placeholder.
func (l List) NeedClaims() (n int) {
	for _, r := range l.rules {
		n += min(r.claims, 1)
	}
	return n
}

// ShortestMaxAge returns the shortest max-age of a rule, and false if no rule has one.
func (l List) ShortestMaxAge() (shortest time.Duration, ok bool) {
	for _, r := range l.rules {
		if r.maxAge != nil && (!ok || *r.maxAge < shortest) {
			shortest, ok = *r.maxAge, true
		}
	}
	return shortest, ok
}

// GivenAway returns the numbers of two rules, of which the second allows everyone
// all that the first allows some callers. ok is false if there are none such.
func (l List) GivenAway() (some, everyone int, ok bool) {
	for i, r := range l.rules {
		for _, later := range l.rules[i+1:] {
			if r.claims > 0 && later.claims == 0 && later.covers(r) {
				return r.number, later.number, true
			}
		}
	}
	return 0, 0, false
}

// LogValue has the prefixes and the number of the exact keys, but not those keys
// themselves: they may be phone numbers. If any rule has a placeholder or an option,
// it has these rules too, and how many need claims.
func (l List) LogValue() slog.Value {
	prefixes, more := []string{}, []string{}
	for _, r := range l.rules {
		if r.open && r.claims == 0 {
			prefixes = append(prefixes, r.parts.prefix())
		}
		if !r.plain() {
			more = append(more, r.shown())
		}
	}
	attrs := []slog.Attr{slog.Int("exact", len(l.exact)), slog.Any("prefixes", prefixes)}
	if len(more) > 0 {
		attrs = append(attrs, slog.Any("rules", more), slog.Int("need_claims", l.NeedClaims()))
	}
	return slog.GroupValue(attrs...)
}
