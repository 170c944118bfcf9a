package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// A failingUpstream can be made to fail, as a whole or for some keys, and has a Lookup in front.
type failingUpstream struct {
	*lookup.Lookup
	err   error            // for every key
	bad   map[string]error // for these keys
	asked map[string]int   // by key
}

func newFailingUpstream(t *testing.T) *failingUpstream {
	t.Helper()
	p := &failingUpstream{bad: map[string]error{}, asked: map[string]int{}}
	scope, err := lookup.ParseScope("*")
	if err != nil {
		t.Fatal(err)
	}
	p.Lookup, err = lookup.New(lookup.Config{
		Scope: scope, MaxItems: 10, Timeout: 5 * time.Second, StaleMaxAge: time.Hour,
		Fetch: func(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
			p.asked[key]++
			if err := errors.Join(p.err, p.bad[key]); err != nil {
				return nil, err
			}
			return &voximplant.KeyValueItem{Key: key, ExpiresAt: time.Now().Add(24 * time.Hour)}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
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

func TestFailingServiceOpensTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFailingUpstream(t)
		p.err = unavailable()
		err := p.fail(t, names("k", 100)...)
		if p.total() != 5 {
			t.Errorf("100 requests asked a failing upstream %d times; want 5", p.total())
		}
		waits(t, err, voximplant.KindUnavailable, time.Millisecond, 1500*time.Millisecond)
	})
}

// TestFailingKeyOpensItsCircuit: a key that fails again and again is soon not asked for any more,
// and no other key notices.
func TestFailingKeyOpensItsCircuit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFailingUpstream(t)
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
	synctest.Test(t, func(t *testing.T) {
		p := newFailingUpstream(t)
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

// TestAnswersBetweenFailures: the service is well as long as any question
// between the failures was answered.
func TestAnswersBetweenFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFailingUpstream(t)
		for i := range 50 {
			key := fmt.Sprint("bad", i)
			p.bad[key] = unavailable()
			p.fail(t, key)
			if i%4 == 3 {
				p.succeed(t, fmt.Sprint("good", i))
			}
		}
		if p.total() != 62 {
			t.Errorf("62 requests asked %d times; want each", p.total())
		}
	})
}

// TestCooldownsGrow: in ten minutes of outage upstream is asked about every half
// minute, for one key as for many, and the first good answer ends it.
func TestCooldownsGrow(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]int{"one key": 1, "many keys": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newFailingUpstream(t)
				p.err = &voximplant.Error{Kind: voximplant.KindThrottled}
				for i := range 6000 {
					p.fail(t, fmt.Sprint("k", i%keys))
					time.Sleep(100 * time.Millisecond)
				}
				// A second key tries at once after a trial has failed.
				if most := (5 + 6 + 600/30) * min(keys, 2); p.total() < 5+600/30-2 || p.total() > most {
					t.Errorf("in ten minutes of outage it was asked %d times; want 23 to %d", p.total(), most)
				}
				p.err = nil
				time.Sleep(31 * time.Second)
				for range 3 {
					for _, key := range names("k", min(keys, 7)) {
						p.succeed(t, key)
					}
				}
			})
		})
	}
}

// TestOneTries: when a cooldown is over, one question tries for all, and if it
// hangs another does after the next cooldown.
func TestOneTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFailingUpstream(t)
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

// TestFailingKeyAsTrial: a key that always fails may be the trial after a
// cooldown, and still the service is found to be well by the next key.
func TestFailingKeyAsTrial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFailingUpstream(t)
		p.err = unavailable()
		p.fail(t, names("k", 5)...)
		p.bad["bad"] = p.err
		for range 6 { // the cooldown grows to 30 s
			time.Sleep(30 * time.Second)
			p.fail(t, "bad", "k0", "k1", "k2")
		}
		p.err = nil
		time.Sleep(30 * time.Second)
		p.fail(t, "bad")
		p.succeed(t, "k3")
		p.succeed(t, "k4")
		p.fail(t, "bad")
		p.succeed(t, "k0")
	})
}

// TestTwoTrials: a failed trial lets one other key try, and no third.
func TestTwoTrials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFailingUpstream(t)
		p.err = unavailable()
		p.fail(t, names("k", 5)...)
		for range 3 {
			time.Sleep(30 * time.Second)
			asked := p.total()
			p.fail(t, names("new", 20)...)
			if p.total() != asked+2 {
				t.Errorf("after a cooldown 20 keys were asked for %d times; want 2", p.total()-asked)
			}
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

// TestOnlyAnswersProveHealth: an error that says nothing of the service does not
// hide that it fails.
func TestOnlyAnswersProveHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFailingUpstream(t)
		for i := range 10 {
			p.err = unavailable()
			p.fail(t, fmt.Sprint("k", i))
			p.err = &voximplant.Error{Kind: voximplant.KindMalformed}
			p.fail(t, "k")
		}
		if p.total() != 5+4 {
			t.Errorf("10 failures with other errors between asked %d times; want 9", p.total())
		}
	})
}

// TestCopiesServeMeanwhile: a cooldown of upstream is none of the copies.
func TestCopiesServeMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFailingUpstream(t)
		p.succeed(t, "k")
		p.err = unavailable()
		for range 20 {
			if a, err := p.Item(t.Context(), "k"); err != nil || a.Source != lookup.FromStaleCache {
				t.Fatalf("Item = %v, %v; want the old copy", a.Source, err)
			}
		}
		if p.asked["k"] != 1+5 {
			t.Errorf("asked %d times; want 6", p.asked["k"])
		}
	})
}

// TestCooldownIsOfItsKind: who is told to wait is told why, and as long as the
// API asked, up to a limit.
func TestCooldownIsOfItsKind(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{20 * time.Second: 20 * time.Second, 1<<63 - 1: 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := newFailingUpstream(t)
			p.err = &voximplant.Error{Kind: voximplant.KindThrottled, RetryAfter: asked}
			p.fail(t, names("k", 5)...)
			waits(t, p.fail(t, "k"), voximplant.KindThrottled, want, want)
			if p.total() != 5 {
				t.Errorf("asked %d times; want 5", p.total())
			}
		})
	}
}
