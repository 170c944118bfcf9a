//go:build linux

package faults

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// silentNames: a name server that never answers hangs like everything else.
func silentNames(t *testing.T) {
	silent, asked := resolving(t)
	s := newWorld(t)
	if err := s.tryStart(t, silent, "VOXIMPLANT_API_URL=https://api.example.com/platform_api", "UPSTREAM_TIMEOUT=1m", "GODEBUG=netdns=go"); err != nil {
		t.Fatal(err)
	}
	s.get(t, "order:1", 2*time.Second).want(t, "with a deadline", 504)
	s.get(t, "order:3", patience).want(t, "with all the time there is", 504)
	if asked.Load() == 0 {
		t.Error("the name server was not asked")
	}
}

// resolving returns a bootstrap that asks a name server that never answers, and
// how often that was asked.
func resolving(t *testing.T) (string, *atomic.Int64) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:53")
	if err != nil {
		t.Skip("NOT TESTED: the port of a name server: ", err)
	}
	t.Cleanup(func() { conn.Close() })
	asked := new(atomic.Int64)
	go func() {
		for {
			if _, _, err := conn.ReadFrom(make([]byte, 512)); err != nil {
				return
			}
			asked.Add(1)
		}
	}()
	dir := t.TempDir()
	file := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver 127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("NOT TESTED: ", err)
	}
	inside := fmt.Sprintf("%s --mount --map-root-user sh -c 'mount --bind %s /etc/resolv.conf && exec %%s'", unshare, file)
	if out, err := exec.Command("sh", "-c", fmt.Sprintf(inside, "true")).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: a name server of our own: %v: %s", err, out)
	}
	script := filepath.Join(dir, "bootstrap")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec "+fmt.Sprintf(inside, bootstrap)+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return script, asked
}
