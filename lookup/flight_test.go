package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// A result is what Item returned, and when.
type result struct {
	lookup.Answer
	err  error
	took time.Duration
}

// ask starts a call of Item whose result is there once it has returned.
func ask(ctx context.Context, l *lookup.Lookup) *result {
	r := new(result)
	start := time.Now()
	go func() {
		r.Answer, r.err = l.Item(ctx, "a")
		r.took = time.Since(start)
	}()
	return r
}

func item(value string) *voximplant.KeyValueItem {
	return &voximplant.KeyValueItem{Key: "a", Value: value, ExpiresAt: time.Now().Add(time.Hour)}
}

// slow answers with the calls' number after delay, as long as its context allows.
func slow(delay time.Duration, calls *atomic.Int32) func(context.Context, string) (*voximplant.KeyValueItem, error) {
	return func(ctx context.Context, _ string) (*voximplant.KeyValueItem, error) {
		n := calls.Add(1)
		select {
		case <-time.After(delay):
			return item(string(rune('0' + n))), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func TestConcurrentCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		l := newLookup(t, func(c *lookup.Config) { c.Fetch = slow(time.Second, &calls) })
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if a, err := l.Item(t.Context(), "a"); err != nil || a.Item.Value != "1" || a.Source != lookup.FromUpstream {
					t.Errorf("Item = %+v, %v; want the one answer from upstream", a, err)
				}
			})
		}
		callers.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("upstream was asked %d times; want 1", n)
		}
	})
}

// TestCallersAtTheEndOfAFetch: who finds no copy just before there is one asks
// for no other.
func TestCallersAtTheEndOfAFetch(t *testing.T) {
	t.Parallel()
	const keys, callers = 5000, 8
	var calls atomic.Int32
	l := newLookup(t, func(c *lookup.Config) {
		c.Fetch = func(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
			calls.Add(1)
			return &voximplant.KeyValueItem{Key: key, ExpiresAt: time.Now().Add(time.Hour)}, nil
		}
	})
	for i := range keys {
		var asking sync.WaitGroup
		for range callers {
			asking.Go(func() {
				if _, err := l.Item(t.Context(), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
	}
	if n := calls.Load(); n != keys {
		t.Errorf("upstream was asked %d times for %d keys", n, keys)
	}
}

func TestKeysDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookup(t, func(c *lookup.Config) {
			c.Fetch = func(ctx context.Context, key string) (*voximplant.KeyValueItem, error) {
				if key == "a" {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return item("v"), nil
			}
		})
		hanging := ask(t.Context(), l)
		synctest.Wait()
		if a := find(t, l, "b", "v", lookup.FromUpstream); a.UpstreamTime != 0 {
			t.Errorf("Item(b) took %v; want nothing", a.UpstreamTime)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if hanging.err == nil {
			t.Error("Item(a) = _, nil; want an error")
		}
	})
}

func TestCancelledCallerLeavesTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		l := newLookup(t, func(c *lookup.Config) { c.Fetch = slow(3*time.Second, &calls) })
		ctx, cancel := context.WithCancel(t.Context())
		first := ask(ctx, l) // whose context the question starts from
		synctest.Wait()
		other := ask(t.Context(), l)
		time.Sleep(time.Second)
		cancel()
		synctest.Wait()
		if !errors.Is(first.err, context.Canceled) || first.took != time.Second || first.Source != lookup.FromNowhere {
			t.Errorf("cancelled: %+v; want context.Canceled at once, from nowhere", first)
		}
		later := ask(t.Context(), l)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for name, r := range map[string]*result{"other": other, "later": later} {
			if r.err != nil || r.Item == nil || r.Item.Value != "1" {
				t.Errorf("%s caller: %+v; want the answer to the first question", name, r)
			}
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("upstream was asked %d times; want 1", n)
		}
	})
}

func TestDeadlineOfOneCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		l := newLookup(t, func(c *lookup.Config) { c.Fetch = slow(4*time.Second, &calls) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		hurried, patient := ask(ctx, l), ask(t.Context(), l)
		time.Sleep(time.Second)
		synctest.Wait()
		if !errors.Is(hurried.err, context.DeadlineExceeded) || hurried.took != time.Second {
			t.Errorf("hurried caller: %+v; want its deadline's error after 1s", hurried)
		}
		next := ask(t.Context(), l) // waits for the same answer
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for name, r := range map[string]*result{"patient": patient, "next": next} {
			if r.err != nil || r.Item == nil || r.Item.Value != "1" || r.Age != 4*time.Second {
				t.Errorf("%s caller: %+v; want the answer to the first question, 4s old", name, r)
			}
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("upstream was asked %d times; want 1", n)
		}
	})
}

