package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// A failingUpstream can be made to fail, as a whole or for some keys, and has a Lookup in front.
type failingUpstream struct {
	*lookup.Lookup
	err error            // for every key
	bad map[string]error // for these keys

	mu    sync.Mutex
	asked map[string]int // by key
}

func newFailingUpstream(t *testing.T) *failingUpstream {
	t.Helper()
	p := &failingUpstream{bad: map[string]error{}, asked: map[string]int{}}
	p.Lookup = newLookup(t, func(c *lookup.Config) {
		c.LocalMaxAge, c.StaleMaxAge, c.MaxItems = 0, time.Hour, 10
		c.Fetch = func(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.asked[key]++
			if err := errors.Join(p.err, p.bad[key]); err != nil {
				return nil, err
			}
			return &voximplant.KeyValueItem{Key: key, ExpiresAt: time.Now().Add(24 * time.Hour)}, nil
		}
	})
	return p
}

// whenUpstreamFails gives test a bubble, in which nothing takes real time, and an upstream.
func whenUpstreamFails(t *testing.T, test func(t *testing.T, p *failingUpstream)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newFailingUpstream(t)) })
}

// fail asks for each of keys, which must not succeed, and returns the last error.
func (p *failingUpstream) fail(t *testing.T, keys ...string) (err error) {
	t.Helper()
	for _, key := range keys {
		if _, err = p.Item(t.Context(), key); err == nil {
			t.Fatalf("Item(%q) succeeded while upstream fails", key)
		}
	}
	return err
}

// succeed asks for key, whose item must come from upstream.
func (p *failingUpstream) succeed(t *testing.T, key string) {
	t.Helper()
	asked := p.asked[key]
	if _, err := p.Item(t.Context(), key); err != nil || p.asked[key] != asked+1 {
		t.Fatalf("Item(%q) = _, %v, asked %d times; want it asked once more than %d", key, err, p.asked[key], asked)
	}
}

func (p *failingUpstream) total() (n int) {
	for _, asked := range p.asked {
		n += asked
	}
	return n
}

func names(prefix string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprint(prefix, i))
	}
	return keys
}

func unavailable() error { return &voximplant.Error{Kind: voximplant.KindUnavailable, Status: 503} }

// waits checks that err says to wait, because of a failure of that kind.
func waits(t *testing.T, err error, kind voximplant.Kind, least, most time.Duration) {
	t.Helper()
	failed, ok := errors.AsType[*voximplant.Error](err)
	if !ok || failed.Kind != kind || failed.RetryAfter < least || failed.RetryAfter > most {
		t.Errorf("the error is %+v (%v); want %s, with %v to %v to wait", failed, err, kind, least, most)
	}
}

// TestFailingServiceOpensTheBreaker: once five keys have failed none is asked for. Who is told to wait is told why, and
// as long as the API asked, up to a limit.
func TestFailingServiceOpensTheBreaker(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		failure     voximplant.Error
		least, most time.Duration
	}{
		{voximplant.Error{Kind: voximplant.KindUnavailable}, time.Second, 1500 * time.Millisecond},
		{voximplant.Error{Kind: voximplant.KindThrottled, RetryAfter: 20 * time.Second}, 20 * time.Second, 20 * time.Second},
		{voximplant.Error{Kind: voximplant.KindThrottled, RetryAfter: 1<<63 - 1}, 30 * time.Second, 30 * time.Second},
	} {
		whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
			p.err = &tt.failure
			waits(t, p.fail(t, names("k", 100)...), tt.failure.Kind, tt.least, tt.most)
			if p.total() != 5 {
				t.Errorf("100 requests asked a failing upstream %d times; want 5", p.total())
			}
		})
	}
}

// TestFailingKeyOpensItsCircuit: a key that fails again and again is soon not asked for any more,
// and no other key notices.
func TestFailingKeyOpensItsCircuit(t *testing.T) {
	t.Parallel()
	whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
		p.bad["bad"] = unavailable()
		for range 100 {
			waits(t, p.fail(t, "bad"), voximplant.KindUnavailable, 0, 1500*time.Millisecond)
		}
		if p.asked["bad"] != 5 {
			t.Errorf("100 requests for a failing key asked %d times; want 5", p.asked["bad"])
		}
		for i := range 20 {
			p.succeed(t, fmt.Sprint("good", i))
			p.fail(t, "bad")
		}
		p.bad = nil
		time.Sleep(2 * time.Second)
		p.succeed(t, "bad")
	})
}

