package lookup

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"voxkv/voximplant"
)

const (
	// breakAfter is how many questions in a row must fail before upstream is left alone.
	breakAfter = 5

	// firstRest and maxRest bound how long it is left alone; each failed attempt doubles it.
	firstRest = time.Second
	maxRest   = 30 * time.Second
)

// A breaker leaves a failing upstream alone for a growing while. It goes by
// the wall clock, which the libraries for this do not: a sandbox may be frozen
// while upstream recovers.
type breaker struct {
	mu       sync.Mutex      // guards what follows
	failures int             // in a row
	kind     voximplant.Kind // of the last one
	since    time.Time       // the current rest
	until    time.Time
}

// rest returns how long upstream is still to be left alone, 0 if it may be
// asked. Once a rest is over one question may try; others rest until it is
// known what came of it.
func (b *breaker) rest(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakAfter {
		return 0
	}
	// A clock that was set back must not make the rest longer than it ever is.
	if left := b.until.Sub(now); 0 < left && left <= maxRest {
		return left
	}
	b.pause(now, 0)
	return 0
}

// note records what came of a question that was asked at that time. Questions
// that were under way when a rest began say nothing new by failing.
func (b *breaker) note(asked, now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	failed := trouble(err)
	switch {
	case failed == nil:
		b.failures = 0
		return
	case b.failures >= breakAfter && asked.Before(b.since):
		return
	}
	b.failures++
	b.kind = failed.Kind
	b.pause(now, failed.RetryAfter)
}

// pause begins a rest of that length at least. It grows with the failures, with
// jitter, so that sandboxes that failed together do not try again together.
func (b *breaker) pause(now time.Time, atLeast time.Duration) {
	doublings := min(max(b.failures-breakAfter, 0), 10)
	rest := firstRest << doublings
	b.since, b.until = now, now.Add(min(max(rest+rand.N(rest/2), atLeast), maxRest))
}

// trouble returns err if it says that upstream needs a rest. An answer, also one
// that nobody can use, does not: it may be about one key alone. Nor does a
// refused key, which auth leaves alone by itself.
func trouble(err error) *voximplant.Error {
	failed, ok := errors.AsType[*voximplant.Error](err)
	if ok && (failed.Kind == voximplant.KindThrottled || failed.Kind == voximplant.KindUnavailable) {
		return failed
	}
	return nil
}

// resting is the answer while upstream is left alone: of the kind that made it
// need the rest.
func (b *breaker) resting(left time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Errorf("lookup: not asked, since the last %d questions failed: %w", b.failures,
		&voximplant.Error{Kind: b.kind, RetryAfter: left})
}
