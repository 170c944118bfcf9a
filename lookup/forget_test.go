package lookup_test

import (
	"context"
	"fmt"
	"sync"
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
		inBubble(t, name, func(t *testing.T) {
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

// TestForgetStartsNewQuestions: who asks after a write does not wait for the
// answer to a question from before it.
func TestForgetStartsNewQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookup(t, func(c *lookup.Config) {
			c.Fetch = firstWaits(func(ctx context.Context) (*voximplant.KeyValueItem, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}, item("after"))
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
