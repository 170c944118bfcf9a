package lookup

import (
	"errors"
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
	mu       sync.Mutex // guards what follows
	failures int        // in a row
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
	if left := b.until.Sub(now); 0 < left && left <= 2*maxRest {
		return left
	}
	b.until = now.Add(b.pause())
	return 0
}

// note records what came of a question.
func (b *breaker) note(now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !troubled(err) {
		b.failures = 0
		return
	}
	b.failures++
	b.until = now.Add(b.pause())
}

// pause grows with the failures, with jitter, so that sandboxes that failed
// together do not try again together.
func (b *breaker) pause() time.Duration {
	doublings := min(max(b.failures-breakAfter, 0), 10)
	pause := min(firstRest<<doublings, maxRest)
	return pause + rand.N(pause/2)
}

// troubled reports whether err says that upstream needs a rest. An answer, also
// one that nobody can use, does not: it may be about one key alone. Nor does a
// refused key, which auth leaves alone by itself.
func troubled(err error) bool {
	failed, ok := errors.AsType[*voximplant.Error](err)
	return ok && (failed.Kind == voximplant.KindThrottled || failed.Kind == voximplant.KindUnavailable)
}

// resting is the answer while upstream is left alone.
func resting(left time.Duration) error {
	return &voximplant.Error{Kind: voximplant.KindUnavailable, RetryAfter: left}
}
