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

func TestLearnReplacesTheCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s storage
		s.put("before", time.Hour)
		l := s.lookup(t, nil)
		find(t, l, "a", "before", lookup.FromUpstream)
		l.Learn("a", time.Now(), item("after"))
		find(t, l, "a", "after", lookup.FromCopy)
		find(t, l, "b", "before", lookup.FromUpstream) // another key is not concerned
		time.Sleep(10*time.Second - 1)
		find(t, l, "a", "after", lookup.FromCopy)
		time.Sleep(time.Nanosecond)
		find(t, l, "a", "before", lookup.FromUpstream)
		if s.asked != 3 {
			t.Errorf("upstream was asked %d times; want 3", s.asked)
		}
	})
}

// TestLearnWithoutACopy: a key that was absent, or never asked for.
func TestLearnWithoutACopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s storage
		l := s.lookup(t, nil)
		find(t, l, "a", "", lookup.FromUpstream)
		for _, key := range []string{"a", "b"} {
			l.Learn(key, time.Now(), item("v"))
			find(t, l, key, "v", lookup.FromCopy)
		}
	})
}

// TestLearnDeletion is remembered as absence is: for NotFoundMaxAge, and not where upstream fails.
func TestLearnDeletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s storage
		s.put("v", time.Hour)
		l := s.lookup(t, nil)
		find(t, l, "a", "v", lookup.FromUpstream)
		l.Learn("a", time.Now(), nil)
		find(t, l, "a", "", lookup.FromCopy)
		time.Sleep(5*time.Second - 1)
		find(t, l, "a", "", lookup.FromCopy)
		time.Sleep(time.Nanosecond)
		s.err = errDown
		if a, err := l.Item(t.Context(), "a"); !errors.Is(err, errDown) || a.Source != lookup.FromNowhere {
			t.Errorf("Item = %+v, %v; want %v: what was deleted stands in for nothing", a, err, errDown)
		}
	})
}

// TestLearnedAge: an answer that took its time may be as old as the write's beginning.
func TestLearnedAge(t *testing.T) {
	t.Parallel()
	for name, learned := range map[string]func() *voximplant.KeyValueItem{
		"item":     func() *voximplant.KeyValueItem { return item("v") },
		"deletion": func() *voximplant.KeyValueItem { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s storage
				l := s.lookup(t, nil)
				since := time.Now()
				time.Sleep(4 * time.Second)
				known := learned()
				l.Learn("a", since, known)
				value := ""
				if known != nil {
					value = known.Value
				}
				if a := find(t, l, "a", value, lookup.FromCopy); a.Age != 4*time.Second {
					t.Errorf("Age = %v; want 4s", a.Age)
				}
				time.Sleep(6 * time.Second) // for an item the last moment, for absence beyond it
				find(t, l, "a", "", lookup.FromUpstream)
			})
		})
	}
}

// TestLearnedEnd: the stricter clock decides of a learned item as of any other.
func TestLearnedEnd(t *testing.T) {
	t.Parallel()
	for ahead, left := range map[time.Duration]time.Duration{
		0: 8 * time.Second, 3 * time.Second: 5 * time.Second, -3 * time.Second: 8 * time.Second, 2 * time.Hour: 8 * time.Second,
	} {
		t.Run(fmt.Sprint("API ahead ", ahead), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s storage
				l := s.lookup(t, nil)
				l.Learn("a", time.Now(), &voximplant.KeyValueItem{
					Key: "a", Value: "v", ExpiresAt: time.Now().Add(8 * time.Second), Date: time.Now().Add(ahead),
				})
				if a := find(t, l, "a", "v", lookup.FromCopy); a.Left != left || a.Ahead != ahead {
					t.Errorf("Left = %v, Ahead = %v; want %v, %v", a.Left, a.Ahead, left, ahead)
				}
				time.Sleep(left - 1)
				find(t, l, "a", "v", lookup.FromCopy)
				time.Sleep(time.Nanosecond)
				find(t, l, "a", "", lookup.FromUpstream)
			})
		})
	}
}

