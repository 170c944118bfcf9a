package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// A patient is an upstream that can be made to fail.
type patient struct {
	*lookup.Lookup
	err   error
	asked int
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	p := &patient{}
	scope, err := lookup.ParseScope("*")
	if err != nil {
		t.Fatal(err)
	}
	p.Lookup, err = lookup.New(lookup.Config{
		Scope: scope, MaxItems: 10, Timeout: time.Second, StaleMaxAge: time.Hour,
		Fetch: func(_ context.Context, key string) (*voximplant.KeyValueItem, error) {
			p.asked++
			if p.err != nil {
				return nil, p.err
			}
			return &voximplant.KeyValueItem{Key: key, ExpiresAt: time.Now().Add(24 * time.Hour)}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fail asks for n items while upstream fails with err.
func (p *patient) fail(t *testing.T, n int, err error) {
	t.Helper()
	p.err = err
	for range n {
		if _, got := p.Item(t.Context(), "k"); got == nil {
			t.Fatal("Item succeeded while upstream fails")
		}
	}
}

func TestFailingUpstreamIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.fail(t, 100, &voximplant.Error{Kind: voximplant.KindUnavailable, Status: 503})
		if p.asked != 5 {
			t.Errorf("100 requests asked a failing upstream %d times; want 5", p.asked)
		}
		_, err := p.Item(t.Context(), "other")
		failed, ok := errors.AsType[*voximplant.Error](err)
		if !ok || failed.Kind != voximplant.KindUnavailable || failed.RetryAfter <= 0 || failed.RetryAfter > 2*time.Second {
			t.Errorf("while it is left alone: %v; want unavailable with 1 s or a little more to wait", err)
		}
	})
}

// TestRestsGrow: in ten minutes of outage upstream is asked about every half
// minute, and the first good answer ends it.
func TestRestsGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		for range 6000 {
			p.fail(t, 1, &voximplant.Error{Kind: voximplant.KindThrottled})
			time.Sleep(100 * time.Millisecond)
		}
		if p.asked < 5+600/30-2 || p.asked > 5+6+600/30 {
			t.Errorf("in ten minutes of outage it was asked %d times; want about 28", p.asked)
		}
		p.err = nil
		time.Sleep(31 * time.Second)
		asked := p.asked
		for range 3 {
			if _, err := p.Item(t.Context(), "k"); err != nil {
				t.Errorf("after the outage: %v", err)
			}
		}
		if p.asked != asked+3 {
			t.Errorf("after the outage 3 requests asked %d times; want 3", p.asked-asked)
		}
	})
}

// TestFailingTogetherIsOneFailure: many questions that fail at the same time
// bring one rest, of the first length.
func TestFailingTogetherIsOneFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) {
			time.Sleep(100 * time.Millisecond)
			return nil, &voximplant.Error{Kind: voximplant.KindUnavailable}
		}
		for i := range 40 {
			go p.Item(t.Context(), fmt.Sprint("k", i))
		}
		synctest.Wait()
		time.Sleep(200 * time.Millisecond)
		_, err := p.Item(t.Context(), "k")
		if failed, ok := errors.AsType[*voximplant.Error](err); !ok || failed.RetryAfter > 1500*time.Millisecond {
			t.Errorf("after 40 failures at once: %v; want a rest of 1.5 s at most", failed)
		}
	})
}

// TestOneTries: when a rest is over, one question tries for all.
func TestOneTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.fail(t, 5, &voximplant.Error{Kind: voximplant.KindUnavailable})
		time.Sleep(2 * time.Second)
		hang := make(chan struct{})
		asked := 0
		p.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) {
			asked++
			<-hang
			return nil, voximplant.ErrNotFound
		}
		go p.Item(t.Context(), "first")
		synctest.Wait()
		if _, err := p.Item(t.Context(), "second"); err == nil || asked != 1 {
			t.Errorf("beside a question that tries, another got %v; %d were asked", err, asked)
		}
		close(hang)
		synctest.Wait()
		if _, err := p.Item(t.Context(), "third"); !errors.Is(err, voximplant.ErrNotFound) {
			t.Errorf("after a good answer: %v; want it asked", err)
		}
	})
}

// TestAnswersAreNoFailures: what is about one key, or about our own key, must
// not keep the others from being asked for.
func TestAnswersAreNoFailures(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		voximplant.ErrNotFound,
		&voximplant.Error{Kind: voximplant.KindMalformed},
		&voximplant.Error{Kind: voximplant.KindFailed},
		&voximplant.Error{Kind: voximplant.KindCredentials},
		&voximplant.Error{Kind: voximplant.KindConfiguration},
	} {
		p := newPatient(t)
		p.fail(t, 50, err)
		if p.asked != 50 {
			t.Errorf("%v: 50 requests asked %d times; want 50", err, p.asked)
		}
	}
}

// TestCopiesServeMeanwhile: a rest of upstream is no rest for the copies.
func TestCopiesServeMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		if _, err := p.Item(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		p.err = &voximplant.Error{Kind: voximplant.KindUnavailable}
		for range 20 {
			if a, err := p.Item(t.Context(), "k"); err != nil || a.Source != lookup.FromOldCopy {
				t.Fatalf("Item = %v, %v; want the old copy", a.Source, err)
			}
		}
		if p.asked != 1+5 {
			t.Errorf("asked %d times; want 6", p.asked)
		}
	})
}

// TestRestIsOfItsKind: who is told to wait is told why, and as long as the API asked.
func TestRestIsOfItsKind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.fail(t, 5, &voximplant.Error{Kind: voximplant.KindThrottled, RetryAfter: 20 * time.Second})
		_, err := p.Item(t.Context(), "k")
		if failed, ok := errors.AsType[*voximplant.Error](err); !ok || failed.Kind != voximplant.KindThrottled || failed.RetryAfter != 20*time.Second || p.asked != 5 {
			t.Errorf("Item = %v after %d questions; want throttled, for 20 s, after 5", err, p.asked)
		}
	})
}
