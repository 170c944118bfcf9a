package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// TestForget: the next who asks gets what upstream says then, whether a copy or an absence was known. What was
// forgotten does not stand in for an upstream that fails.
func TestForget(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{"copy": "before", "absence": ""} {
		inBubble(t, name, func(t *testing.T) {
			var s upstream
			if before != "" {
				s.put(before, time.Hour)
			}
			l := s.lookup(t, nil)
			find(t, l, "a", before, lookup.FromUpstream)
			find(t, l, "b", before, lookup.FromUpstream)
			l.Forget("a")
			l.Forget("never asked for")
			s.err = errDown
			if a, err := l.Item(t.Context(), "a"); !errors.Is(err, errDown) || a.Item != nil {
				t.Errorf("Item = %+v, %v; want the failure", a, err)
			}
			s.err = nil
			s.put("after", time.Hour)
			find(t, l, "a", "after", lookup.FromUpstream)
			find(t, l, "a", "after", lookup.FromCache)
			find(t, l, "b", before, lookup.FromCache) // another key is not concerned
		})
	}
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
