// Package lookup answers one question: what is stored under this key now?
// It refuses keys outside its scope, answers from local copies while they are
// young, and otherwise asks upstream once, however many ask at the same time.
package lookup

import (
	"context"
	"errors"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"voxkv/internal/panics"
	"voxkv/voximplant"
)

// A Source tells where an answer came from.
type Source string

const (
	FromScope    Source = "scope" // the key is out of scope; nothing was looked up
	FromCopy     Source = "hit"   // a young local copy
	FromUpstream Source = "miss"  // asked just now
	FromOldCopy  Source = "stale" // an unexpired local copy, since upstream failed
	FromNowhere  Source = "none"  // upstream failed and no copy could stand in
)

// maxCopy is the largest value kept, in bytes. The API's own limit is 2000
// characters; with LOCAL_MAX_ITEMS this bounds the memory of the copies.
const maxCopy = 8 << 10

// An Answer is what is known of one key.
type Answer struct {
	// Item is nil where there is none to show.
	Item *voximplant.KeyValueItem

	// At is our clock when the answer was made, Age the time since upstream was
	// asked for it: an answer that took two seconds to come is two seconds old.
	At  time.Time
	Age time.Duration

	// Left is how long the item has to live, by our clock or the API's,
	// whichever says less. It is 0 where the expiry is unknown.
	Left time.Duration

	Source Source

	// Upstream is how long upstream was waited for; UpstreamErr why it gave
	// nothing though Item is there.
	Upstream    time.Duration
	UpstreamErr error

	// Ahead is how far the API's clock was ahead of ours, negative if behind.
	Ahead time.Duration
}

// A Config says how a Lookup works. Scope and Fetch are required.
type Config struct {
	Scope Scope

	// Fetch asks upstream. Its error is voximplant.ErrNotFound or what kept it
	// from knowing.
	Fetch func(ctx context.Context, key string) (*voximplant.KeyValueItem, error)

	// LocalMaxAge is how long a copy answers without upstream; 0 keeps none for that.
	LocalMaxAge time.Duration

	// NotFoundMaxAge is how long absence is remembered, at most LocalMaxAge.
	NotFoundMaxAge time.Duration

	// StaleMaxAge is how old a copy may be that answers when upstream fails.
	StaleMaxAge time.Duration

	// MaxItems bounds the copies, and apart from them the absences. It must be positive.
	MaxItems int

	// Timeout bounds one question to upstream. It must be positive.
	Timeout time.Duration

	// Now reports the current time. If nil, time.Now is used.
	Now func() time.Time
}

// A Lookup finds items. It may be used from several goroutines.
type Lookup struct {
	Config
	copies   *lru.Cache[string, known] // items
	absences *lru.Cache[string, known] // apart, so that random keys evict no item
	flight   singleflight.Group
	breaker  *breaker

	mu       sync.Mutex           // guards what follows, and makes of checking and keeping an answer one step
	asked    uint64               // questions and writes so far
	underway map[string]*underway // by key
}

// underway is what must be known of a key while questions for it are under way.
// It is kept apart from the copies, which may be evicted at any time.
type underway struct {
	questions int
	since     time.Time // when the last of them was asked

	// newest is the question whose answer was kept last, or the write that came
	// after it. Answers to earlier questions are not kept.
	newest uint64
}

// New returns a Lookup with no copies yet.
func New(c Config) (*Lookup, error) {
	copies, err := lru.New[string, known](c.MaxItems)
	if err != nil {
		return nil, err
	}
	absences, err := lru.New[string, known](c.MaxItems)
	if err != nil {
		return nil, err
	}
	breaker, err := newBreaker()
	if err != nil {
		return nil, err
	}
	return &Lookup{Config: c, copies: copies, absences: absences, breaker: breaker, underway: map[string]*underway{}}, nil
}

// Item returns what is stored under key. The error is voximplant.ErrNotFound
// for a key that is out of scope, absent or expired alike, the context's, or
// Fetch's; the Answer tells the time and the Source even then.
func (l *Lookup) Item(ctx context.Context, key string) (Answer, error) {
	if !l.Scope.Allows(key) {
		return l.outOfScope(key), voximplant.ErrNotFound
	}
	held, ok := l.held(key)
	now := l.now() // after the look: a copy made in between would be from the future
	if ok && held.young(now, l.maxAge(held)) && !held.expired(now) {
		return held.answer(now, FromCopy)
	}
	fetched, err := l.fetch(ctx, key, held.question)
	took, now := l.now().Sub(now), l.now()
	var a Answer
	switch {
	case err == nil:
		a, err = fetched.answer(now, FromUpstream)
	// A copy that has ended tells nothing: its item may have been prolonged since.
	case ok && held.item != nil && held.young(now, l.StaleMaxAge) && !held.expired(now):
		failure := err
		a, err = held.answer(now, FromOldCopy)
		a.UpstreamErr = failure
	default:
		a = Answer{At: now, Source: FromNowhere}
	}
	a.Upstream = took
	return a, err
}

// outOfScope is the answer for a key that does not exist for callers. It ages
// as the absence of a missing key does while that is remembered, since headers
// that tell the age would tell the two apart.
func (l *Lookup) outOfScope(key string) Answer {
	now := l.now()
	k, ok := l.absences.Get(key)
	if !ok || !k.young(now, l.maxAge(k)) {
		k = known{since: now.Add(-time.Nanosecond)} // no answer comes in no time
		l.absences.Add(key, k)
	}
	return Answer{At: now, Age: now.Sub(k.since), Source: FromScope}
}

