package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// TestConcurrentCallersShareOneFetch is E5-23 of docs/http-statements.md.
func TestConcurrentCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := upstream{delay: time.Second}
		s.put("v", time.Hour)
		l := s.lookup(t, nil)
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if a, err := l.Item(t.Context(), "a"); err != nil || a.Item.Value != "v" || a.Source != lookup.FromUpstream {
					t.Errorf("Item = %+v, %v; want the one answer from upstream", a, err)
				}
			})
		}
		callers.Wait()
		if n := s.asked.Load(); n != 1 {
			t.Errorf("upstream was asked %d times; want 1", n)
		}
	})
}

// TestCallerAtTheEndOfAFetch: who finds no copy just before there is one asks for no other.
func TestCallerAtTheEndOfAFetch(t *testing.T) {
	t.Parallel()
	var s upstream
	s.put("v", time.Hour)
	c := &clock{time: time.Now()}
	l := s.lookup(t, func(config *lookup.Config) { config.Now = c.now })
	c.whenRead = func() { find(t, l, "a", "v", lookup.FromUpstream) } // the other caller has looked into the cache
	if find(t, l, "a", "v", lookup.FromUpstream); s.asked.Load() != 1 {
		t.Errorf("upstream was asked %d times; want 1", s.asked.Load())
	}
}

// TestCallersWhoLeave leave the fetch to the others, who came before or come after.
func TestCallersWhoLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := upstream{delay: 4 * time.Second}
		s.put("v", time.Hour)
		l := s.lookup(t, nil)
		ctx, leave := context.WithCancel(t.Context())
		first := ask(ctx, l) // whose context the fetch starts from
		synctest.Wait()
		other := ask(t.Context(), l)
		time.Sleep(time.Second)
		leave()
		synctest.Wait()
		if !errors.Is(first.err, context.Canceled) || first.took != time.Second || first.Source != lookup.FromNowhere {
			t.Errorf("the caller who leaves: %+v; want %v at once, from nowhere", first, context.Canceled)
		}
		later := ask(t.Context(), l)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for name, r := range map[string]*result{"other": other, "later": later} {
			if r.err != nil || r.Item == nil || r.Age != 4*time.Second {
				t.Errorf("%s caller: %+v; want the answer to the first question, 4s old", name, r)
			}
		}
		if n := s.asked.Load(); n != 1 {
			t.Errorf("upstream was asked %d times; want 1", n)
		}
	})
}

// TestHurriedCallers: callers who wait less long than the answer takes share one
// question, one after the other.
func TestHurriedCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := upstream{delay: 2 * time.Second}
		s.put("v", time.Hour)
		l := s.lookup(t, nil)
		for range 30 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if _, err := l.Item(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Item = _, %v; want the caller's deadline", err)
			}
			cancel()
		}
		time.Sleep(2 * time.Second)
		if find(t, l, "a", "v", lookup.FromCache); s.asked.Load() != 1 {
			t.Errorf("upstream was asked %d times; want 1", s.asked.Load())
		}
	})
}

func TestDeadlineWithACopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		s.put("v", time.Hour)
		l := s.lookup(t, nil)
		find(t, l, "a", "v", lookup.FromUpstream)
		time.Sleep(10 * time.Second)
		s.delay = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a, err := l.Item(ctx, "a")
		if err != nil || a.Source != lookup.FromStaleCache || !errors.Is(a.UpstreamErr, context.DeadlineExceeded) || a.UpstreamTime != time.Second {
			t.Errorf("Item = %+v, %v; want the older copy, for the deadline passed after 1s", a, err)
		}
		time.Sleep(5 * time.Second) // the end of the question
	})
}

