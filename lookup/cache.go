package lookup

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"voxkv/voximplant"
)

// maxCachedValue is the largest value that is cached, in bytes. The API's own
// limit is 2000 characters. Together with LOCAL_MAX_ITEMS it bounds the memory
// of the cache.
const maxCachedValue = 8 << 10

// An entry is what upstream answered for one key.
type entry struct {
	item *voximplant.KeyValueItem // nil if the key had no item, or an expired one

	// seq is the number of the fetch that brought the entry. A later fetch has a
	// higher number. The first is 1.
	seq uint64

	// fetchedAt is when the fetch began. When the answer was read says nothing
	// about its age: it may have lain unread while the sandbox was frozen.
	fetchedAt time.Time

	// skew is how far the API's clock was ahead of ours, negative if it was behind.
	skew time.Duration
}

// fresh reports whether e is younger than limit. If the clock was set back, the
// age of e is unknown, and e is not fresh.
func (e entry) fresh(now time.Time, limit time.Duration) bool {
	return within(now.Sub(e.fetchedAt), limit)
}

func within(age, limit time.Duration) bool { return 0 <= age && age < limit }

func (e entry) expired(now time.Time) bool {
	return e.item != nil && !e.item.ExpiresAt.IsZero() && e.item.Left(now, e.skew) <= 0
}

// answer is what e says at now. The error is nil or voximplant.ErrNotFound.
func (e entry) answer(now time.Time, from Source) (Answer, error) {
	a := Answer{At: now, Age: now.Sub(e.fetchedAt), Source: from, Skew: e.skew}
	if e.item == nil || e.expired(now) {
		return a, voximplant.ErrNotFound
	}
	a.Item = e.item
	if !e.item.ExpiresAt.IsZero() {
		a.Left = e.item.Left(now, e.skew)
	}
	return a, nil
}

// A cache holds the entries of items, and apart from them those of absent keys,
// so that requests for random keys evict no item. A key has one entry at most.
type cache struct {
	items    *lru.Cache[string, entry]
	absences *lru.Cache[string, entry]
}

// newCache returns a cache of size items and size absences. The error says that
// size is not positive.
func newCache(size int) (cache, error) {
	items, err := lru.New[string, entry](size)
	if err != nil {
		return cache{}, err
	}
	absences, err := lru.New[string, entry](size)
	return cache{items, absences}, err
}

func (c cache) get(key string) (entry, bool) {
	if e, ok := c.items.Get(key); ok {
		return e, true
	}
	return c.absences.Get(key)
}

// put replaces the entry of key. It leaves key without one if the item's expiry
// is unknown, since a cached item could then outlive the stored one, or if its
// value is too large.
func (c cache) put(key string, e entry) {
	c.remove(key)
	switch {
	case e.item == nil:
		c.absences.Add(key, e)
	case !e.item.ExpiresAt.IsZero() && len(e.item.Value) <= maxCachedValue:
		c.items.Add(key, e)
	}
}

func (c cache) remove(key string) {
	c.items.Remove(key)
	c.absences.Remove(key)
}