// TestKeysOfOneBatch: keys that hang together are one failure, however many
// they are, and whatever hangs is given up by the time limit.
func TestKeysOfOneBatch(t *testing.T) {
	t.Parallel()
	whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
		p.Fetch = func(ctx context.Context, key string) (*voximplant.KeyValueItem, error) {
			if key == "good" {
				return nil, voximplant.ErrNotFound
			}
			<-ctx.Done()
			return nil, &voximplant.Error{Kind: voximplant.KindUnavailable}
		}
		for range 4 { // four batches, and so four failures
			for _, key := range names("bad", 50) {
				go p.Item(t.Context(), key)
			}
			synctest.Wait()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if _, err := p.Item(t.Context(), "good"); !errors.Is(err, voximplant.ErrNotFound) {
				t.Fatalf("after 50 keys that hung: %v; want another key asked for", err)
			}
		}
	})
}

// TestBetweenFailures: the service is well as long as any question between the failures was answered. An error that
// says nothing of the service does not hide that it fails.
func TestBetweenFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		between error // nil for an answer
		every   int   // failures before each question between them
		want    int   // questions that upstream gets
	}{
		{nil, 4, 48 + 12},
		{&voximplant.Error{Kind: voximplant.KindMalformed}, 1, 5 + 4},
	} {
		whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
			for i := range 48 {
				p.err = unavailable()
				p.fail(t, fmt.Sprint("k", i))
				if i%tt.every == tt.every-1 {
					p.err = tt.between
					p.Item(t.Context(), "between")
				}
			}
			if p.total() != tt.want {
				t.Errorf("48 failures with %v between: %d questions; want %d", tt.between, p.total(), tt.want)
			}
		})
	}
}

// TestCooldownsGrow: in ten minutes of outage upstream is asked about every half
// minute, for one key as for many, and the first good answer ends it.
func TestCooldownsGrow(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]int{"one key": 1, "many keys": 1000} {
		inBubble(t, name, func(t *testing.T) {
			p := newFailingUpstream(t)
			p.err = &voximplant.Error{Kind: voximplant.KindThrottled}
			for i := range 6000 {
				p.fail(t, fmt.Sprint("k", i%keys))
				time.Sleep(100 * time.Millisecond)
			}
			if p.total() < 5+600/30 || p.total() > 5+6+600/20 {
				t.Errorf("in ten minutes of outage it was asked %d times; want 25 to 41", p.total())
			}
			p.err = nil
			time.Sleep(31 * time.Second)
			for range 3 {
				for _, key := range names("k", min(keys, 7)) {
					p.succeed(t, key)
				}
			}
		})
	}
}

// TestOneTries: when a cooldown is over, one question tries for all, and if it
// hangs another does after the next cooldown.
func TestOneTries(t *testing.T) {
	t.Parallel()
	whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
		p.err = unavailable()
		p.fail(t, names("k", 5)...)
		time.Sleep(1500 * time.Millisecond)
		hang := make(chan struct{})
		fetch := p.Fetch
		p.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) {
			<-hang
			return nil, voximplant.ErrNotFound
		}
		go p.Item(t.Context(), "first")
		synctest.Wait()
		p.Fetch = fetch
		waits(t, p.fail(t, "second"), voximplant.KindUnavailable, time.Millisecond, 1500*time.Millisecond)
		if p.asked["second"] != 0 {
			t.Error("beside a question that tries, another was asked")
		}
		p.err = nil
		time.Sleep(1500 * time.Millisecond)
		p.succeed(t, "third")
		close(hang)
		synctest.Wait()
		p.succeed(t, "fourth")
	})
}

// TestFailingKeysCloseNobodyOut: keys that always fail, however many and whoever
// comes first, keep a key that was answered before out for a minute at most.
func TestFailingKeysCloseNobodyOut(t *testing.T) {
	t.Parallel()
	always := map[string]error{
		"unavailable": unavailable(),
		"resent":      &voximplant.Error{Kind: voximplant.KindThrottled, Code: 484, Status: 200},
		"malformed":   &voximplant.Error{Kind: voximplant.KindMalformed, Status: 200},
		"failed":      &voximplant.Error{Kind: voximplant.KindFailed, Code: 13, Status: 200},
	}
	for name, err := range always {
		for _, bad := range []int{1, 6, 20} {
			if bad == 20 && name != "unavailable" {
				continue // the others open no circuit
			}
			t.Run(fmt.Sprint(name, " ", bad), func(t *testing.T) {
				t.Parallel()
				whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
					p.succeed(t, "good")
					p.err = unavailable()
					for _, key := range []string{"k0", "k1", "good", "k2", "k3"} { // an outage, over at once
						p.Item(t.Context(), key)
					}
					p.err = nil
					for _, key := range names("bad", bad) {
						p.bad[key] = err
					}
					refused := 0
					for range 3000 {
						p.fail(t, names("bad", bad)...)
						if a, _ := p.Item(t.Context(), "good"); a.Source != lookup.FromUpstream {
							refused++ // or answered from the cache, which is as bad
						}
						time.Sleep(100 * time.Millisecond)
					}
					if refused > 600 {
						t.Errorf("a good key was refused %d times of 3000", refused)
					}
				})
			})
		}
	}
}