// TestLearnEnded: an item that is over when it is learned is absent.
func TestLearnEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s storage
		s.put("v", time.Hour)
		l := s.lookup(t, nil)
		l.Learn("a", time.Now(), &voximplant.KeyValueItem{Key: "a", Value: "w", ExpiresAt: time.Now()})
		find(t, l, "a", "", lookup.FromCopy)
		if s.asked != 0 {
			t.Errorf("upstream was asked %d times; want never", s.asked)
		}
	})
}

// notKept are items of which no copy is kept.
func notKept() map[string]*voximplant.KeyValueItem {
	return map[string]*voximplant.KeyValueItem{
		"unknown end": {Key: "a", Value: "written"},
		"huge value":  {Key: "a", Value: strings.Repeat("w", 16<<10+1), ExpiresAt: time.Now().Add(time.Hour)},
	}
}

func TestLearnDropsTheCopy(t *testing.T) {
	t.Parallel()
	for name, learned := range notKept() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s storage
				s.put("before", time.Hour)
				l := s.lookup(t, nil)
				find(t, l, "a", "before", lookup.FromUpstream)
				l.Learn("a", time.Now(), learned)
				s.err = errDown
				if a, err := l.Item(t.Context(), "a"); !errors.Is(err, errDown) || a.Item != nil {
					t.Errorf("Item = %+v, %v; want %v: no copy may stand in", a, err, errDown)
				}
				s.err = nil
				s.put("after", time.Hour)
				find(t, l, "a", "after", lookup.FromUpstream)
				find(t, l, "a", "after", lookup.FromCopy)
			})
		})
	}
}

// TestLearnOvertakesQuestions: a question asked before a write and answered
// after it brings its own caller what it brings, and is not kept.
func TestLearnOvertakesQuestions(t *testing.T) {
	t.Parallel()
	writes := notKept()
	writes["item"], writes["deletion"] = item("written"), nil
	for name, learned := range writes {
		for answer, late := range map[string]*voximplant.KeyValueItem{"item": item("before"), "nothing": nil, "unknown end": {Key: "a", Value: "before"}} {
			t.Run(name+" and "+answer, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { overtake(t, learned, late) })
			})
		}
	}
}

func overtake(t *testing.T, learned, late *voximplant.KeyValueItem) {
	arrive := make(chan bool)
	l := newLookup(t, func(c *lookup.Config) {
		c.Fetch = firstWaits(func(context.Context) (*voximplant.KeyValueItem, error) {
			<-arrive
			return late, nil
		})
	})
	waiting := ask(t.Context(), l)
	synctest.Wait()
	l.Learn("a", time.Now(), learned)
	close(arrive)
	synctest.Wait()
	if late != nil && (waiting.err != nil || waiting.Item == nil || waiting.Item.Value != "before") {
		t.Errorf("the waiting caller got %+v; want its own answer", waiting)
	}
	switch {
	case learned == nil:
		find(t, l, "a", "", lookup.FromCopy)
	case learned.Value == "written" && !learned.ExpiresAt.IsZero():
		find(t, l, "a", "written", lookup.FromCopy)
	default: // neither is kept
		find(t, l, "a", "after", lookup.FromUpstream)
		find(t, l, "a", "after", lookup.FromCopy)
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
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				ask(ctx, l)
				time.Sleep(time.Second)
				synctest.Wait()
				find(t, l, "a", last.Value, lookup.FromUpstream)
				close(arrive)
				synctest.Wait()
				find(t, l, "a", last.Value, lookup.FromUpstream)
			})
		})
	}
}

// TestLearnStartsNewQuestions: who asks after a write does not wait for the
// answer to a question from before it.
func TestLearnStartsNewQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookup(t, func(c *lookup.Config) {
			c.LocalMaxAge = 0
			c.Fetch = firstWaits(func(ctx context.Context) (*voximplant.KeyValueItem, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
		})
		ask(t.Context(), l)
		synctest.Wait()
		l.Learn("a", time.Now(), item("after"))
		if a := find(t, l, "a", "after", lookup.FromUpstream); a.Upstream != 0 {
			t.Errorf("Item took %v; want no wait", a.Upstream)
		}
		time.Sleep(5 * time.Second) // the end of the first question
	})
}

// TestLearnAndAskSideBySide is for the race detector. However writes and
// reads mix, what is read last is what was written last.
func TestLearnAndAskSideBySide(t *testing.T) {
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
				l.Learn(key, time.Now(), written)
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
