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

	// firstCooldown and maxCooldown bound how long a circuit stays open. Each
	// failure after the first cooldown doubles the time.
	firstCooldown = time.Second
	maxCooldown   = 30 * time.Second

	// maxFailingKeys bounds the keys that have a circuit of their own. A key that
	// loses its circuit is only asked for more often.
	maxFailingKeys = 1024
)

// A breaker holds a circuit for the service and one for each failing key. A key
// that fails again and again opens its own circuit and no other. Different keys
// that fail in a row open the circuit of the service, and then upstream is asked
// for no key.
//
// It goes by the wall clock, which the libraries for this do not: a sandbox may
// be frozen while upstream recovers.
type breaker struct {
	mu          sync.Mutex // guards what follows
	keys        *lru.Cache[string, *circuit]
	service     circuit
	failingKeys map[string]bool // that the service's circuit has counted, tripAfter at most

	// While the service's circuit is half-open: the key of the first trial, once
	// that has failed, and whether a second trial has begun.
	failedTrial string
	secondTrial bool
}

func newBreaker() (*breaker, error) {
	keys, err := lru.New[string, *circuit](maxFailingKeys)
	return &breaker{keys: keys, failingKeys: map[string]bool{}}, err
}

// allow returns nil if upstream may be asked for key, and otherwise the error to
// answer with. After the cooldown the circuit is half-open: one fetch is the
// trial, and the others are refused until its outcome is known or another
// cooldown has passed.
func (b *breaker) allow(key string, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	own, failed := b.keys.Get(key)
	if failed {
		if left := own.cooldownLeft(now); left > 0 {
			return own.openError(left)
		}
	}
	left := b.service.cooldownLeft(now)
	if left > 0 && !b.allowsSecondTrial(key) {
		return b.service.openError(left)
	}
	if left == 0 {
		b.failedTrial = ""
	}
	b.secondTrial = left > 0
	b.service.beginTrial(now)
	if failed {
		own.beginTrial(now)
	}
	return nil
}

// allowsSecondTrial reports whether key may be a second trial at once. The first
// trial failed, and may have done so for its own key alone.
func (b *breaker) allowsSecondTrial(key string) bool {
	return !b.secondTrial && b.failedTrial != "" && b.failedTrial != key
}

// record takes the outcome of a fetch that began at fetchedAt.
func (b *breaker) record(key string, fetchedAt, now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if failed := outage(err); failed != nil {
		b.recordFailure(key, fetchedAt, now, failed)
	} else if err == nil || errors.Is(err, voximplant.ErrNotFound) {
		b.recordSuccess(key)
	}
}

// recordFailure counts a failure for its key. It counts for the service only if
// the key has not failed since the last success, and the fetch began after the
// last failure was known. So neither one key nor the keys of one request can
// open the service's circuit.
func (b *breaker) recordFailure(key string, fetchedAt, now time.Time, failed *voximplant.Error) {
	own, ok := b.keys.Get(key)
	if !ok {
		own = &circuit{}
		b.keys.Add(key, own)
	}
	if !fetchedAt.Before(own.changedAt) {
		own.fail(now, failed)
	}
	trial := b.service.tripped()
	if fetchedAt.Before(b.service.changedAt) || b.failingKeys[key] && !trial {
		return
	}
	if !trial {
		b.failingKeys[key] = true
	} else if !b.secondTrial {
		b.failedTrial = key
	}
	b.service.fail(now, failed)
}

// recordSuccess closes the service's circuit. If that was not closed, the keys
// most likely failed because the service did, and their circuits close too.
func (b *breaker) recordSuccess(key string) {
	b.keys.Remove(key)
	if b.service.tripped() {
		b.keys.Purge()
	}
	b.service = circuit{}
	clear(b.failingKeys)
}

// outage returns err if it may be a failure of the service, and otherwise nil:
// for an answer that makes no sense; for a refused service-account key, which
// auth by itself does not use again for some time; and for the API's detector of
// repeated requests, which other sandboxes have made.
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

// A circuit is closed until tripAfter failures in a row trip it. Then it is open
// until the end of a cooldown, and half-open after that. Each failure that
// follows opens it again, for longer.
type circuit struct {
	failures  int             // in a row
	kind      voximplant.Kind // of the last failure
	changedAt time.Time       // when it last failed or began a trial
	openUntil time.Time       // the end of the cooldown
}

// tripped reports whether c is open or half-open.
func (c *circuit) tripped() bool { return c.failures >= tripAfter }

// cooldownLeft is what is left of the cooldown, 0 if c is closed or half-open. It
// is 0 too if the clock was set back so far that the cooldown would be too long.
func (c *circuit) cooldownLeft(now time.Time) time.Duration {
	left := c.openUntil.Sub(now)
	if !c.tripped() || left <= 0 || left > maxCooldown {
		return 0
	}
	return left
}

func (c *circuit) fail(now time.Time, failed *voximplant.Error) {
	c.failures++
	c.kind, c.changedAt = failed.Kind, now
	c.coolDown(now, failed.RetryAfter)
}

// beginTrial opens a tripped circuit for all other fetches, in case that the
// trial hangs.
func (c *circuit) beginTrial(now time.Time) {
	if c.tripped() {
		c.changedAt = now
		c.coolDown(now, 0)
	}
}

// coolDown sets a cooldown of atLeast or more. Jitter keeps sandboxes that failed
// together from trying again together.
func (c *circuit) coolDown(now time.Time, atLeast time.Duration) {
	doublings := min(max(c.failures-tripAfter, 0), 10)
	cooldown := firstCooldown << doublings
	c.openUntil = now.Add(min(max(cooldown+rand.N(cooldown/2), atLeast), maxCooldown))
}

// openError has the kind of the last failure, and asks the caller to wait for
// what is left of the cooldown.
func (c *circuit) openError(left time.Duration) error {
	return fmt.Errorf("lookup: circuit open after %d failures in a row: %w", c.failures,
		&voximplant.Error{Kind: c.kind, RetryAfter: left})
}