// inOrder makes the calls for keys one at a time, in their order. Side by side, how many fail before one is answered
// would depend on the machine.
func inOrder(keys []string, item lookup.Func) lookup.Func {
	turns := map[string]chan struct{}{}
	for _, key := range keys {
		turns[key] = make(chan struct{})
	}
	close(turns[keys[0]])
	return func(ctx context.Context, key string) (lookup.Answer, error) {
		<-turns[key]
		if next := slices.Index(keys, key) + 1; next < len(keys) {
			defer close(turns[keys[next]])
		}
		return item(ctx, key)
	}
}

// TestRequestsFail: a request of many keys stops asking a service that fails, and
// counts as one failure, however long it takes.
func TestRequestsFail(t *testing.T) {
	t.Parallel()
	whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
		p.err = unavailable()
		for range 4 {
			lookup.Several(t.Context(), names("bad", 50), p.Item)
			time.Sleep(time.Minute) // the keys' own circuits are half-open again
		}
		if p.total() > 4*(5+8) {
			t.Errorf("4 requests of 50 keys asked a failing upstream %d times; want 13 each at most", p.total())
		}
		p.err = nil
		p.succeed(t, "good")
		fail := func(requests int) {
			p.err = unavailable()
			for i := range requests {
				keys := names(fmt.Sprintf("bad%d-%d-", requests, i), 50)
				lookup.Several(t.Context(), keys, inOrder(keys, p.Item))
			}
			p.err = nil
		}
		fail(4)
		p.succeed(t, "good")
		fail(5)
		waits(t, p.fail(t, "other"), voximplant.KindUnavailable, time.Millisecond, 1500*time.Millisecond)
	})
}

// TestRequestsAnswerInPart: keys that fail do not keep those of the same request
// from being asked for, as long as some are answered.
func TestRequestsAnswerInPart(t *testing.T) {
	t.Parallel()
	whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
		var keys []string
		for i := range 10 {
			p.bad[fmt.Sprint("bad", i)] = unavailable()
			keys = append(keys, fmt.Sprint("bad", i), fmt.Sprint("good", i))
		}
		for _, r := range lookup.Several(t.Context(), keys, inOrder(keys, p.Item)) {
			if good := strings.HasPrefix(r.Key, "good"); good != (r.Err == nil) {
				t.Errorf("%s: %v", r.Key, r.Err)
			}
		}
	})
}

// TestClockSetBackInAnOutage: failures count, and no cooldown lasts longer than it can.
func TestClockSetBackInAnOutage(t *testing.T) {
	t.Parallel()
	var behind time.Duration
	whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
		p.Now = func() time.Time { return time.Now().Add(-behind) }
		p.err = unavailable()
		p.fail(t, names("k", 3)...)
		behind = time.Hour
		p.fail(t, names("new", 20)...)
		if p.total() != 5 {
			t.Errorf("asked %d times; want 5, though the clock was set back between", p.total())
		}
		behind = 2 * time.Hour
		p.err = nil
		p.succeed(t, "other")
	})
}

// TestManyFailingKeys: what is known of failing keys is bounded, and forgotten at
// the next success.
func TestManyFailingKeys(t *testing.T) {
	t.Parallel()
	whenUpstreamFails(t, func(t *testing.T, p *failingUpstream) {
		p.err = unavailable()
		for range 5 { // opens the circuits of keys that fail, and of no other
			for i := range 900 {
				p.err = unavailable()
				p.fail(t, fmt.Sprint("k", i))
				p.err = nil
				p.succeed(t, fmt.Sprint("good", i))
				p.Forget(fmt.Sprint("good", i))
			}
		}
		asked := p.asked["k0"]
		waits(t, p.fail(t, "k0"), voximplant.KindUnavailable, time.Millisecond, 1500*time.Millisecond)
		if p.asked["k0"] != asked {
			t.Error("a key that failed five times in a row was asked for, beside 899 others")
		}
	})
}

// TestNoFailuresOfTheService: what is about one key, about our own key, or about
// what other sandboxes ask must not keep any key from being asked for.
func TestNoFailuresOfTheService(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		voximplant.ErrNotFound,
		&voximplant.Error{Kind: voximplant.KindMalformed},
		&voximplant.Error{Kind: voximplant.KindFailed},
		&voximplant.Error{Kind: voximplant.KindCredentials},
		&voximplant.Error{Kind: voximplant.KindConfiguration},
		&voximplant.Error{Kind: voximplant.KindThrottled, Code: 484, Repeat: true},
	} {
		p := newFailingUpstream(t)
		p.err = err
		p.fail(t, append(names("k", 50), names("k", 50)...)...)
		if p.total() != 100 {
			t.Errorf("%v: 100 requests asked %d times; want 100", err, p.total())
		}
	}
}
