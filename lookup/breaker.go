package lookup

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"voxkv/voximplant"
)

const (
	// tripAfter is how many failures in a row open a circuit.
	tripAfter = 5

	// firstCooldown and maxCooldown are the longest times that a circuit stays
	// open, at first and at last. Each failure after the first cooldown doubles
	// the time.
	firstCooldown = 1500 * time.Millisecond
	maxCooldown   = 30 * time.Second

	// headStart is how much earlier the trial may be made with a key that is in less
	// doubt than the others that were refused.
	headStart = time.Second

	// maxFailingKeys bounds the keys that are known to fail. A key beyond that is
	// only asked for more often.
	maxFailingKeys = 1024
)

// A breaker holds a circuit for the service and one for each failing key. A key
// that fails again and again opens its own circuit and no other. Different keys
// that fail in a row, asked for by different requests, open the circuit of the
// service, and then upstream is asked for no key.
//
// It goes by the wall clock, which the libraries for this do not: a sandbox may
// be frozen while upstream recovers.
type breaker struct {
	mu      sync.Mutex // guards what follows, and the requests' circuits
	keys    *lru.Cache[string, *circuit]
	service circuit

	// failingKeys are those that failed since the service's last success.
	failingKeys map[string]bool

	// leastDoubt is the least doubt of all keys that were refused since the service's
	// last trial: the best key for the next one.
	leastDoubt int
}

// A request is several keys that one caller asks for. Its circuit ends a request
// whose keys fail one after the other, and it counts once for the service.
type request struct{ circuit }

// requestKey is the context key of a *request.
type requestKey struct{}

func newBreaker() (*breaker, error) {
	keys, err := lru.New[string, *circuit](maxFailingKeys)
	return &breaker{keys: keys, failingKeys: map[string]bool{}, leastDoubt: math.MaxInt}, err
}

// allow returns nil if upstream may be asked for key, as part of r if that is not
// nil, and otherwise the error to answer with. After the cooldown a circuit is
// half-open: one fetch is the trial, and the others are refused until its outcome
// is known or another cooldown has passed. answered is whether upstream has ever
// answered for key, as far as is known.
func (b *breaker) allow(key string, answered bool, r *request, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r != nil && r.tripped() {
		return r.openError(0)
	}
	own, failed := b.keys.Get(key)
	if !failed {
		own = &circuit{}
	}
	if left := own.cooldownLeft(now); left > 0 {
		return own.openError(left)
	}
	doubt := own.doubt(answered)
	left := b.service.cooldownLeft(now)
	if left == 0 && doubt > b.leastDoubt {
		left = b.service.cooldownLeft(now.Add(-headStart))
	}
	if left > 0 {
		b.leastDoubt = min(b.leastDoubt, doubt)
		return b.service.openError(left)
	}
	b.leastDoubt = math.MaxInt
	b.service.beginTrial(now)
	own.beginTrial(now)
	return nil
}

// record takes the outcome of a fetch that began at fetchedAt, as part of r if
// that is not nil.
func (b *breaker) record(key string, r *request, fetchedAt, now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	failed, _ := errors.AsType[*voximplant.Error](err)
	switch {
	case isOutage(failed):
		b.recordFailure(key, r, fetchedAt, now, failed)
	case err == nil, errors.Is(err, voximplant.ErrNotFound), failed != nil && failed.Code != 0:
		b.recordSuccess(key, r)
	default: // an answer without sense, or upstream was not asked
		if b.service.tripped() {
			b.circuitOf(key).failures++ // the next trial is better made with another key
		}
	}
}

// recordFailure counts a failure for its key and its request. It counts for the
// service only if it is the first of its key since the last success, the first of
// its request, and if its fetch began after the last failure was known. So
// neither one key nor the keys of one request can open the service's circuit.
func (b *breaker) recordFailure(key string, r *request, fetchedAt, now time.Time, failed *voximplant.Error) {
	if own := b.circuitOf(key); !own.changedAfter(fetchedAt, now) {
		own.fail(now, failed)
	}
	counted := b.failingKeys[key]
	if r != nil {
		counted = counted || r.failures > 0
		r.fail(now, failed)
	}
	if len(b.failingKeys) < maxFailingKeys {
		b.failingKeys[key] = true
	}
	if !b.service.changedAfter(fetchedAt, now) && (!counted || b.service.tripped()) {
		b.service.fail(now, failed)
	}
}

// circuitOf returns the circuit of key, a new one if there is none.
func (b *breaker) circuitOf(key string) *circuit {
	own, ok := b.keys.Get(key)
	if !ok {
		own = &circuit{}
		b.keys.Add(key, own)
	}
	return own
}

// recordSuccess closes the circuits of the service and of key. Those of other keys
// stay as they are: if they closed too, keys that always fail could open the
// service's circuit again at once.
func (b *breaker) recordSuccess(key string, r *request) {
	b.keys.Remove(key)
	b.service = circuit{}
	clear(b.failingKeys)
	if r != nil {
		r.circuit = circuit{}
	}
}

// isOutage reports whether failed may be a failure of the service. An answer that
// makes no sense is none, nor is a refused service-account key, which auth by
// itself does not use again for some time. Nor is the API's detector of repeated
// requests, which other sandboxes have made.
func isOutage(failed *voximplant.Error) bool {
	return failed != nil && failed.Code != voximplant.CodeResend &&
		(failed.Kind == voximplant.KindThrottled || failed.Kind == voximplant.KindUnavailable)
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

// doubt says how likely a failure of the key of c is the key's own. The less of it a
// key has, the more a trial with that key tells of the service. A key that was never
// answered may be one that always fails, which counts as two failures.
func (c *circuit) doubt(answered bool) int {
	if answered {
		return c.failures
	}
	return c.failures + 2
}

// changedAfter reports whether c has changed since fetchedAt: the outcome of a
// fetch that began before that is no news. A change that lies in the future, as
// after the clock was set back, is not counted.
func (c *circuit) changedAfter(fetchedAt, now time.Time) bool {
	return fetchedAt.Before(c.changedAt) && !c.changedAt.After(now)
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
// together from trying again together, at the longest cooldown too.
func (c *circuit) coolDown(now time.Time, atLeast time.Duration) {
	doublings := min(max(c.failures-tripAfter, 0), 10)
	longest := min(firstCooldown<<doublings, maxCooldown)
	c.openUntil = now.Add(min(max(longest-rand.N(longest/3), atLeast), maxCooldown))
}

// openError has the kind of the last failure, and asks the caller to wait for
// what is left of the cooldown.
func (c *circuit) openError(left time.Duration) error {
	return fmt.Errorf("lookup: circuit open after %d failures in a row: %w", c.failures,
		&voximplant.Error{Kind: c.kind, RetryAfter: left})
}
