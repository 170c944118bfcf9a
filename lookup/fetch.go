package lookup

import (
	"context"
	"errors"
	"time"

	"voxkv/internal/panics"
	"voxkv/voximplant"
)

// fetches is what is known about the running fetches of one key. It is not part
// of the cache, which may evict any entry at any time.
type fetches struct {
	running   int
	startedAt time.Time // of the last one

	// minSeq is the least seq that an entry must have to be cached: that of the
	// entry cached last, or of the write after it.
	minSeq uint64
}

// fetch asks upstream, once for all callers who ask for key at the same time. seen is
// the seq of the entry that the caller found in the cache, 0 if there was none: a
// later one answers too. The fetch goes on when its callers leave: others
// wait for it too, or will ask again at once.
func (l *Lookup) fetch(ctx context.Context, key string, seen uint64) (entry, error) {
	if ctx.Err() != nil {
		return entry{}, ctx.Err() // nobody would wait for the answer
	}
	if l.overdue(key) {
		l.flight.Forget(key)
	}
	shared := l.flight.DoChan(key, func() (any, error) {
		// Another fetch may have ended since the caller looked into the cache.
		if e, ok := l.cache.get(key); ok && e.seq > seen && e.fresh(l.now(), l.maxAge(e, l.strictest())) {
			return e, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Timeout)
		defer cancel()
		return l.ask(ctx, key)
	})
	select {
	case r := <-shared:
		e, _ := r.Val.(entry)
		return e, r.Err
	case <-ctx.Done():
		return entry{}, ctx.Err()
	}
}

// overdue reports whether the running fetch of key should have ended before now.
// It hangs, perhaps since before the sandbox was frozen, and new callers must not
// wait for it.
func (l *Lookup) overdue(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.fetches[key]
	return ok && !within(l.now().Sub(f.startedAt), l.Timeout)
}

// ask asks upstream and caches the answer.
func (l *Lookup) ask(ctx context.Context, key string) (_ entry, err error) {
	// singleflight runs this on a goroutine where nothing else recovers.
	defer panics.Recover(&err)
	e := l.beginFetch(key)
	defer l.endFetch(key)
	r, _ := ctx.Value(requestKey{}).(*request)
	_, answered := l.cache.get(key)
	if err := l.breaker.allow(key, answered, r, e.fetchedAt); err != nil {
		return entry{}, err
	}
	item, err := l.Fetch(ctx, key)
	received := l.now()
	l.breaker.record(key, r, e.fetchedAt, received, err)
	if err != nil && !errors.Is(err, voximplant.ErrNotFound) {
		return entry{}, err
	}
	if item != nil && !item.Date.IsZero() {
		e.skew = item.Date.Sub(received)
	}
	if e.item = item; e.expired(received) {
		e.item = nil
	}
	l.store(key, e)
	return e, nil
}

// beginFetch returns the entry of a new fetch, with its number and its time.
func (l *Lookup) beginFetch(key string) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastSeq++
	f, ok := l.fetches[key]
	if !ok {
		f = &fetches{}
		l.fetches[key] = f
	}
	f.running++
	f.startedAt = l.now()
	return entry{seq: l.lastSeq, fetchedAt: f.startedAt}
}

func (l *Lookup) endFetch(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.fetches[key]
	if f.running--; f.running == 0 {
		delete(l.fetches, key)
	}
}

// store caches e, which a running fetch brought, unless a later fetch or a write
// overtook it.
func (l *Lookup) store(key string, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.fetches[key]
	if e.seq < f.minSeq {
		return
	}
	f.minSeq = e.seq
	l.cache.put(key, e)
}

// Forget removes key from the cache, as after a write: the next caller gets what
// upstream says then. What running fetches bring is not cached any more.
func (l *Lookup) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastSeq++
	if f, ok := l.fetches[key]; ok {
		f.minSeq = l.lastSeq
	}
	l.flight.Forget(key)
	l.cache.remove(key)
}
