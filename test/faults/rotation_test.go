//go:build linux

package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"voxkv/internal/e2etest"
)

// bare keeps copies from standing in for what upstream does not give.
var bare = []string{"LOCAL_MAX_AGE=0s", "STALE_MAX_AGE=0s"}

// requests lets n callers ask for items, one after the other each, until the
// test ends or stop is called, and returns their answers.
func (s *sandbox) requests(t *testing.T, n int) (answers <-chan answer, stop func()) {
	t.Helper()
	all, end := make(chan answer), make(chan bool)
	var running sync.WaitGroup
	for caller := range n {
		running.Go(func() {
			for i := caller; ; i++ {
				a := s.get(t, fmt.Sprint("order:", 1+i%9), 10*time.Second)
				select {
				case all <- a:
				case <-end:
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		close(end)
		running.Wait()
	})
	t.Cleanup(stop)
	return all, stop
}

// keyIDs returns the ids of the keys that signed the tokens of all calls from now on.
func (s *sandbox) keyIDs() func() []string {
	var mu sync.Mutex // guards ids
	var ids []string
	s.Voximplant.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		token, _, err := jwt.NewParser().ParseUnverified(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), jwt.MapClaims{})
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			ids = append(ids, fmt.Sprint(token.Header["kid"]))
		}
		return false
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(ids)
	}
}

// TestRotation: the key changes under way as Secrets Manager's rotation does
// it, and nobody notices.
func TestRotation(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"one after the other": 1, "at once": callers} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) { newBubble(t, bare...).checkRotation(t, n) })
		})
	}
}

// checkRotation has n callers ask all the while.
func (s *sandbox) checkRotation(t *testing.T, n int) {
	t.Helper()
	used := s.keyIDs()
	answers, stop := s.requests(t, n)
	expect := func(when string, reads int) {
		for range 10 * n {
			(<-answers).want(t, when, 200)
		}
		if got := s.Secrets.Calls(); got != reads {
			t.Errorf("%s: the secret was read %d times; want %d", when, got, reads)
		}
	}
	expect("at first", 1)
	version := s.Secrets.PutPending(e2etest.SecretID, string(accounts[1].Credentials()))
	expect("with a pending version", 1)
	s.admit()
	s.Secrets.Promote(e2etest.SecretID, version)
	expect("with a new version, while both keys are good", 1)
	if ids := used(); slices.Contains(ids, accounts[1].KeyID) {
		t.Error("a key was used before there was a need")
	}
	s.Voximplant.RemoveKey(accounts[0].KeyID)
	expect("once the old key is refused", 2)
	stop()
	if ids := used(); ids[len(ids)-1] != accounts[1].KeyID {
		t.Error("the new key is not in use")
	}
	if stages := s.Secrets.Stages(); slices.ContainsFunc(stages, func(stage string) bool { return stage != "AWSCURRENT" }) {
		t.Errorf("stages asked for: %q; want AWSCURRENT alone", stages)
	}
}

// TestRevokedKey: a key that is really gone makes a clear problem and no
// storm, and a good one that is stored later comes into use without a restart.
func TestRevokedKey(t *testing.T) {
	t.Parallel()
	inBubble(t, checkRevokedKey)
}

func checkRevokedKey(t *testing.T) {
	s := newBubble(t, bare...)
	s.get(t, "order:1", 10*time.Second).want(t, "before", 200)
	nextSecond()
	before := s.counts()
	s.Voximplant.RemoveKey(accounts[0].KeyID)
	answers, stop := s.requests(t, callers)
	for range 500 {
		(<-answers).want(t, "with a revoked key", 502)
	}
	after := s.counts()
	if reads := after.reads - before.reads; reads != 1 {
		t.Errorf("the secret was read %d times; want once", reads)
	}
	// Each caller is refused with the old token and may be with the new one.
	if calls := after.calls - before.calls; calls > 2*callers {
		t.Errorf("Voximplant was called %d times; want at most %d", calls, 2*callers)
	}
	s.rotate()
	stored := time.Now()
	for a := range answers {
		if a.StatusCode == 200 {
			break
		}
		if time.Since(stored) > time.Minute {
			t.Fatal("a minute after a good key was stored it is not in use")
		}
		nextSecond()
	}
	stop()
}
