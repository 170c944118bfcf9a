package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/internal/lookuptest"
	"voxkv/internal/panics"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// TestSeveral: each key has its own outcome, in the order of the keys.
func TestSeveral(t *testing.T) {
	t.Parallel()
	keys := []string{"short", "absent", "busy", "not a key", "panic", "short"}
	results := lookup.Several(t.Context(), keys, lookuptest.Mixed)
	var got []string
	for i, r := range results {
		_, panicked := errors.AsType[*panics.Error](r.Err)
		_, notAKey := errors.AsType[*lookup.KeyError](r.Err)
		if r.Key != keys[i] || (r.Answer.Item != nil) != (r.Err == nil) {
			t.Errorf("result %d = %+v; want that of %q", i, r, keys[i])
		}
		got = append(got, fmt.Sprint(r.Answer.Source, " ", r.Absent(), panicked, notAKey))
	}
	want := []string{"hit false false false", "none true false false", "none false false false", " false false true", " false true false", "hit false false false"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("source, absent, panicked, not a key = %q; want %q", got, want)
	}
	if results := lookup.Several(t.Context(), nil, nil); len(results) != 0 {
		t.Errorf("Several of no key = %v; want no result", results)
	}
}

// TestSeveralAlignsTimes: while one key is waited for, the items of the others
// become older and may expire.
func TestSeveralAlignsTimes(t *testing.T) {
	t.Parallel()
	item := func(ctx context.Context, key string) (lookup.Answer, error) {
		a, err := lookuptest.Waiting(ctx, key)
		if key == "endless" {
			a.Item.ExpiresAt = time.Time{}
		}
		return a, err
	}
	for _, keys := range [][]string{{"short", "long", "slow", "endless"}, {"slow", "endless", "long", "short"}} {
		for _, r := range lookup.Several(t.Context(), keys, item) {
			want := map[string]lookup.Answer{
				"short":   {Age: 5 * time.Second, Left: -time.Second},
				"long":    {Age: 5 * time.Second, Left: 10 * time.Second},
				"slow":    {Age: time.Second, Left: time.Hour},
				"endless": {Age: 5 * time.Second},
			}[r.Key]
			if r.Answer.Age != want.Age || r.Answer.Left != want.Left || !r.Answer.At.Equal(lookuptest.At().Add(4*time.Second)) {
				t.Errorf("%s = %+v; want age %v, left %v at the time of the last answer", r.Key, r.Answer, want.Age, want.Left)
			}
			if r.Absent() != (r.Key == "short") || (r.Answer.Item == nil) != r.Absent() {
				t.Errorf("%s = %+v; want only short expired", r.Key, r)
			}
		}
	}
}

// TestSeveralIsBounded: 50 keys are looked up side by side, at most 8 at a time.
func TestSeveralIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var now, most, total int
		lookup.Several(t.Context(), names("k", 50), func(context.Context, string) (lookup.Answer, error) {
			mu.Lock()
			now, total = now+1, total+1
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return lookup.Answer{}, voximplant.ErrNotFound
		})
		if most != 8 || total != 50 {
			t.Errorf("%d lookups, %d at a time; want 50, 8", total, most)
		}
	})
}
