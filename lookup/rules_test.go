package lookup_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/allowlist"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// as is a context in which the caller with this claim asks.
func as(ctx context.Context, sub string) context.Context {
	return allowlist.WithCaller(ctx, allowlist.Caller{Claims: allowlist.Claims{"sub": sub}})
}

// TestCopyLivesHalfOfTheRule: the rule's max-age bounds the age of a copy where it
// is read, and LOCAL_MAX_AGE does so too.
func TestCopyLivesHalfOfTheRule(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rules string
		age   time.Duration
		want  lookup.Source
	}{
		{"a max-age=2s", time.Second - 1, lookup.FromCache},
		{"a max-age=2s", time.Second, lookup.FromUpstream},
		{"a max-age=1h", 10*time.Second - 1, lookup.FromCache},
		{"a max-age=1h", 10 * time.Second, lookup.FromUpstream},
		{"a max-age=0s", 0, lookup.FromUpstream},
		{"a, b max-age=0s", 10*time.Second - 1, lookup.FromCache},
		{"{sub} max-age=2s, *", time.Second - 1, lookup.FromCache},
		{"{sub} max-age=2s, *", time.Second, lookup.FromUpstream},
		{"{other} max-age=2s, *", 10*time.Second - 1, lookup.FromCache},
	} {
		t.Run(tt.rules+" "+tt.age.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s upstream
				s.put("v", time.Hour)
				l := s.lookup(t, func(c *lookup.Config) { c.Scope = scopeOf(t, tt.rules) })
				ctx := as(t.Context(), "a")
				if a, err := l.Item(ctx, "a"); err != nil || a.Source != lookup.FromUpstream {
					t.Fatalf("Item = %+v, %v; want the item from upstream", a, err)
				}
				time.Sleep(tt.age)
				if a, err := l.Item(ctx, "a"); err != nil || a.Source != tt.want {
					t.Errorf("after %v: Item = %+v, %v; want it from %s", tt.age, a, err, tt.want)
				}
			})
		})
	}
}

// TestCopyIsSharedByRules: two callers have one copy, and each of them the limit of
// his own rule.
func TestCopyIsSharedByRules(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		s.put("v", time.Hour)
		l := s.lookup(t, func(c *lookup.Config) { c.Scope = scopeOf(t, "{sub} max-age=2s, *") })
		for _, step := range []struct {
			sub  string
			wait time.Duration
			want lookup.Source
			rule time.Duration // 0 for none
		}{
			{"b", 0, lookup.FromUpstream, 0},
			{"a", 999 * time.Millisecond, lookup.FromCache, 2 * time.Second},
			{"b", time.Second, lookup.FromCache, 0},
			{"a", 0, lookup.FromUpstream, 2 * time.Second},
			{"b", 0, lookup.FromCache, 0},
		} {
			time.Sleep(step.wait)
			a, err := l.Item(as(t.Context(), step.sub), "a")
			if err != nil || a.Source != step.want || (a.Rule.MaxAge != nil) != (step.rule > 0) || a.Rule.MaxAge != nil && *a.Rule.MaxAge != step.rule || !a.Rule.Private {
				t.Fatalf("%+v: Item = %+v, %v", step, a, err)
			}
		}
	})
}

// TestStrictCallerGetsNoOldCopyFromAnotherFetch: a caller whose rule found the copy
// too old joins the fetch of a caller who looked into the cache before that copy was
// there. That fetch may take from the cache only what is fresh for both.
func TestStrictCallerGetsNoOldCopyFromAnotherFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		s.put("v", time.Hour)
		now := time.Now()
		var atNextLook func()
		l := s.lookup(t, func(c *lookup.Config) {
			c.Scope = scopeOf(t, "{sub} max-age=2s, *")
			c.Now = func() time.Time {
				if look := atNextLook; look != nil {
					atNextLook = nil
					look()
				}
				return now
			}
		})
		strict, patient := as(t.Context(), "a"), as(t.Context(), "b")
		find(t, l, "a", "v", lookup.FromUpstream)
		now = now.Add(10 * time.Second)
		joined := make(chan lookup.Answer, 1)
		atNextLook = func() { // the patient caller has seen the old copy
			if _, err := l.Item(strict, "a"); err != nil {
				t.Error(err)
			}
			now = now.Add(time.Second)
			atNextLook = func() { // its fetch has seen the new one
				go func() {
					a, err := l.Item(strict, "a")
					if err != nil {
						t.Error(err)
					}
					joined <- a
				}()
				synctest.Wait()
			}
		}
		if a, err := l.Item(patient, "a"); err != nil || a.Age >= 10*time.Second {
			t.Errorf("the patient caller: %+v, %v", a, err)
		}
		if a := <-joined; a.Age >= time.Second || s.asked != 3 {
			t.Errorf("the strict caller got an item %v old after %d calls; want it less than 1 s old, after 3", a.Age, s.asked)
		}
	})
}

