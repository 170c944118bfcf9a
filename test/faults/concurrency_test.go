//go:build linux

package faults

import (
	"net/http"
	"testing"
	"time"
)

// The tests in this file are for the race detector too: make test has it.

// TestConcurrentFaults: what is shared is also used while all goes wrong.
func TestConcurrentFaults(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newBubble(t, "LOCAL_MAX_AGE=0s", "UPSTREAM_TIMEOUT=1s")
		answers, stop := s.requests(t, callers)
		for _, do := range []func(*testing.T, *sandbox){reply(429, html), raw("", ""), refuseToken, reply(200, html), failing} {
			do(t, s)
			for range 5 * callers {
				<-answers
			}
			s.Voximplant.Intercept(nil)
		}
		stop()
	})
}

func failing(_ *testing.T, s *sandbox) { s.api.cut() }

// TestCancelledCaller: whoever has to give up leaves the others their answer.
func TestCancelledCaller(t *testing.T) {
	t.Parallel()
	for first, second := range map[string]string{"hurried": "patient", "patient": "hurried"} {
		t.Run("first the "+first, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) { checkCancelledCaller(t, first, second) })
		})
	}
}

func checkCancelledCaller(t *testing.T, first, second string) {
	s := newBubble(t, "UPSTREAM_TIMEOUT=1m")
	asked, release := make(chan bool, 10), make(chan bool)
	s.Voximplant.Intercept(func(http.ResponseWriter, *http.Request) bool {
		asked <- true
		<-release
		return false
	})
	results := map[string]chan answer{"hurried": make(chan answer, 1), "patient": make(chan answer, 1)}
	waits := map[string]time.Duration{"hurried": 1500 * time.Millisecond, "patient": time.Minute}
	ask := func(who string) { go func() { results[who] <- s.get(t, "order:1", waits[who]) }() }
	ask(first)
	<-asked
	ask(second)
	(<-results["hurried"]).want(t, "hurried", 504)
	close(release)
	(<-results["patient"]).want(t, "patient", 200)
	if n := s.counts().calls; first == "patient" && n != 1 {
		t.Errorf("Voximplant was asked %d times; want 1", n)
	}
}
