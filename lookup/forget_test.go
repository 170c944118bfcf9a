package lookup_test

import (
	"context"
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

// TestForget: the next who asks gets what upstream says then, whether a copy,
// an absence or nothing was known.
func TestForget(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{"copy": "before", "absence": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s upstream
				if before != "" {
					s.put(before, time.Hour)
				}
				l := s.lookup(t, nil)
				find(t, l, "a", before, lookup.FromUpstream)
				find(t, l, "b", before, lookup.FromUpstream)
				s.put("after", time.Hour)
				l.Forget("a")
				find(t, l, "a", "after", lookup.FromUpstream)
				find(t, l, "a", "after", lookup.FromCache)
				find(t, l, "b", before, lookup.FromCache) // another key is not concerned
				l.Forget("never asked for")
			})
		})
	}
}

// TestForgottenIsNoStandIn: what was forgotten does not come back when upstream fails.
func TestForgottenIsNoStandIn(t *testing.T) {
	t.Parallel()
	var s upstream
	s.put("before", time.Hour)
	l := s.lookup(t, nil)
	find(t, l, "a", "before", lookup.FromUpstream)
	l.Forget("a")
	s.err = errDown
	if a, err := l.Item(t.Context(), "a"); a.Item != nil || err == nil {
		t.Errorf("Item = %+v, %v; want the failure", a, err)
	}
}

// TestForgetOvertakesQuestions: a question asked before and answered after
// brings its own caller what it brings, and is not kept.
func TestForgetOvertakesQuestions(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]*voximplant.KeyValueItem{"item": item("before"), "nothing": nil, "unknown end": {Key: "a", Value: "before"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				arrive := make(chan bool)
				l := newLookup(t, func(c *lookup.Config) {
					c.Fetch = firstWaits(func(context.Context) (*voximplant.KeyValueItem, error) {
						<-arrive
						return late, nil
					})
				})
				waiting := ask(t.Context(), l)
				synctest.Wait()
				l.Forget("a")
				close(arrive)
				synctest.Wait()
				if late != nil && (waiting.err != nil || waiting.Item == nil || waiting.Item.Value != "before") {
					t.Errorf("the waiting caller got %+v; want its own answer", waiting)
				}
				find(t, l, "a", "after", lookup.FromUpstream)
				find(t, l, "a", "after", lookup.FromCache)
			})
		})
	}
}

// firstWaits is an upstream that first answers what wait returns, and "after" from then on.
func firstWaits(wait func(context.Context) (*voximplant.KeyValueItem, error)) func(context.Context, string) (*voximplant.KeyValueItem, error) {
	var asked atomic.Int32
	return func(ctx context.Context, _ string) (*voximplant.KeyValueItem, error) {
		if asked.Add(1) == 1 {
			return wait(ctx)
		}
		return item("after"), nil
	}
}

// notKept are items of which no copy is kept.
func notKept() map[string]*voximplant.KeyValueItem {
	return map[string]*voximplant.KeyValueItem{
		"unknown end": {Key: "a", Value: "written"},
		"huge value":  {Key: "a", Value: strings.Repeat("w", 8<<10+1), ExpiresAt: time.Now().Add(time.Hour)},
	}
}

// TestUnknownEndOvertakesQuestions is the same for answers to questions: of
// what came last no copy is kept, and none of what came before it either.
func TestUnknownEndOvertakesQuestions(t *testing.T) {
	t.Parallel()
	for name, last := range notKept() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				arrive := make(chan bool)
				var asked atomic.Int32
				l := newLookup(t, func(c *lookup.Config) {
					c.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) {
						if asked.Add(1) == 1 {
							<-arrive
							return item("before"), nil
						}
						return last, nil
					}
				})
				ask(t.Context(), l)
				time.Sleep(5 * time.Second)
				find(t, l, "a", last.Value, lookup.FromUpstream)
				close(arrive)
				synctest.Wait()
				find(t, l, "a", last.Value, lookup.FromUpstream)
			})
		})
	}
}

// TestEvictionLetsNoOldAnswerIn: what came before a write, or before a later
// answer, is not kept either when the cache has had to forget that since.
func TestEvictionLetsNoOldAnswerIn(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(t *testing.T, l *lookup.Lookup){
		"write": func(_ *testing.T, l *lookup.Lookup) { l.Forget("a") },
		"later answer": func(t *testing.T, l *lookup.Lookup) {
			time.Sleep(5 * time.Second) // the first question is overdue
			find(t, l, "a", "after", lookup.FromUpstream)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				arrive := make(chan bool)
				var asked atomic.Int32
				l := newLookup(t, func(c *lookup.Config) {
					c.MaxItems = 3
					c.Fetch = func(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
						switch {
						case strings.HasPrefix(key, "other"):
							return &voximplant.KeyValueItem{Key: key, ExpiresAt: time.Now().Add(time.Hour)}, nil
						case key != "a":
							return nil, voximplant.ErrNotFound
						case asked.Add(1) == 1:
							<-arrive
							return item("before"), nil
						}
						return item("after"), nil
					}
				})
				ask(t.Context(), l)
				synctest.Wait()
				after(t, l)
				for i := range 3 {
					find(t, l, fmt.Sprint("absent", i), "", lookup.FromUpstream)
					l.Item(t.Context(), fmt.Sprint("other", i))
				}
				close(arrive)
				synctest.Wait()
				find(t, l, "a", "after", lookup.FromUpstream)
			})
		})
	}
}

// TestForgetStartsNewQuestions: who asks after a write does not wait for the
// answer to a question from before it.
func TestForgetStartsNewQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookup(t, func(c *lookup.Config) {
			c.Fetch = firstWaits(func(ctx context.Context) (*voximplant.KeyValueItem, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
		})
		ask(t.Context(), l)
		synctest.Wait()
		l.Forget("a")
		if a := find(t, l, "a", "after", lookup.FromUpstream); a.UpstreamTime != 0 {
			t.Errorf("Item took %v; want no wait", a.UpstreamTime)
		}
		time.Sleep(5 * time.Second) // the end of the first question
	})
}

// TestForgetAndAskSideBySide is for the race detector. However writes and
// reads mix, what is read last is what was written last.
func TestForgetAndAskSideBySide(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	held := map[string]*voximplant.KeyValueItem{}
	l := newLookup(t, func(c *lookup.Config) {
		c.Fetch = func(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
			mu.Lock()
			defer mu.Unlock()
			if held[key] == nil {
				return nil, voximplant.ErrNotFound
			}
			return held[key], nil
		}
	})
	keys := []string{"a", "b", "c", "d", "e"}
	var all sync.WaitGroup
	for _, key := range keys {
		all.Go(func() { // the one writer of key
			for i := range 200 {
				written := &voximplant.KeyValueItem{Key: key, Value: fmt.Sprint(i), ExpiresAt: time.Now().Add(time.Hour)}
				if i%5 == 0 {
					written = nil
				}
				mu.Lock()
				held[key] = written
				mu.Unlock()
				l.Forget(key)
				a, err := l.Item(t.Context(), key)
				if written == nil && err == nil || written != nil && (err != nil || a.Item.Value != written.Value) {
					t.Errorf("Item(%s) = %+v, %v; want %v, which was just written", key, a.Item, err, written)
				}
			}
		})
		all.Go(func() {
			for range 500 {
				for _, key := range keys {
					l.Item(t.Context(), key)
				}
			}
		})
	}
	all.Wait()
}