// TestStaleFollowsTheRule: how old a copy may be that answers when upstream fails.
func TestStaleFollowsTheRule(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rules   string
		follows bool
		age     time.Duration
		stale   bool
	}{
		{"a max-age=20s", true, 20*time.Second - 1, true},
		{"a max-age=20s", true, 20 * time.Second, false},
		{"a max-age=20s", false, 20 * time.Second, true},
		{"a max-age=20s", false, time.Minute, false},
		{"a", true, time.Minute - 1, true},
		{"a", true, time.Minute, false},
		{"a max-age=5m", true, time.Minute, true},
		{"a max-age=0s", true, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var s upstream
			s.put("v", time.Hour)
			l := s.lookup(t, func(c *lookup.Config) { c.Scope, c.StaleFollowsRule = scopeOf(t, tt.rules), tt.follows })
			find(t, l, "a", "v", lookup.FromUpstream)
			time.Sleep(tt.age)
			s.err = errDown
			if a, err := l.Item(t.Context(), "a"); (err == nil) != tt.stale || tt.stale && a.Source != lookup.FromStaleCache {
				t.Errorf("%+v: Item = %+v, %v", tt, a, err)
			}
		})
	}
}

// TestAbsenceAgesAlike: the age of an absence tells no rule from another, and no key
// of somebody else from a missing one of one's own.
func TestAbsenceAgesAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := map[string]int{}
		l := newLookup(t, func(c *lookup.Config) {
			c.Scope = scopeOf(t, "{sub}:* max-age=2s, order:{sub}:*, a max-age=1h, b")
			c.Fetch = func(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
				asked[key]++
				time.Sleep(time.Nanosecond)
				return nil, voximplant.ErrNotFound
			}
		})
		ages := map[time.Duration]bool{}
		for range 30 {
			var first time.Duration
			for i, key := range []string{"42:x", "order:42:x", "a", "b", "43:x", "order:43:x", "secret"} {
				a, err := l.Item(as(t.Context(), "42"), key)
				if !errors.Is(err, voximplant.ErrNotFound) {
					t.Fatalf("Item(%q) = %+v, %v; want ErrNotFound", key, a, err)
				}
				age := (a.Age + time.Second - 1) / time.Second
				if i == 0 {
					first = age
				}
				if ages[age] = true; age != first {
					t.Errorf("the absence of %q is %v old, that of the first key %d s", key, a.Age, first)
				}
				if want := key != "a" && key != "b" && key != "secret"; a.Rule.Private != want {
					t.Errorf("the absence of %q is private: %t; want %t", key, a.Rule.Private, want)
				}
			}
			time.Sleep(700 * time.Millisecond)
		}
		if len(ages) != 5 || asked["43:x"]+asked["order:43:x"]+asked["secret"] > 0 || asked["42:x"] < 4 {
			t.Errorf("ages %v, asked %v; want 1 to 5 s, and no question about keys of others", ages, asked)
		}
	})
}

// TestNobodyGetsAnothersCopy: what one caller has brought into the cache, another
// who may not have it does not see, whatever happens to upstream.
func TestNobodyGetsAnothersCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s upstream
		s.put("v", time.Hour)
		l := s.lookup(t, func(c *lookup.Config) { c.Scope = scopeOf(t, "order:{sub}:*") })
		for range 3 {
			if a, err := l.Item(as(t.Context(), "42"), "order:42:x"); err != nil || a.Item.Value != "v" {
				t.Fatalf("the owner: %+v, %v", a, err)
			}
			for _, ctx := range []context.Context{as(t.Context(), "4"), as(t.Context(), "43"), as(t.Context(), ""), t.Context()} {
				asked := s.asked
				if a, err := l.Item(ctx, "order:42:x"); !errors.Is(err, voximplant.ErrNotFound) || a.Item != nil || a.UpstreamTime != 0 || s.asked != asked {
					t.Errorf("another caller: %+v, %v, %d calls; want an absence without a call", a, err, s.asked-asked)
				}
			}
			results := lookup.Several(as(t.Context(), "43"), []string{"order:42:x", "order:43:x"}, l.Item)
			if !results[0].Absent() || results[1].Err != nil && s.err == nil {
				t.Errorf("another caller's batch: %+v", results)
			}
			time.Sleep(11 * time.Second)
			s.err = errDown // the next answer is stale
		}
	})
}
