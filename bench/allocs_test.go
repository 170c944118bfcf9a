//go:build !race

package main

import "testing"

// Bounds of the allocations from an event's bytes to its response's. A 304 reads
// one header more and hides its body.
const (
	maxHitAllocs         = 130 // 82 were measured; an event of a REST API, with all headers in two maps, takes 110
	maxNotModifiedAllocs = 130 // 84 were measured
)

// TestHitAllocations is not for the race detector, which allocates by itself.
func TestHitAllocations(t *testing.T) {
	l, events := start(t, 1)
	item := events.event(orderKey(0), "")
	etag := get(t, l, item, 200).Headers["ETag"]
	for _, tt := range []struct {
		name    string
		payload []byte
		want    float64
	}{
		{"hit", item, maxHitAllocs},
		{"304", events.event(orderKey(0), etag), maxNotModifiedAllocs},
	} {
		got := testing.AllocsPerRun(200, func() {
			if _, err := l.invoke(t.Context(), tt.payload); err != nil {
				t.Fatal(err)
			}
		})
		if got > tt.want {
			t.Errorf("%s: %.0f allocations; want at most %.0f", tt.name, got, tt.want)
		}
	}
}
