package main

import (
	"testing"
	"time"
)

// TestLeast holds the limit of the tables against sums done by hand.
func TestLeast(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		network     network
		cold, again time.Duration
	}{
		"the secret takes longer":     {network{0, 5 * ms, 1 * ms, 10 * ms}, (3 + 10 + 5) * ms, 5 * ms},
		"the connection takes longer": {network{20 * ms, 5 * ms, 1 * ms, 10 * ms}, (40 + 20 + 5) * ms, 65 * ms},
		"far away":                    {network{100 * ms, 5 * ms, 1 * ms, 10 * ms}, (200 + 100 + 5) * ms, 305 * ms},
		"both are near":               {network{5 * ms, 80 * ms, 2 * ms, 20 * ms}, (26 + 5 + 80) * ms, 95 * ms},
	} {
		if cold, again := tt.network.cold(), tt.network.again(); cold != tt.cold || again != tt.again {
			t.Errorf("%s: cold %v, after a pause %v; want %v, %v", name, cold, again, tt.cold, tt.again)
		}
	}
}
