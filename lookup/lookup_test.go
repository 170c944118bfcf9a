package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/internal/panics"
	"voxkv/lookup"
	"voxkv/voximplant"
)

func TestOutOfScope(t *testing.T) {
	t.Parallel()
	var s upstream
	s.put("v", time.Hour)
	l := s.lookup(t, func(c *lookup.Config) { c.Scope = scopeOf(t, "status:*") })
	a := find(t, l, "status-secret", "", lookup.FromScope)
	if s.asked != 0 || a.At.IsZero() {
		t.Errorf("upstream was asked %d times, At = %v; want never, and the time", s.asked, a.At)
	}
	find(t, l, "status:1", "v", lookup.FromUpstream)
}

// TestHowLongEntriesAreFresh: an entry, of an item or of an absence, answers as long as its setting says.
func TestHowLongEntriesAreFresh(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value                 string // "" for an absence
		local, notFound, want time.Duration
	}{
		{"old", 10 * time.Second, 5 * time.Second, 10 * time.Second},
		{"old", time.Nanosecond, 5 * time.Second, time.Nanosecond},
		{"old", 0, 5 * time.Second, 0},
		{"", 10 * time.Second, 5 * time.Second, 5 * time.Second},
		{"", 10 * time.Second, 30 * time.Second, 10 * time.Second},
		{"", 10 * time.Second, 0, 0},
		{"", 0, 5 * time.Second, 0},
	}
	for _, tt := range tests {
		inBubble(t, fmt.Sprintf("%q, LocalMaxAge %v, NotFoundMaxAge %v", tt.value, tt.local, tt.notFound), func(t *testing.T) {
			var s upstream
			if tt.value != "" {
				s.put(tt.value, time.Hour)
			}
			l := s.lookup(t, func(c *lookup.Config) { c.LocalMaxAge, c.NotFoundMaxAge = tt.local, tt.notFound })
			find(t, l, "a", tt.value, lookup.FromUpstream)
			s.put("new", time.Hour)
			if tt.want > 0 {
				find(t, l, "a", tt.value, lookup.FromCache)
				time.Sleep(tt.want - 1)
				if a := find(t, l, "a", tt.value, lookup.FromCache); a.Age != tt.want-1 {
					t.Errorf("Age = %v; want %v", a.Age, tt.want-1)
				}
				time.Sleep(time.Nanosecond)
			}
			find(t, l, "a", "new", lookup.FromUpstream)
		})
	}
}

// TestOutOfScopeAges: the age of an answer tells a key that is out of scope from
// a missing one at no time.
func TestOutOfScopeAges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookup(t, func(c *lookup.Config) {
			c.Scope = scopeOf(t, "order:*")
			c.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) {
				time.Sleep(20 * time.Millisecond)
				return nil, voximplant.ErrNotFound
			}
		})
		ages := map[int64]bool{}
		for range 40 {
			outside := find(t, l, "secret", "", lookup.FromScope)
			missing, err := l.Item(t.Context(), "order:1")
			if !errors.Is(err, voximplant.ErrNotFound) {
				t.Fatal(err)
			}
			a, b := outside.Age+time.Second-1, missing.Age+time.Second-1 // rounded up to seconds, as headers tell them
			if ages[int64(b/time.Second)] = true; a/time.Second != b/time.Second {
				t.Errorf("out of scope is %v old, missing is %v old", outside.Age, missing.Age)
			}
			time.Sleep(700*time.Millisecond + 20*time.Millisecond - missing.UpstreamTime)
		}
		if len(ages) != 5 {
			t.Errorf("the ages seen are %v; want 1 to 5 s", ages)
		}
	})
}

// TestRefusedKeysEvictNothing: whoever asks for keys that are out of scope makes
// no work for upstream.
func TestRefusedKeysEvictNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		l := s.lookup(t, func(c *lookup.Config) { c.Scope, c.MaxItems = scopeOf(t, "order:*"), 3 })
		find(t, l, "order:1", "", lookup.FromUpstream)
		for i := range 10 {
			find(t, l, fmt.Sprint("secret", i), "", lookup.FromScope)
		}
		find(t, l, "order:1", "", lookup.FromCache)
	})
}

func TestAnswerTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		s.put("v", time.Minute)
		l := s.lookup(t, func(c *lookup.Config) {
			c.Fetch = func(ctx context.Context, key string) (*voximplant.KeyValueItem, error) {
				time.Sleep(2 * time.Second)
				return s.fetch(ctx, key)
			}
		})
		start := time.Now()
		check := func(a lookup.Answer, at, age, left, upstream time.Duration) {
			t.Helper()
			if got := a.At.Sub(start); got != at || a.Age != age || a.Left != left || a.UpstreamTime != upstream {
				t.Errorf("%s: At = %v after the start, Age = %v, Left = %v, Upstream = %v; want %v, %v, %v, %v",
					a.Source, got, a.Age, a.Left, a.UpstreamTime, at, age, left, upstream)
			}
			if a.UpstreamErr != nil {
				t.Errorf("%s: UpstreamErr = %v; want nil", a.Source, a.UpstreamErr)
			}
		}
		// An answer is as old as its question: the value may have changed right after it was read.
		check(find(t, l, "a", "v", lookup.FromUpstream), 2*time.Second, 2*time.Second, 58*time.Second, 2*time.Second)
		time.Sleep(5 * time.Second)
		check(find(t, l, "a", "v", lookup.FromCache), 7*time.Second, 7*time.Second, 53*time.Second, 0)
	})
}

func TestNoTimeHasAMonotonicReading(t *testing.T) {
	t.Parallel()
	var s upstream
	s.put("v", time.Hour)
	for name, now := range map[string]func() time.Time{"default": nil, "own": time.Now} {
		l := s.lookup(t, func(c *lookup.Config) { c.Now = now })
		// The monotonic clock stands still while a sandbox is frozen.
		if a := find(t, l, "a", "v", lookup.FromUpstream); strings.Contains(a.At.String(), "m=") {
			t.Errorf("%s clock: At = %v; want wall clock alone", name, a.At)
		}
	}
}

// TestEnd holds an item's end to the nanosecond, for a fresh answer and a copy.
// It is B3-4, B3-16 and E5-22 of docs/http-statements.md.
func TestEnd(t *testing.T) {
	t.Parallel()
	const life = 3 * time.Hour
	tests := []struct {
		name  string
		date  bool
		ahead time.Duration
		want  time.Duration // the life by the stricter clock
	}{
		{"no Date", false, 0, life},
		{"clocks agree", true, 0, life},
		{"30 s ahead", true, 30 * time.Second, life - 30*time.Second},
		{"30 s behind", true, -30 * time.Second, life},
		{"an hour ahead", true, time.Hour, life - time.Hour},
		{"more than an hour ahead", true, time.Hour + 1, life},
		{"2 h ahead", true, 2 * time.Hour, life},
		{"2 h behind", true, -2 * time.Hour, life},
	}
	for _, tt := range tests {
		inBubble(t, tt.name, func(t *testing.T) {
			s := upstream{date: tt.date, ahead: tt.ahead}
			s.put("v", life)
			l := s.lookup(t, func(c *lookup.Config) { c.LocalMaxAge = 24 * time.Hour })
			a := find(t, l, "a", "v", lookup.FromUpstream)
			if a.Left != tt.want || a.Skew != tt.ahead {
				t.Errorf("Left = %v, Skew = %v; want %v, %v", a.Left, a.Skew, tt.want, tt.ahead)
			}
			time.Sleep(tt.want - 1)
			if a := find(t, l, "a", "v", lookup.FromCache); a.Left != 1 || a.Skew != tt.ahead {
				t.Errorf("copy: Left = %v, Skew = %v; want 1ns, %v", a.Left, a.Skew, tt.ahead)
			}
			time.Sleep(time.Nanosecond)
			// Upstream still has it: what has ended here is absent even so.
			if a := find(t, l, "a", "", lookup.FromUpstream); a.Left != 0 {
				t.Errorf("ended: Left = %v; want 0", a.Left)
			}
		})
	}
}

func TestExpiredFromUpstreamIsAbsent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		s.put("v", -time.Second)
		l := s.lookup(t, nil)
		find(t, l, "a", "", lookup.FromUpstream)
		time.Sleep(5*time.Second - 1)
		find(t, l, "a", "", lookup.FromCache)
		if s.asked != 1 {
			t.Errorf("upstream was asked %d times; want 1: an expired item is remembered as absent", s.asked)
		}
		s.put("again", time.Hour)
		time.Sleep(time.Nanosecond)
		find(t, l, "a", "again", lookup.FromUpstream)
	})
}

func TestEndPassesWhileUpstreamAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		s.put("v", time.Second)
		l := s.lookup(t, func(c *lookup.Config) {
			c.Fetch = func(ctx context.Context, key string) (*voximplant.KeyValueItem, error) {
				defer time.Sleep(time.Second)
				return s.fetch(ctx, key)
			}
		})
		find(t, l, "a", "", lookup.FromUpstream)
	})
}

