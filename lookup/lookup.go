// Package lookup answers one question: what is stored under this key now? It
// refuses keys that are out of scope, answers from a local cache while its
// entries are fresh, and otherwise asks upstream once, however many callers ask
// at the same time.
package lookup

import (
	"context"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"voxkv/allowlist"
	"voxkv/voximplant"
)

// A Source says where an answer came from.
type Source string

const (
	FromScope      Source = "scope" // the key is out of scope; nothing was looked up
	FromCache      Source = "hit"   // a fresh entry of the cache
	FromUpstream   Source = "miss"  // fetched for this question
	FromStaleCache Source = "stale" // an unexpired entry that is not fresh, since upstream failed
	FromNowhere    Source = "none"  // upstream failed and the cache had nothing to serve instead
)

// An Answer is what is known about one key.
type Answer struct {
	// Item is nil if there is none to show.
	Item *voximplant.KeyValueItem

	// At is our clock when the answer was made. Age is the time since the fetch
	// began: an answer that took two seconds to arrive is two seconds old.
	At  time.Time
	Age time.Duration

	// Left is how long the item has to live, by our clock or the API's,
	// whichever says less. It is 0 if the expiry is unknown.
	Left time.Duration

	Source Source

	// UpstreamTime is how long the caller waited for upstream. UpstreamErr is why
	// upstream gave nothing although Item is there.
	UpstreamTime time.Duration
	UpstreamErr  error

	// Skew is how far the API's clock was ahead of ours, negative if it was behind.
	Skew time.Duration

	// Rule is what the allow-list says of the key to the caller.
	Rule allowlist.Decision
}

// A Config says how a Lookup works. Scope and Fetch are required.
type Config struct {
	// Scope is the keys that exist, by caller. The max-age of a rule bounds the age of
	// entries too: see limits.
	Scope allowlist.List

	// Fetch asks upstream. Its error is voximplant.ErrNotFound if there is no
	// item, or the reason why it is not known whether there is one.
	Fetch func(ctx context.Context, key string) (*voximplant.KeyValueItem, error)

	// LocalMaxAge is how long an entry of the cache is fresh. If 0, no entry ever is.
	LocalMaxAge time.Duration

	// NotFoundMaxAge is how long the absence of an item is fresh, at most LocalMaxAge.
	NotFoundMaxAge time.Duration

	// StaleMaxAge is how old an entry may be that answers when upstream fails.
	StaleMaxAge time.Duration

	// StaleFollowsRule makes the max-age of a rule that has one count in place of
	// StaleMaxAge.
	StaleFollowsRule bool

	// MaxItems bounds the cached items, and apart from them the cached absences.
	// It must be positive.
	MaxItems int

	// Timeout bounds one fetch. It must be positive.
	Timeout time.Duration

	// Now reports the current time. If nil, time.Now is used.
	Now func() time.Time
}

// A Lookup finds items. It may be used by several goroutines.
type Lookup struct {
	Config
	cache cache

	// refusedKeys has, for keys that are out of scope, when they were refused
	// first. It is apart from the cache, where they could evict what callers may
	// have.
	refusedKeys *lru.Cache[string, time.Time]

	flight  singleflight.Group
	breaker *breaker

	mu      sync.Mutex          // guards what follows, and makes checking and caching an entry one step
	lastSeq uint64              // numbers fetches and writes
	fetches map[string]*fetches // that are running, by key
}

// New returns a Lookup whose cache is empty. The error says that MaxItems is
// not positive.
func New(c Config) (*Lookup, error) {
	cache, err := newCache(c.MaxItems)
	if err != nil {
		return nil, err
	}
	refusedKeys, err := lru.New[string, time.Time](c.MaxItems)
	if err != nil {
		return nil, err
	}
	breaker, err := newBreaker()
	if err != nil {
		return nil, err
	}
	return &Lookup{Config: c, cache: cache, refusedKeys: refusedKeys, breaker: breaker, fetches: map[string]*fetches{}}, nil
}

// Item returns what is stored under key, if it exists for allowlist.CallerOf(ctx).
// The error is voximplant.ErrNotFound for a key that is out of scope, absent or
// expired alike, the context's, or Fetch's. The Answer has the time, the Source and
// the Rule even then.
func (l *Lookup) Item(ctx context.Context, key string) (a Answer, err error) {
	rule := l.Scope.Decide(key, allowlist.CallerOf(ctx))
	if rule.Allowed {
		a, err = l.find(ctx, key, l.limits(rule.MaxAge))
	} else {
		a, err = l.outOfScope(key), voximplant.ErrNotFound
	}
	a.Rule = rule
	return a, err
}

// find is Item for a key that exists for the caller, whose rule has these limits.
func (l *Lookup) find(ctx context.Context, key string, limit limits) (Answer, error) {
	cached, ok := l.cache.get(key)
	now := l.now() // after the look into the cache: an entry made in between would be from the future
	if ok && cached.fresh(now, l.maxAge(cached, limit.local)) && !cached.expired(now) {
		return cached.answer(now, FromCache)
	}
	fetched, err := l.fetch(ctx, key, cached.seq)
	took, now := l.now().Sub(now), l.now()
	var a Answer
	switch {
	case err == nil:
		a, err = fetched.answer(now, FromUpstream)
	// An expired entry says nothing: its item may have been prolonged since.
	case ok && cached.item != nil && cached.fresh(now, limit.stale) && !cached.expired(now):
		failure := err
		a, err = cached.answer(now, FromStaleCache)
		a.UpstreamErr = failure
	default:
		a = Answer{At: now, Source: FromNowhere}
	}
	a.UpstreamTime = took
	return a, err
}

// outOfScope is the answer for a key that does not exist for the caller. Its age
// grows and starts again as that of a missing key does while its absence is
// cached. Otherwise headers that depend on the age would tell the two apart.
func (l *Lookup) outOfScope(key string) Answer {
	now := l.now()
	since, ok := l.refusedKeys.Get(key)
	if !ok || !within(now.Sub(since), l.maxAge(entry{}, 0)) {
		since = now.Add(-time.Nanosecond) // a missing key is never 0 old either: to ask takes time
		l.refusedKeys.Add(key, since)
	}
	return Answer{At: now, Age: now.Sub(since), Source: FromScope}
}

// now is the wall clock. The monotonic clock stands still while a sandbox is frozen.
func (l *Lookup) now() time.Time {
	if l.Now == nil {
		return time.Now().Round(0)
	}
	return l.Now().Round(0)
}
