package lookup

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"voxkv/voximplant"
)

const (
	// tripAfter is how many failures in a row open a circuit.
	tripAfter = 5

	// firstCooldown and maxCooldown bound how long it stays open; each failure
	// after that doubles the time.
	firstCooldown = time.Second
	maxCooldown   = 30 * time.Second

	// maxFailingKeys bounds the keys that have a circuit of their own. One that
	// is forgotten is only asked for more often.
	maxFailingKeys = 1024
)

// A breaker is two kinds of circuit breaker in one. A key that fails again and
// again is not asked for during a cooldown, and it alone. The service counts as
// failing when questions for different keys fail in a row, and then no key is
// asked for.
//
// It goes by the wall clock, which the libraries for this do not: a sandbox may
// be frozen while upstream recovers.
type breaker struct {
	mu      sync.Mutex // guards what follows
	keys    *lru.Cache[string, *circuit]
	service circuit
	failing map[string]bool // the keys that service has counted, tripAfter at most

	// Of the trials after a cooldown of the service: the key of a first one that
	// failed, and whether a second one has begun.
	triedKey string
	retried  bool
}

func newBreaker() (*breaker, error) {
	keys, err := lru.New[string, *circuit](maxFailingKeys)
	return &breaker{keys: keys, failing: map[string]bool{}}, err
}

// allow returns nil if upstream may be asked for key, and otherwise the error
// to answer with. Once a cooldown is over, one question is the trial, and the
// others wait until its outcome is known or another cooldown has passed.
func (b *breaker) allow(key string, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	own, failed := b.keys.Get(key)
	if failed {
		if left := own.left(now); left > 0 {
			return own.openError(left)
		}
	}
	left := b.service.left(now)
	if left > 0 && !b.mayRetry(key) {
		return b.service.openError(left)
	}
	if left == 0 {
		b.triedKey = ""
	}
	b.retried = left > 0
	b.service.beginTrial(now)
	if failed {
		own.beginTrial(now)
	}
	return nil
}

// mayRetry reports whether key may be a second trial at once: the first one
// failed, and may have done so for its own key alone.
func (b *breaker) mayRetry(key string) bool {
	return !b.retried && b.triedKey != "" && b.triedKey != key
}

// record says what came of a question that was asked at the time asked.
func (b *breaker) record(key string, asked, now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if failed := outage(err); failed != nil {
		b.recordFailure(key, asked, now, failed)
	} else if answered(err) {
		b.recordAnswer(key)
	}
}

// recordFailure counts a failure for its key, and for the service if it is news:
// the key has not failed since the last answer, and the question was asked
// after the last failure was known. So neither one key nor the keys of one
// batch can close the service for all others.
func (b *breaker) recordFailure(key string, asked, now time.Time, failed *voximplant.Error) {
	own, ok := b.keys.Get(key)
	if !ok {
		own = &circuit{}
		b.keys.Add(key, own)
	}
	if !asked.Before(own.since) {
		own.fail(now, failed)
	}
	trial := b.service.open()
	if asked.Before(b.service.since) || b.failing[key] && !trial {
		return
	}
	if !trial {
		b.failing[key] = true
	} else if !b.retried {
		b.triedKey = key
	}
	b.service.fail(now, failed)
}

// recordAnswer closes the service's circuit. If that was open, the keys' circuits
// were most likely its fault too.
func (b *breaker) recordAnswer(key string) {
	b.keys.Remove(key)
	if b.service.open() {
		b.keys.Purge()
	}
	b.service = circuit{}
	clear(b.failing)
}

// outage returns err if it may be a failure of the service. An answer that
// nobody can use is none, nor is a refused service-account key, which auth does
// not try again for some time. Nor is the API's duplicate detector: other
// sandboxes have asked the same question.
func outage(err error) *voximplant.Error {
	failed, ok := errors.AsType[*voximplant.Error](err)
	if !ok || failed.Code == voximplant.CodeResend {
		return nil
	}
	if failed.Kind == voximplant.KindThrottled || failed.Kind == voximplant.KindUnavailable {
		return failed
	}
	return nil
}

// answered reports whether err, which is no outage, shows that upstream is well.
func answered(err error) bool {
	return err == nil || errors.Is(err, voximplant.ErrNotFound)
}

// A circuit counts failures in a row. It opens with tripAfter of them, for a
// time that grows with each failure that follows.
type circuit struct {
	failures int
	kind     voximplant.Kind // of the last failure
	since    time.Time       // of the last failure, or of the trial under way
	until    time.Time       // the end of the cooldown
}

func (c *circuit) open() bool { return c.failures >= tripAfter }

// left is what is left of the cooldown, 0 if there is none. A clock that was
// set back must not make it longer than it ever is.
func (c *circuit) left(now time.Time) time.Duration {
	left := c.until.Sub(now)
	if !c.open() || left <= 0 || left > maxCooldown {
		return 0
	}
	return left
}

func (c *circuit) fail(now time.Time, failed *voximplant.Error) {
	c.failures++
	c.kind, c.since = failed.Kind, now
	c.coolDown(now, failed.RetryAfter)
}

// beginTrial keeps all other questions back, in case the trial hangs.
func (c *circuit) beginTrial(now time.Time) {
	if c.open() {
		c.since = now
		c.coolDown(now, 0)
	}
}

// coolDown sets a cooldown of that length at least, with jitter, so that
// sandboxes that failed together do not try again together.
func (c *circuit) coolDown(now time.Time, atLeast time.Duration) {
	doublings := min(max(c.failures-tripAfter, 0), 10)
	cooldown := firstCooldown << doublings
	c.until = now.Add(min(max(cooldown+rand.N(cooldown/2), atLeast), maxCooldown))
}

// openError is of the kind of failure that opened the circuit.
func (c *circuit) openError(left time.Duration) error {
	return fmt.Errorf("lookup: not asked, since the last %d questions failed: %w", c.failures,
		&voximplant.Error{Kind: c.kind, RetryAfter: left})
}