func TestNotKept(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		value string
		ttl   time.Duration
		kept  bool
	}{
		{"a short value", "v", time.Hour, true},
		{"8 KiB", strings.Repeat("v", 8<<10), time.Hour, true},
		{"more than 8 KiB", strings.Repeat("v", 8<<10+1), time.Hour, false},
		{"an unknown end", "v", 0, false},
	}
	for _, tt := range tests {
		inBubble(t, tt.name, func(t *testing.T) {
			var s upstream
			s.put("first", time.Hour)
			l := s.lookup(t, nil)
			find(t, l, "a", "first", lookup.FromUpstream)
			time.Sleep(10 * time.Second)

			s.put(tt.value, tt.ttl)
			find(t, l, "a", tt.value, lookup.FromUpstream)
			want := lookup.FromUpstream
			if tt.kept {
				want = lookup.FromCache
			}
			if a := find(t, l, "a", tt.value, want); a.Left != tt.ttl || a.Age != 0 {
				t.Errorf("Left = %v, Age = %v; want %v, 0s", a.Left, a.Age, tt.ttl)
			}
			s.err = errDown
			time.Sleep(10 * time.Second)
			a, err := l.Item(t.Context(), "a")
			if kept := err == nil; kept != tt.kept {
				t.Errorf("upstream down: Item = %v, %v; want it kept: %t", a.Source, err, tt.kept)
			}
		})
	}
}

// TestChangesUpstream follows one key through its life while entries exist. What
// is absent does not come back by one that is older than the absence.
func TestChangesUpstream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		l := s.lookup(t, nil)
		s.put("one", time.Hour)
		find(t, l, "a", "one", lookup.FromUpstream)
		s.put("two", time.Hour)
		find(t, l, "a", "one", lookup.FromCache)
		time.Sleep(10 * time.Second)
		find(t, l, "a", "two", lookup.FromUpstream)
		find(t, l, "a", "two", lookup.FromCache)

		s.item = nil
		time.Sleep(10 * time.Second)
		find(t, l, "a", "", lookup.FromUpstream)
		find(t, l, "a", "", lookup.FromCache)

		s.err = errDown
		time.Sleep(5 * time.Second)
		if a, err := l.Item(t.Context(), "a"); !errors.Is(err, errDown) || a.Item != nil {
			t.Errorf("Item = %+v, %v; want no item and %v", a, err, errDown)
		}
		s.err = nil
		s.put("three", 3*time.Second)
		find(t, l, "a", "three", lookup.FromUpstream)
		time.Sleep(3*time.Second - 1)
		find(t, l, "a", "three", lookup.FromCache)

		// Prolonged upstream: the copy ends, the item does not.
		s.put("three", time.Hour)
		time.Sleep(time.Nanosecond)
		find(t, l, "a", "three", lookup.FromUpstream)
		time.Sleep(9 * time.Second)
		find(t, l, "a", "three", lookup.FromCache)
	})
}

// TestUpstreamFails is E5-20 of docs/http-statements.md.
func TestUpstreamFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		ttl    time.Duration
		age    time.Duration
		source lookup.Source
		err    error
	}{
		{"a young copy needs no upstream", time.Hour, 10*time.Second - 1, lookup.FromCache, nil},
		{"an older copy stands in", time.Hour, 10 * time.Second, lookup.FromStaleCache, nil},
		{"as old as may be", time.Hour, time.Minute - 1, lookup.FromStaleCache, nil},
		{"too old", time.Hour, time.Minute, lookup.FromNowhere, errDown},
		{"about to end", 30 * time.Second, 30*time.Second - 1, lookup.FromStaleCache, nil},
		{"ended", 30 * time.Second, 30 * time.Second, lookup.FromNowhere, errDown},
		{"ended before it got old", 5 * time.Second, 5 * time.Second, lookup.FromNowhere, errDown},
		{"ended and too old", 30 * time.Second, time.Minute, lookup.FromNowhere, errDown},
	}
	for _, tt := range tests {
		inBubble(t, tt.name, func(t *testing.T) {
			var s upstream
			s.put("v", tt.ttl)
			l := s.lookup(t, nil)
			find(t, l, "a", "v", lookup.FromUpstream)
			s.err = errDown
			time.Sleep(tt.age)
			a, err := l.Item(t.Context(), "a")
			if !errors.Is(err, tt.err) || a.Source != tt.source || (a.Item != nil) != (tt.err == nil) {
				t.Errorf("Item = %+v, %v; want source %s, %v", a, err, tt.source, tt.err)
			}
			if failed := a.UpstreamErr != nil; failed != (tt.source == lookup.FromStaleCache) {
				t.Errorf("UpstreamErr = %v with source %s", a.UpstreamErr, a.Source)
			}
			if a.Item != nil && (a.Age != tt.age || a.Left != tt.ttl-tt.age) {
				t.Errorf("Age = %v, Left = %v; want %v, %v", a.Age, a.Left, tt.age, tt.ttl-tt.age)
			}

			s.err = nil
			if tt.ttl > tt.age {
				s.put("new", time.Hour)
				time.Sleep(10 * time.Second)
				find(t, l, "a", "new", lookup.FromUpstream)
			}
		})
	}
}

