package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"voxkv/allowlist"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// A version is one value that upstream held under a key, from one time until another.
type version struct {
	value       string
	from, until time.Time
	end         time.Time // its expiry, zero if it has none
	replaces    bool      // a value that was there until then
}

// A history is an upstream that remembers what it held, and its clock.
type history struct {
	now     time.Time
	ahead   time.Duration // of its clock
	latency time.Duration // one way
	down    bool
	lazy    bool // it answers with items that have expired
	keys    map[string][]version
	puts    int
	asked   int
}

// maxLatency is the most of a history.
const maxLatency = 1400 * time.Millisecond

var forever = time.Unix(1<<40, 0)

func (h *history) fetch(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
	h.asked++
	h.now = h.now.Add(h.latency)
	defer func() { h.now = h.now.Add(h.latency) }()
	if h.down {
		return nil, errDown
	}
	versions := h.keys[key]
	if len(versions) == 0 {
		return nil, voximplant.ErrNotFound
	}
	v := versions[len(versions)-1]
	if expired := h.lazy && v.until.Equal(v.end); !h.now.Before(v.until) && !expired {
		return nil, voximplant.ErrNotFound
	}
	return &voximplant.KeyValueItem{Key: key, Value: v.value, ExpiresAt: v.end, Date: h.now.Add(h.ahead)}, nil
}

func (h *history) delete(key string) {
	if n := len(h.keys[key]); n > 0 && h.now.Before(h.keys[key][n-1].until) {
		h.keys[key][n-1].until = h.now
	}
}

// put stores a new value for ttl, for ever if that is 0.
func (h *history) put(key string, ttl time.Duration) {
	n := len(h.keys[key])
	stricter := h.now // as in check
	if h.ahead <= time.Hour {
		stricter = h.now.Add(max(h.ahead, 0))
	}
	replaces := n > 0 && stricter.Before(h.keys[key][n-1].until)
	h.delete(key)
	h.puts++
	v := version{value: fmt.Sprint(h.puts), from: h.now, until: forever, replaces: replaces}
	if ttl > 0 {
		v.end = time.Unix(h.now.Add(ttl).Unix(), 0)
		v.until = v.end
	}
	h.keys[key] = append(h.keys[key], v)
}

// held reports whether key held value at some time from the one to the other.
// Several changes may share a moment; each of their values was held then.
func (h *history) held(key, value string, from, to time.Time) bool {
	for _, v := range h.keys[key] {
		if v.value == value && !v.from.After(to) && !v.until.Before(from) {
			return true
		}
	}
	return false
}

// wasAbsent reports whether key held nothing at some time from the one to the other.
func (h *history) wasAbsent(key string, from, to time.Time) bool {
	for _, v := range h.keys[key] {
		if v.from.After(from) || v.from.Equal(from) && !v.replaces {
			break
		}
		if v.until.After(from) {
			from = v.until // held from the start at least until here
		}
	}
	return !from.After(to)
}

// check holds one answer to what a Lookup promises.
func (h *history) check(t *testing.T, c lookup.Config, key string, a lookup.Answer, err error) {
	t.Helper()
	stricter := h.now
	if 0 < a.Skew && a.Skew <= time.Hour {
		stricter = h.now.Add(a.Skew)
	}
	asked, answered := h.now.Add(-a.Age), h.now.Add(-a.Age)
	wantAge := time.Duration(0)
	if a.Source == lookup.FromUpstream {
		answered, wantAge = h.now, 2*h.latency
	}
	local, stale := c.LocalMaxAge, c.StaleMaxAge
	if key == "a" { // whose rule has a max-age of its own
		local = min(local, ruleMaxAge/2)
		if c.StaleFollowsRule {
			stale = ruleMaxAge
		}
	}
	if a.Item == nil {
		local = c.LocalMaxAge
	}
	limit := map[lookup.Source]time.Duration{lookup.FromCache: local, lookup.FromStaleCache: stale}[a.Source]
	if a.Source == lookup.FromCache && a.Item == nil {
		limit = min(limit, c.NotFoundMaxAge)
	}
	switch {
	case !a.At.Equal(h.now):
		t.Fatalf("At = %v; want %v", a.At, h.now)
	case limit == 0 && a.Age != wantAge, limit > 0 && (a.Age < 0 || a.Age >= limit):
		t.Fatalf("Age = %v from %s; want less than %v", a.Age, a.Source, limit)
	case err == nil && a.Item == nil:
		t.Fatal("neither an item nor an error")
	case err != nil && a.Item != nil:
		t.Fatalf("the item %+v and the error %v", a.Item, err)
	case err == nil && (a.Skew > h.ahead || a.Skew < h.ahead-maxLatency):
		t.Fatalf("Skew = %v; want %v", a.Skew, h.ahead)
	case err == nil && !a.Item.ExpiresAt.IsZero() && !stricter.Before(a.Item.ExpiresAt):
		t.Fatalf("an item that ended at %v, at %v", a.Item.ExpiresAt, stricter)
	case err == nil && !a.Item.ExpiresAt.IsZero() && a.Left != a.Item.ExpiresAt.Sub(stricter):
		t.Fatalf("Left = %v; want %v", a.Left, a.Item.ExpiresAt.Sub(stricter))
	case err == nil && a.Item.ExpiresAt.IsZero() && (a.Left != 0 || a.Source != lookup.FromUpstream):
		t.Fatalf("Left = %v from %s of an item without an end; want 0s from upstream", a.Left, a.Source)
	case err == nil && !h.held(key, a.Item.Value, asked, answered):
		t.Fatalf("the value %q, which upstream did not hold %v ago", a.Item.Value, a.Age)
	case errors.Is(err, errDown) && !h.down:
		t.Fatalf("%v, though upstream is up", err)
	case errors.Is(err, voximplant.ErrNotFound) && a.Source == lookup.FromUpstream && h.down:
		t.Fatal("absence from upstream, which is down")
	case errors.Is(err, voximplant.ErrNotFound) && !h.wasAbsent(key, asked, stricter):
		t.Fatalf("ErrNotFound from %s, of an item there for the last %v", a.Source, a.Age)
	}
}

