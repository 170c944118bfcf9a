//go:build !race

package gateway_test

import (
	"net/http"
	"testing"

	"voxkv/internal/gateway"
)

// TestAllocations is not built for the race detector: there, the pools of the JSON library drop what they hold at random.
func TestAllocations(t *testing.T) {
	g := &gateway.Gateway{HTTP: http.HandlerFunc(serveItem)}
	payload := read(t, "http-api-item.json")
	got := testing.AllocsPerRun(100, func() {
		if _, err := g.Invoke(t.Context(), payload); err != nil {
			t.Fatal(err)
		}
	})
	// 81 were measured. The bound leaves room for another version of Go.
	if got > 95 {
		t.Errorf("Invoke allocates %v times; want at most 95", got)
	}
}
