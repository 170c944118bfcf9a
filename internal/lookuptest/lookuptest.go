// Package lookuptest has lookups whose outcome a test chooses.
package lookuptest

import (
	"context"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// Value is what all items hold.
const Value = "the value that no log may hold"

// At is the time of all answers.
func At() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// Living finds an item that has left to live and was fetched age ago.
func Living(left, age time.Duration) lookup.Func {
	return func(_ context.Context, key string) (lookup.Answer, error) {
		item := &voximplant.KeyValueItem{Key: key, Value: Value, ExpiresAt: At().Add(left)}
		return lookup.Answer{Item: item, At: At(), Age: age, Left: left, Source: lookup.FromCache}, nil
	}
}

// Failing finds nothing, because of err.
func Failing(err error) lookup.Func {
	return func(context.Context, string) (lookup.Answer, error) {
		return lookup.Answer{At: At(), Source: lookup.FromNowhere}, err
	}
}

// Mixed finds the items short (30 s to live) and long (an hour, fetched 20 s ago).
// It fails for busy, panics for panic, and finds nothing under any other key.
func Mixed(ctx context.Context, key string) (lookup.Answer, error) {
	switch key {
	case "short":
		return Living(30*time.Second, 0)(ctx, key)
	case "long":
		return Living(time.Hour, 20*time.Second)(ctx, key)
	case "busy":
		return Failing(&voximplant.Error{Kind: voximplant.KindThrottled, Code: 100})(ctx, key)
	case "panic":
		panic(key)
	}
	return Failing(voximplant.ErrNotFound)(ctx, key)
}

// Waiting finds items that were fetched a second ago, and answers for the key slow
// four seconds after the others. The item under short lives for 3 s, that under
// long for 14 s.
func Waiting(ctx context.Context, key string) (lookup.Answer, error) {
	lives := map[string]time.Duration{"short": 3 * time.Second, "long": 14 * time.Second, "slow": time.Hour}
	a, err := Living(lives[key], time.Second)(ctx, key)
	if key == "slow" {
		a.At = a.At.Add(4 * time.Second)
	}
	return a, err
}