// TestHurriedCallers: callers who wait less long than the answer takes share one
// question, whether they come together or one after the other.
func TestHurriedCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		l := newLookup(t, func(c *lookup.Config) { c.Fetch = slow(2*time.Second, &calls) })
		for range 30 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			together, _ := ask(ctx, l), ask(ctx, l)
			if _, err := l.Item(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Item = _, %v; want the caller's deadline", err)
			}
			synctest.Wait()
			if !errors.Is(together.err, context.DeadlineExceeded) {
				t.Errorf("Item = _, %v; want the caller's deadline", together.err)
			}
			cancel()
		}
		time.Sleep(2 * time.Second)
		if find(t, l, "a", "1", lookup.FromCache); calls.Load() != 1 {
			t.Errorf("upstream was asked %d times; want 1", calls.Load())
		}
	})
}

// TestOverdueQuestion: a question that should have ended long ago, as after a
// freeze, keeps nobody waiting.
func TestOverdueQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		thaw := make(chan bool)
		l := newLookup(t, func(c *lookup.Config) {
			c.Fetch = firstWaits(func(context.Context) (*voximplant.KeyValueItem, error) {
				<-thaw
				return item("before"), nil
			})
		})
		frozen := ask(t.Context(), l)
		time.Sleep(time.Minute)
		find(t, l, "a", "after", lookup.FromUpstream)
		close(thaw)
		synctest.Wait()
		if frozen.err != nil || frozen.Item.Value != "before" || frozen.Age != time.Minute {
			t.Errorf("the first caller got %+v; want its answer, a minute old", frozen)
		}
		find(t, l, "a", "after", lookup.FromCache)
	})
}

func TestDeadlineWithACopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hang bool
		l := newLookup(t, func(c *lookup.Config) {
			c.Fetch = func(ctx context.Context, _ string) (*voximplant.KeyValueItem, error) {
				if hang {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return item("v"), nil
			}
		})
		find(t, l, "a", "v", lookup.FromUpstream)
		time.Sleep(10 * time.Second)
		hang = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a, err := l.Item(ctx, "a")
		if err != nil || a.Source != lookup.FromStaleCache || !errors.Is(a.UpstreamErr, context.DeadlineExceeded) || a.UpstreamTime != time.Second {
			t.Errorf("Item = %+v, %v; want the older copy, for the deadline passed after 1s", a, err)
		}
		time.Sleep(5 * time.Second)
	})
}

func TestTimeoutBoundsFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		l := newLookup(t, func(c *lookup.Config) { c.Fetch = slow(time.Hour, &calls) })
		a, err := l.Item(t.Context(), "a")
		if !errors.Is(err, context.DeadlineExceeded) || a.UpstreamTime != 5*time.Second || a.Source != lookup.FromNowhere {
			t.Errorf("Item = %+v, %v; want a deadline's error after 5s, from nowhere", a, err)
		}
	})
}

func TestFetchSeesTheCallersValues(t *testing.T) {
	t.Parallel()
	type traceKey struct{}
	var got any
	l := newLookup(t, func(c *lookup.Config) {
		c.Fetch = func(ctx context.Context, _ string) (*voximplant.KeyValueItem, error) {
			got = ctx.Value(traceKey{})
			return item("v"), nil
		}
	})
	if _, err := l.Item(context.WithValue(t.Context(), traceKey{}, "trace"), "a"); err != nil || got != "trace" {
		t.Errorf("Fetch saw %v, err = %v; want the value of the caller's context", got, err)
	}
}

// TestOvertakenAnswer lets a question hang, be given up, and be answered after
// a later one: what it brings is older than the copy there is.
func TestOvertakenAnswer(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]*voximplant.KeyValueItem{
		"an item":   {Key: "a", Value: "before", ExpiresAt: time.Now().Add(time.Hour)},
		"no item":   nil,
		"no expiry": {Key: "a", Value: "before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				arrive := make(chan bool)
				var calls atomic.Int32
				l := newLookup(t, func(c *lookup.Config) {
					c.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) {
						if calls.Add(1) == 1 {
							<-arrive
							return late, nil
						}
						return item("after"), nil
					}
				})
				ask(t.Context(), l)
				time.Sleep(5 * time.Second)
				find(t, l, "a", "after", lookup.FromUpstream)
				close(arrive)
				synctest.Wait()
				find(t, l, "a", "after", lookup.FromCache)
			})
		})
	}
}

// TestAnswerReadAfterAFreeze lets an answer wait unread: it is as old as its
// question, whatever the time at which it was read.
func TestAnswerReadAfterAFreeze(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		thaw := make(chan bool)
		var calls atomic.Int32
		l := newLookup(t, func(c *lookup.Config) {
			c.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) {
				if calls.Add(1) == 1 {
					<-thaw
					return item("before"), nil
				}
				return nil, errDown
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ask(ctx, l)
		time.Sleep(time.Minute)
		close(thaw)
		synctest.Wait()
		if a, err := l.Item(t.Context(), "a"); !errors.Is(err, errDown) || a.Item != nil {
			t.Errorf("Item = %+v, %v; want %v: the answer is a minute old", a, err, errDown)
		}
	})
}
