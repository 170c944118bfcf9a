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

// TestOutOfScope: a key that is out of scope costs no call. However many of them are asked for, no entry has to go.
func TestOutOfScope(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		l := s.lookup(t, func(c *lookup.Config) { c.Scope, c.MaxItems = scopeOf(t, "order:*"), 3 })
		find(t, l, "order:1", "", lookup.FromUpstream)
		for i := range 10 {
			if a := find(t, l, fmt.Sprint("order-", i), "", lookup.FromScope); a.At.IsZero() {
				t.Error("At = 0; want the time")
			}
		}
		find(t, l, "order:1", "", lookup.FromCache)
		if n := s.asked.Load(); n != 1 {
			t.Errorf("upstream was asked %d times; want 1, for the key in scope", n)
		}
		s.err = errDown
		for i := range 10 { // until the circuit of the service is open
			if _, err := l.Item(t.Context(), fmt.Sprint("order:failing:", i)); errors.Is(err, voximplant.ErrNotFound) {
				t.Errorf("Item = _, %v; want a failure", err)
			}
		}
		find(t, l, "order-1", "", lookup.FromScope)
		find(t, l, "order-new", "", lookup.FromScope)
	})
}

// TestHowLongEntriesAreFresh: an item answers without upstream as long as LocalMaxAge and half of the rule's max-age
// allow, an absence as long as LocalMaxAge and NotFoundMaxAge do.
func TestHowLongEntriesAreFresh(t *testing.T) {
	t.Parallel()
	const sec = time.Second
	for _, tt := range []struct {
		rules                 string
		life                  time.Duration // 0 for an absence
		local, notFound, want time.Duration
	}{
		{"*", time.Hour, 10 * sec, 5 * sec, 10 * sec},
		{"*", time.Hour, time.Nanosecond, 5 * sec, time.Nanosecond},
		{"*", time.Hour, 0, 5 * sec, 0},
		{"a max-age=2s", time.Hour, 10 * sec, 5 * sec, 1 * sec},
		{"a max-age=1h", time.Hour, 10 * sec, 5 * sec, 10 * sec},
		{"a max-age=0s", time.Hour, 10 * sec, 5 * sec, 0},
		{"a, b max-age=0s", time.Hour, 10 * sec, 5 * sec, 10 * sec},
		{"{sub} max-age=2s, *", time.Hour, 10 * sec, 5 * sec, 1 * sec},
		{"{other} max-age=2s, *", time.Hour, 10 * sec, 5 * sec, 10 * sec},

		{"*", 0, 10 * sec, 5 * sec, 5 * sec},
		{"*", 0, 10 * sec, 30 * sec, 10 * sec},
		{"*", 0, 10 * sec, 0, 0},
		{"*", 0, 0, 5 * sec, 0},
		{"*", -1 * sec, 10 * sec, 5 * sec, 5 * sec}, // an item that has expired is an absence
	} {
		inBubble(t, fmt.Sprintf("%s, life %v, LocalMaxAge %v, NotFoundMaxAge %v", tt.rules, tt.life, tt.local, tt.notFound), func(t *testing.T) {
			var s upstream
			old := ""
			if tt.life != 0 {
				s.put("old", tt.life)
			}
			if tt.life > 0 {
				old = "old"
			}
			l := s.lookup(t, func(c *lookup.Config) {
				c.Scope, c.LocalMaxAge, c.NotFoundMaxAge = scopeOf(t, tt.rules), tt.local, tt.notFound
			})
			find(t, l, "a", old, lookup.FromUpstream)
			s.put("new", time.Hour)
			if tt.want > 0 {
				find(t, l, "a", old, lookup.FromCache)
				time.Sleep(tt.want - 1)
				if a := find(t, l, "a", old, lookup.FromCache); a.Age != tt.want-1 {
					t.Errorf("Age = %v; want %v", a.Age, tt.want-1)
				}
				time.Sleep(time.Nanosecond)
			}
			find(t, l, "a", "new", lookup.FromUpstream)
		})
	}
}

// TestAnswerTells: an answer is as old as its question, since the value may have changed right after it was read.
func TestAnswerTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := upstream{delay: 2 * time.Second}
		s.put("v", time.Minute)
		l := s.lookup(t, nil)
		for _, want := range []lookup.Answer{
			{Source: lookup.FromUpstream, Age: 2 * time.Second, Left: 58 * time.Second, UpstreamTime: 2 * time.Second},
			{Source: lookup.FromCache, Age: 7 * time.Second, Left: 53 * time.Second},
		} {
			a := find(t, l, "a", "v", want.Source)
			if !a.At.Equal(time.Now()) || a.Age != want.Age || a.Left != want.Left || a.UpstreamTime != want.UpstreamTime || a.UpstreamErr != nil {
				t.Errorf("Item = %+v; want what %+v has, At now and no UpstreamErr", a, want)
			}
			time.Sleep(5 * time.Second)
		}
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

