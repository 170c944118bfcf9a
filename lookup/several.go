package lookup

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"voxkv/internal/panics"
	"voxkv/voximplant"
)

// maxParallel is the most keys that Several looks up at a time.
const maxParallel = 8

// A Func finds what is stored under a valid key, as Lookup.Item does.
type Func = func(ctx context.Context, key string) (Answer, error)

// A Result is what became of one key.
type Result struct {
	Key    string
	Answer Answer
	Err    error
}

// Absent reports whether the key has no item, as opposed to a failure.
func (r Result) Absent() bool { return errors.Is(r.Err, voximplant.ErrNotFound) }

// Several looks up keys side by side. The results have the order of keys. A key
// that fails does not keep the others from being answered, and all answers are
// brought to one time. Once tripAfter keys in a row have failed because upstream
// does, it is not asked for the rest of them.
func Several(ctx context.Context, keys []string, item Func) []Result {
	return Each(ctx, len(keys), func(ctx context.Context, i int) Result { return One(ctx, keys[i], item) })
}

// Each is Several for keys that one looks up by their number, such as keys of
// several callers.
func Each(ctx context.Context, n int, one func(ctx context.Context, i int) Result) []Result {
	results := make([]Result, n)
	ctx = context.WithValue(ctx, requestKey{}, &request{})
	var group errgroup.Group
	group.SetLimit(maxParallel)
	for i := range n {
		group.Go(func() error {
			results[i] = one(ctx, i)
			return nil
		})
	}
	group.Wait() //nolint:errcheck // no function of the group fails
	alignTimes(results)
	return results
}

// One looks up one key. The error is a *KeyError, a *panics.Error or item's.
func One(ctx context.Context, key string, item Func) (r Result) {
	defer panics.Recover(&r.Err) // Several runs this on goroutines where nothing else recovers
	r.Key = key
	if r.Err = CheckKey(key); r.Err == nil {
		r.Answer, r.Err = item(ctx, key)
	}
	return r
}

// alignTimes brings all answers to the time of the last one, when the first may
// have become old and its item may have expired.
func alignTimes(results []Result) {
	var last time.Time
	for _, r := range results {
		if r.Answer.At.After(last) {
			last = r.Answer.At
		}
	}
	for i := range results {
		if results[i].Err == nil {
			results[i].Err = results[i].Answer.advance(last)
		}
	}
}

// advance makes a the answer at a later time. The error is
// voximplant.ErrNotFound if the item has expired by then.
func (a *Answer) advance(to time.Time) error {
	waited := to.Sub(a.At)
	a.At, a.Age = to, a.Age+waited
	if a.Item.ExpiresAt.IsZero() {
		return nil
	}
	if a.Left -= waited; a.Left <= 0 {
		a.Item = nil
		return voximplant.ErrNotFound
	}
	return nil
}