// TestNobodyWaitsForAnotherQuestion: neither who asks for another key nor who asks after a write waits for a question
// that hangs, and Timeout ends that.
func TestNobodyWaitsForAnotherQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookup(t, func(c *lookup.Config) {
			c.Fetch = firstWaits(func(ctx context.Context) (*voximplant.KeyValueItem, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}, item("after"))
		})
		hanging := ask(t.Context(), l)
		synctest.Wait()
		l.Forget("a")
		for _, key := range []string{"a", "b"} {
			if a := find(t, l, key, "after", lookup.FromUpstream); a.UpstreamTime != 0 {
				t.Errorf("Item(%q) took %v; want no wait", key, a.UpstreamTime)
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !errors.Is(hanging.err, context.DeadlineExceeded) || hanging.UpstreamTime != 5*time.Second || hanging.Source != lookup.FromNowhere {
			t.Errorf("the question that hangs: %+v; want a deadline's error after 5s, from nowhere", hanging)
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

// firstWaits is an upstream that first answers what wait returns, and then from then on.
// Under keys other than a it has items and absences.
func firstWaits(wait func(context.Context) (*voximplant.KeyValueItem, error), then *voximplant.KeyValueItem) func(context.Context, string) (*voximplant.KeyValueItem, error) {
	var asked atomic.Int32
	return func(ctx context.Context, key string) (*voximplant.KeyValueItem, error) {
		switch {
		case strings.HasPrefix(key, "absent"):
			return nil, voximplant.ErrNotFound
		case key == "a" && asked.Add(1) == 1:
			return wait(ctx)
		}
		return then, nil
	}
}

// TestOvertakenAnswer lets a question hang, and be answered after a later one or
// after a write. What it brings is older than what is known by then: its own caller
// gets it, and nobody else, even if no copy is kept of the later answer.
func TestOvertakenAnswer(t *testing.T) {
	t.Parallel()
	before, after, endless := item("before"), item("after"), &voximplant.KeyValueItem{Key: "a", Value: "endless"}
	huge := item(strings.Repeat("w", 8<<10+1))
	for _, row := range []struct {
		name          string
		late, then    *voximplant.KeyValueItem
		write, evicts bool
		source        lookup.Source // of what is found when the late answer is there
	}{
		{"an item after an answer", before, after, false, false, lookup.FromCache},
		{"no item after an answer", nil, after, false, false, lookup.FromCache},
		{"no expiry after an answer", endless, after, false, false, lookup.FromCache},
		{"an item after one without expiry", before, endless, false, false, lookup.FromUpstream},
		{"an item after a huge one", before, huge, false, false, lookup.FromUpstream},
		{"an item after an answer that was evicted", before, after, false, true, lookup.FromUpstream},
		{"an item after a write", before, after, true, false, lookup.FromUpstream},
		{"no item after a write", nil, after, true, false, lookup.FromUpstream},
		{"no expiry after a write", endless, after, true, false, lookup.FromUpstream},
		{"an item after a write that was evicted", before, after, true, true, lookup.FromUpstream},
	} {
		inBubble(t, row.name, func(t *testing.T) {
			arrive := make(chan bool)
			l := newLookup(t, func(c *lookup.Config) {
				c.MaxItems = 3
				c.Fetch = firstWaits(func(context.Context) (*voximplant.KeyValueItem, error) {
					<-arrive
					return row.late, nil
				}, row.then)
			})
			waiting := ask(t.Context(), l)
			synctest.Wait()
			if row.write {
				l.Forget("a")
			} else {
				time.Sleep(time.Minute) // the question is overdue, as after a freeze, and keeps nobody waiting
				find(t, l, "a", row.then.Value, lookup.FromUpstream)
			}
			for i := range 3 {
				if row.evicts {
					find(t, l, fmt.Sprint("absent", i), "", lookup.FromUpstream)
					find(t, l, fmt.Sprint("other", i), row.then.Value, lookup.FromUpstream)
				}
			}
			close(arrive)
			synctest.Wait()
			if waiting.Item != row.late || waiting.Age != waiting.took || (waiting.err == nil) != (row.late != nil) {
				t.Errorf("the first caller got %+v; want its own answer, as old as its question", waiting)
			}
			find(t, l, "a", row.then.Value, row.source)
			if row.then == after {
				find(t, l, "a", "after", lookup.FromCache)
			}
		})
	}
}

// TestAnswerReadAfterAFreeze lets an answer wait unread: it is as old as its
// question, whatever the time at which it was read.
func TestAnswerReadAfterAFreeze(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := upstream{delay: time.Minute}
		s.put("before", time.Hour)
		l := s.lookup(t, func(c *lookup.Config) { c.Timeout = time.Hour })
		ask(t.Context(), l)
		time.Sleep(time.Minute)
		synctest.Wait()
		s.err, s.delay = errDown, 0
		if a, err := l.Item(t.Context(), "a"); !errors.Is(err, errDown) || a.Item != nil {
			t.Errorf("Item = %+v, %v; want %v: the answer is a minute old", a, err, errDown)
		}
	})
}