// held returns the copy of key, of an item or of its absence.
func (l *Lookup) held(key string) (known, bool) {
	if k, ok := l.copies.Get(key); ok {
		return k, true
	}
	return l.absences.Get(key)
}

func (l *Lookup) maxAge(k known) time.Duration {
	if k.item == nil {
		return min(l.NotFoundMaxAge, l.LocalMaxAge)
	}
	return l.LocalMaxAge
}

// fetch asks upstream, once for all who ask for key at the time and know the
// answer to the question seen. The question outlives its callers: others wait
// for it too, or will ask again at once.
func (l *Lookup) fetch(ctx context.Context, key string, seen uint64) (known, error) {
	if ctx.Err() != nil {
		return known{}, ctx.Err() // nobody would wait for the answer
	}
	if l.overdue(key) {
		l.flight.Forget(key)
	}
	shared := l.flight.DoChan(key, func() (any, error) {
		// The answer may have come between the caller's look at it and now.
		if k, ok := l.held(key); ok && k.question > seen && k.young(l.now(), l.maxAge(k)) {
			return k, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Timeout)
		defer cancel()
		return l.ask(ctx, key)
	})
	select {
	case r := <-shared:
		k, _ := r.Val.(known)
		return k, r.Err
	case <-ctx.Done():
		return known{}, ctx.Err()
	}
}

// overdue reports whether the question under way for key should have ended
// before now: it hangs, maybe since before a freeze, and must not swallow the
// next one.
func (l *Lookup) overdue(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	u, ok := l.underway[key]
	return ok && !within(l.now().Sub(u.since), l.Timeout)
}

// ask asks upstream and keeps the answer.
func (l *Lookup) ask(ctx context.Context, key string) (_ known, err error) {
	// Nobody else could: this runs on a goroutine of its own.
	defer panics.Recover(&err)
	k := l.begin(key)
	defer l.end(key)
	if err := l.breaker.allow(key, k.since); err != nil {
		return known{}, err
	}
	item, err := l.Fetch(ctx, key)
	received := l.now()
	l.breaker.record(key, k.since, received, err)
	if err != nil && !errors.Is(err, voximplant.ErrNotFound) {
		return known{}, err
	}
	if item != nil && !item.Date.IsZero() {
		k.ahead = item.Date.Sub(received)
	}
	if k.item = item; k.expired(received) {
		k.item = nil
	}
	l.keep(key, k)
	return k, nil
}

// begin numbers a question and notes that it is under way; end notes that it is not.
func (l *Lookup) begin(key string) known {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	u, ok := l.underway[key]
	if !ok {
		u = &underway{}
		l.underway[key] = u
	}
	u.questions++
	u.since = l.now()
	return known{question: l.asked, since: u.since}
}

func (l *Lookup) end(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.underway[key]
	if u.questions--; u.questions == 0 {
		delete(l.underway, key)
	}
}

// keep remembers k, the answer to a question under way, unless the answer to a
// later question or a write overtook it. An item whose end is unknown is not
// remembered: nothing would then stop a copy from outliving it.
func (l *Lookup) keep(key string, k known) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.underway[key]
	if u.newest > k.question {
		return
	}
	u.newest = k.question
	l.drop(key)
	switch {
	case k.item == nil:
		l.absences.Add(key, k)
	case !k.item.ExpiresAt.IsZero() && len(k.item.Value) <= maxCopy:
		l.copies.Add(key, k)
	}
}

// Forget drops what is known of key, as when it was written: the next who asks
// gets what upstream says then. Answers to questions that were asked before are
// not kept any more.
func (l *Lookup) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if u, ok := l.underway[key]; ok {
		u.newest = l.asked
	}
	l.flight.Forget(key)
	l.drop(key)
}

func (l *Lookup) drop(key string) {
	l.copies.Remove(key)
	l.absences.Remove(key)
}

// now is the wall clock: the monotonic one stands still while a sandbox is frozen.
func (l *Lookup) now() time.Time {
	if l.Now == nil {
		return time.Now().Round(0)
	}
	return l.Now().Round(0)
}

// known is what upstream said of one key at one time.
type known struct {
	item     *voximplant.KeyValueItem // nil if it was absent or expired
	question uint64                   // which one it answers, counted from 1

	// since is when upstream was asked. An answer may lie unread through a
	// freeze, so when it was read tells nothing of its age.
	since time.Time
	ahead time.Duration // of the API's clock
}

// young reports whether k is younger than limit. A clock that was set back
// makes a copy's age unknown, and so not young.
func (k known) young(now time.Time, limit time.Duration) bool {
	return within(now.Sub(k.since), limit)
}

func within(age, limit time.Duration) bool { return 0 <= age && age < limit }

func (k known) expired(now time.Time) bool {
	return k.item != nil && !k.item.ExpiresAt.IsZero() && k.item.Left(now, k.ahead) <= 0
}

func (k known) answer(now time.Time, from Source) (Answer, error) {
	a := Answer{At: now, Age: now.Sub(k.since), Source: from, Ahead: k.ahead}
	if k.item == nil || k.expired(now) {
		return a, voximplant.ErrNotFound
	}
	a.Item = k.item
	if !k.item.ExpiresAt.IsZero() {
		a.Left = k.item.Left(now, k.ahead)
	}
	return a, nil
}
