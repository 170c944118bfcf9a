package lookup_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/allowlist"
	"voxkv/lookup"
	"voxkv/voximplant"
)

var errDown = errors.New("upstream is down")

// inBubble runs test as the part name of t, in a bubble in which nothing takes real time.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	})
}

func scopeOf(t testing.TB, list string) allowlist.List {
	t.Helper()
	scope, err := allowlist.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return scope
}

// as is a context in which the caller with this claim asks.
func as(ctx context.Context, sub string) context.Context {
	return allowlist.WithCaller(ctx, allowlist.Caller{Claims: allowlist.Claims{"sub": sub}})
}

// newLookup returns a Lookup of every key, after edit has changed its Config.
func newLookup(t testing.TB, edit func(*lookup.Config)) *lookup.Lookup {
	t.Helper()
	c := lookup.Config{
		Scope:          scopeOf(t, "*"),
		LocalMaxAge:    10 * time.Second,
		NotFoundMaxAge: 5 * time.Second,
		StaleMaxAge:    time.Minute,
		MaxItems:       100,
		Timeout:        5 * time.Second,
	}
	edit(&c)
	l, err := lookup.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// An upstream has one item under every key. The test changes it.
type upstream struct {
	item  *voximplant.KeyValueItem // nil if there is none
	ahead time.Duration            // of its clock, if date is set
	date  bool
	err   error
	delay time.Duration // after it, the answer is what was true before it
	asked atomic.Int32
}

func (s *upstream) fetch(ctx context.Context, _ string) (*voximplant.KeyValueItem, error) {
	s.asked.Add(1)
	item, err := s.answer()
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return item, err
}

func (s *upstream) answer() (*voximplant.KeyValueItem, error) {
	switch {
	case s.err != nil:
		return nil, s.err
	case s.item == nil:
		return nil, voximplant.ErrNotFound
	}
	item := *s.item
	if s.date {
		item.Date = time.Now().Add(s.ahead)
	}
	return &item, nil
}

// put stores value for ttl from now, for ever if that is 0.
func (s *upstream) put(value string, ttl time.Duration) {
	s.item = &voximplant.KeyValueItem{Key: "a", Value: value}
	if ttl != 0 {
		s.item.ExpiresAt = time.Now().Add(ttl)
	}
}

func (s *upstream) lookup(t testing.TB, edit func(*lookup.Config)) *lookup.Lookup {
	t.Helper()
	return newLookup(t, func(c *lookup.Config) {
		c.Fetch = s.fetch
		if edit != nil {
			edit(c)
		}
	})
}

// A clock stands still. When it is read next, it first does what the test wants then.
type clock struct {
	time     time.Time
	whenRead func()
}

func (c *clock) now() time.Time {
	if do := c.whenRead; do != nil {
		c.whenRead = nil
		do()
	}
	return c.time
}

// find asks for key as the caller a, and checks the value, "" for none, and the source.
func find(t *testing.T, l *lookup.Lookup, key, value string, source lookup.Source) lookup.Answer {
	t.Helper()
	a, err := l.Item(as(t.Context(), "a"), key)
	got := ""
	if a.Item != nil {
		got = a.Item.Value
	}
	if got != value || a.Source != source {
		t.Fatalf("Item(%q) = value %.20q, source %s; want %.20q, %s", key, got, a.Source, value, source)
	}
	switch {
	case value != "" && err != nil:
		t.Fatalf("Item(%q) = _, %v; want no error", key, err)
	case value == "" && !errors.Is(err, voximplant.ErrNotFound):
		t.Fatalf("Item(%q) = _, %v; want ErrNotFound", key, err)
	}
	return a
}