// TestChangesUpstream follows one key through its life. What is absent does not come back by an entry that is older
// than the absence.
func TestChangesUpstream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		l := s.lookup(t, nil)
		s.put("one", time.Hour)
		find(t, l, "a", "one", lookup.FromUpstream)
		s.item = nil
		time.Sleep(10 * time.Second)
		find(t, l, "a", "", lookup.FromUpstream)
		s.err = errDown
		time.Sleep(5 * time.Second)
		if a, err := l.Item(t.Context(), "a"); !errors.Is(err, errDown) || a.Item != nil {
			t.Errorf("Item = %+v, %v; want no item and %v", a, err, errDown)
		}
		s.err = nil
		s.put("two", 3*time.Second)
		find(t, l, "a", "two", lookup.FromUpstream)

		// Prolonged upstream: the copy ends, the item does not.
		s.put("two", time.Hour)
		time.Sleep(3 * time.Second)
		find(t, l, "a", "two", lookup.FromUpstream)
		time.Sleep(9 * time.Second)
		find(t, l, "a", "two", lookup.FromCache)
	})
}

// TestUpstreamFails is E5-20 of docs/http-statements.md, under each limit that a copy may have.
func TestUpstreamFails(t *testing.T) {
	t.Parallel()
	const hour, minute, sec = time.Hour, time.Minute, time.Second
	for _, tt := range []struct {
		name    string
		rules   string
		follows bool // StaleFollowsRule
		ttl     time.Duration
		age     time.Duration
		source  lookup.Source
	}{
		{"a young copy needs no upstream", "*", false, hour, 10*sec - 1, lookup.FromCache},
		{"an older copy stands in", "*", false, hour, 10 * sec, lookup.FromStaleCache},
		{"as old as may be", "*", false, hour, minute - 1, lookup.FromStaleCache},
		{"too old", "*", false, hour, minute, lookup.FromNowhere},
		{"about to end", "*", false, 30 * sec, 30*sec - 1, lookup.FromStaleCache},
		{"ended", "*", false, 30 * sec, 30 * sec, lookup.FromNowhere},
		{"ended before it got old", "*", false, 5 * sec, 5 * sec, lookup.FromNowhere},
		{"as old as the rule allows", "a max-age=20s", true, hour, 20*sec - 1, lookup.FromStaleCache},
		{"too old for the rule", "a max-age=20s", true, hour, 20 * sec, lookup.FromNowhere},
		{"too old for a rule that does not count", "a max-age=20s", false, hour, 20 * sec, lookup.FromStaleCache},
		{"too old, whatever the rule says", "a max-age=5m", false, hour, minute, lookup.FromNowhere},
		{"not too old for the rule", "a max-age=5m", true, hour, minute, lookup.FromStaleCache},
		{"a rule that forbids copies", "a max-age=0s", true, hour, 0, lookup.FromNowhere},
		{"as old as may be, the rule says nothing", "a", true, hour, minute - 1, lookup.FromStaleCache},
		{"too old, the rule says nothing", "a", true, hour, minute, lookup.FromNowhere},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			var s upstream
			s.put("v", tt.ttl)
			l := s.lookup(t, func(c *lookup.Config) { c.Scope, c.StaleFollowsRule = scopeOf(t, tt.rules), tt.follows })
			find(t, l, "a", "v", lookup.FromUpstream)
			s.err = errDown
			time.Sleep(tt.age)
			a, err := l.Item(t.Context(), "a")
			if (err == nil) != (tt.source != lookup.FromNowhere) || err != nil && !errors.Is(err, errDown) || a.Source != tt.source || (a.Item != nil) != (err == nil) {
				t.Errorf("Item = %+v, %v; want it from %s", a, err, tt.source)
			}
			if failed := a.UpstreamErr != nil; failed != (tt.source == lookup.FromStaleCache) {
				t.Errorf("UpstreamErr = %v with source %s", a.UpstreamErr, a.Source)
			}
			if a.Item != nil && (a.Age != tt.age || a.Left != tt.ttl-tt.age) {
				t.Errorf("Age = %v, Left = %v; want %v, %v", a.Age, a.Left, tt.age, tt.ttl-tt.age)
			}

			s.err = nil
			s.put("new", time.Hour)
			time.Sleep(10 * time.Second)
			find(t, l, "a", "new", lookup.FromUpstream)
		})
	}
}

// TestFailuresAreNotKept: a failure is no answer, and a panic in Fetch is a failure.
func TestFailuresAreNotKept(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]func() error{
		"an error": func() error { return errDown },
		"a panic":  func() error { panic("a bug") },
	} {
		asked := 0
		l := newLookup(t, func(c *lookup.Config) {
			c.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) {
				asked++
				return nil, failure()
			}
		})
		for want := 1; want <= 2; want++ {
			a, err := l.Item(t.Context(), "a")
			if a.Source != lookup.FromNowhere || a.Item != nil || a.At.IsZero() || asked != want {
				t.Errorf("%s: Item = %+v after %d questions; want no item from nowhere, and the time, after %d", name, a, asked, want)
			}
			panicked, ok := errors.AsType[*panics.Error](err)
			if !errors.Is(err, errDown) && (!ok || !strings.Contains(string(panicked.Stack), "TestFailuresAreNotKept")) {
				t.Errorf("%s: Item = _, %v; want it, or a stack that names the function that panicked", name, err)
			}
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
