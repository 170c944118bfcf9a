package lookup_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

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
		c := &clock{time: time.Now()}
		l := s.lookup(t, func(config *lookup.Config) { config.Scope, config.Now = scopeOf(t, "{sub} max-age=2s, *"), c.now })
		find(t, l, "a", "v", lookup.FromUpstream)
		c.time = c.time.Add(10 * time.Second)
		var joined *result
		c.whenRead = func() { // the patient caller has seen the old copy
			find(t, l, "a", "v", lookup.FromUpstream)
			c.time = c.time.Add(time.Second)
			c.whenRead = func() { // its fetch has seen the new one
				joined = ask(as(t.Context(), "a"), l)
				synctest.Wait()
			}
		}
		if a, err := l.Item(as(t.Context(), "b"), "a"); err != nil || a.Age >= 10*time.Second {
			t.Errorf("the patient caller: %+v, %v", a, err)
		}
		synctest.Wait()
		if joined.err != nil || joined.Age >= time.Second || s.asked.Load() != 3 {
			t.Errorf("the strict caller: %+v after %d calls; want an item less than 1 s old, after 3", joined, s.asked.Load())
		}
	})
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