func TestUpstreamFailsWithNothingHeld(t *testing.T) {
	t.Parallel()
	s := upstream{err: errDown}
	l := s.lookup(t, nil)
	for range 2 {
		a, err := l.Item(t.Context(), "a")
		if !errors.Is(err, errDown) || a.Source != lookup.FromNowhere || a.Item != nil || a.At.IsZero() {
			t.Errorf("Item = %+v, %v; want %v from nowhere, and the time", a, err, errDown)
		}
	}
	if s.asked != 2 {
		t.Errorf("upstream was asked %d times; want 2: a failure is no answer to keep", s.asked)
	}
}

// TestFetchPanics: a panic in Fetch is a failure, and leaves nothing behind.
func TestFetchPanics(t *testing.T) {
	t.Parallel()
	l := newLookup(t, func(c *lookup.Config) {
		c.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) { panic("a bug") }
	})
	for range 2 {
		a, err := l.Item(t.Context(), "a")
		panicked, ok := errors.AsType[*panics.Error](err)
		if !ok || !strings.Contains(string(panicked.Stack), "TestFetchPanics") {
			t.Errorf("Item = _, %v; want a *panics.Error whose stack names the function that panicked", err)
		}
		if a.Item != nil || a.Source != lookup.FromNowhere {
			t.Errorf("Item = %+v; want no item, from nowhere", a)
		}
	}
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	var s upstream
	now := time.Now()
	l := s.lookup(t, func(c *lookup.Config) { c.Now = func() time.Time { return now } })
	s.put("one", 24*time.Hour)
	find(t, l, "a", "one", lookup.FromUpstream)

	now = now.Add(-time.Hour)
	s.err = errDown
	if a, err := l.Item(t.Context(), "a"); !errors.Is(err, errDown) || a.Item != nil {
		t.Errorf("Item = %+v, %v; want %v: the age of the copy is unknown", a, err, errDown)
	}
	s.err = nil
	s.put("two", 24*time.Hour)
	find(t, l, "a", "two", lookup.FromUpstream)
	now = now.Add(time.Second)
	if a := find(t, l, "a", "two", lookup.FromCache); a.Age != time.Second {
		t.Errorf("Age = %v; want 1s", a.Age)
	}
}

func TestCopiesAreBounded(t *testing.T) {
	t.Parallel()
	const bound = 100
	for _, tt := range []struct {
		name  string
		value string // "" for absent keys
	}{{"items", "v"}, {"absences", ""}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked := map[string]int{}
			l := newLookup(t, func(c *lookup.Config) {
				c.MaxItems = bound
				c.Fetch = func(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
					asked[key]++
					if tt.value == "" && key != "item" {
						return nil, voximplant.ErrNotFound
					}
					return &voximplant.KeyValueItem{Key: key, Value: "v", ExpiresAt: time.Now().Add(time.Hour)}, nil
				}
				stopped := time.Now()
				c.Now = func() time.Time { return stopped }
			})
			find(t, l, "item", "v", lookup.FromUpstream)
			for i := range 10_000 {
				find(t, l, fmt.Sprint(i), tt.value, lookup.FromUpstream)
			}
			if tt.value == "" {
				find(t, l, "item", "v", lookup.FromCache) // E5-24
			}
			kept := 0
			for i := 9_999; i >= 0; i-- {
				if a, _ := l.Item(t.Context(), fmt.Sprint(i)); a.Source == lookup.FromCache {
					kept++
				}
			}
			if kept != bound {
				t.Errorf("%d of 10,000 are kept; want %d", kept, bound)
			}
		})
	}
}

func TestNewRefusesNoBound(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, -1} {
		if _, err := lookup.New(lookup.Config{MaxItems: n}); err == nil {
			t.Errorf("New(MaxItems: %d) = _, nil; want an error", n)
		}
	}
}
