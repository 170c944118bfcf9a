//go:build !race

package gateway_test

import (
	"net/http"
	"testing"

	"voxkv/internal/gateway"
)

// TestAllocations is not for the race detector, under which a pool forgets at random.
func TestAllocations(t *testing.T) {
	g := &gateway.Gateway{HTTP: http.HandlerFunc(serveItem)}
	payload := read(t, "http-api-item.json")
	got := testing.AllocsPerRun(100, func() {
		if _, err := g.Invoke(t.Context(), payload); err != nil {
			t.Fatal(err)
		}
	})
	// 92 were measured, 54 of them for decoding the event. A decoder made anew each time would make it 129.
	if got > 105 {
		t.Errorf("Invoke allocates %v times; want at most 105", got)
	}
}