// rules are those of a fuzzed Lookup. Only the caller whose claim is c may read that key.
const (
	rules      = "a max-age=6s,b,{sub}"
	ruleMaxAge = 6 * time.Second
)

// FuzzLookup takes a Lookup through any sequence of times, callers, changes and
// failures upstream. It must never give an item at or after its end, nor one older
// than its limits, nor a value that upstream did not hold at the time it says, nor
// one to a caller who may not have it.
func FuzzLookup(f *testing.F) {
	random := rand.NewChaCha8([32]byte{})
	for range 200 {
		sequence := make([]byte, 300)
		random.Read(sequence)
		f.Add(sequence)
	}
	f.Fuzz(func(t *testing.T, sequence []byte) {
		h := &history{now: time.Unix(1_800_000_000, 0), keys: map[string][]version{}}
		var config lookup.Config
		l := newLookup(t, func(c *lookup.Config) {
			c.Fetch, c.Now, c.MaxItems = h.fetch, func() time.Time { return h.now }, 2
			c.Scope = scopeOf(t, rules)
			if len(sequence) > 0 {
				c.LocalMaxAge = time.Duration(sequence[0]%4) * 5 * time.Second
				c.StaleMaxAge = time.Duration(sequence[0]/4%4) * 10 * time.Second
				h.ahead = []time.Duration{0, 30 * time.Second, -30 * time.Second, 2 * time.Hour}[sequence[0]/16%4]
				c.StaleFollowsRule = sequence[0]/64%2 == 1
				h.lazy = sequence[0] >= 128
			}
			config = *c
		})
		for len(sequence) >= 2 {
			h.step(t, l, config, sequence[0], sequence[1])
			sequence = sequence[2:]
		}
	})
}

// step does what op says, with n.
func (h *history) step(t *testing.T, l *lookup.Lookup, c lookup.Config, op, n byte) {
	key := string('a' + rune(n%3))
	switch op % 8 {
	case 0:
		h.now = h.now.Add(time.Duration(n) * 250 * time.Millisecond)
	case 1:
		h.put(key, time.Duration(n)*200*time.Millisecond)
	case 2:
		h.delete(key)
	case 3:
		h.down = n%2 == 0
	case 4:
		h.latency = time.Duration(n%3) * maxLatency / 2
	default:
		caller := []string{"a", "c"}[n/3%2]
		ctx := allowlist.WithCaller(t.Context(), allowlist.Caller{Claims: allowlist.Claims{"sub": caller}})
		asked := h.asked
		a, err := l.Item(ctx, key)
		if key == "c" && caller != "c" {
			if a.Item != nil || !errors.Is(err, voximplant.ErrNotFound) || h.asked != asked || !a.Rule.Private || a.Source != lookup.FromScope {
				t.Fatalf("caller %q, key %q: %+v, %v after %d calls; want a private absence, without a call", caller, key, a, err, h.asked-asked)
			}
			return
		}
		h.check(t, c, key, a, err)
	}
}
