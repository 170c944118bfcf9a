package main

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/runtimetest"
)

// newBench is a small one for tests, which count and never assert a time.
func newBench(t *testing.T) (*bench, *contender) {
	t.Helper()
	bootstrap, err := e2etest.Build(t.Context(), t.TempDir(), "voxkv/cmd/lambda")
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	events, err := readTemplate("..")
	if err != nil {
		t.Fatal(err)
	}
	w.set(network{Distance: 2 * time.Millisecond})
	return &bench{world: w, events: events}, &contender{Name: "voxkv", bootstrap: bootstrap}
}

// TestFirstRequest: Init reads the secret and opens a connection to the API,
// the first request asks the API once, and all is done once. The connection of
// Init is not yet there for a request that comes within microseconds of it, so
// one of several runs must show that the request has it.
func TestFirstRequest(t *testing.T) {
	t.Parallel()
	b, voxkv := newBench(t)
	for range 20 { // however busy the machine is
		if firstRequest(t, b, voxkv) == 1 {
			return
		}
	}
	t.Error("the first request never had the connection that Init opened")
}

// firstRequest returns how many connections to the API there were after it.
func firstRequest(t *testing.T, b *bench, voxkv *contender) int {
	t.Helper()
	api, secrets := b.world.api.counts(), b.world.secrets.counts()
	p, err := b.start(t.Context(), voxkv, shares{}, "METRICS=true")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if got := b.world.api.counts().since(api); got.Requests != 0 {
		t.Errorf("Init: %+v to the API; want no request", got)
	} else if got.Connections != 1 {
		return 0 // Init is bounded, and the machine was too slow for it
	}
	if _, _, err := b.invoke(t.Context(), p, b.events.event(orderKey(0), ""), http.StatusOK); err != nil {
		t.Fatal(err)
	}
	got := b.world.api.counts().since(api)
	if got.Requests != 1 || got.Handshakes != got.Connections {
		t.Errorf("the first request: %+v to the API; want one request, and no handshake that failed", got)
	}
	if read, want := b.world.secrets.counts().since(secrets), (reached{1, 1, 1}); read != want {
		t.Errorf("the first request: %+v to Secrets Manager; want %+v", read, want)
	}
	p.Stop()
	if signed := sum(p.Output(), "TokensSigned"); signed != 1 {
		t.Errorf("the first request: %d signatures; want 1", signed)
	}
	return got.Connections
}

// TestPause: a process that is frozen for longer than it keeps a connection
// makes a new one for its next request, and tries nothing that fails. The API
// would have kept the connection. Where a process was frozen while it opened
// another one, it has that after the pause; so one of several must show it.
func TestPause(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it pauses for a minute")
	}
	b, voxkv := newBench(t)
	item := b.events.event(orderKey(0), "")
	var frozen []*runtimetest.Process
	for range 4 {
		p, err := b.start(t.Context(), voxkv, shares{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Stop()
		if _, _, err := b.invoke(t.Context(), p, item, http.StatusOK); err != nil {
			t.Fatal(err)
		}
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		frozen = append(frozen, p)
	}
	time.Sleep(serverIdle - 5*time.Second)
	shown := false
	for _, p := range frozen {
		before := b.world.api.counts()
		if err := p.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.invoke(t.Context(), p, item, http.StatusOK); err != nil {
			t.Fatal(err)
		}
		got := b.world.api.counts().since(before)
		if got.Requests != 1 || got.Connections > 1 {
			t.Errorf("after a pause: %+v to the API; want one request and one connection", got)
		}
		shown = shown || got == reached{1, 1, 1}
	}
	if !shown {
		t.Error("no request after a pause made a new connection")
	}
}
