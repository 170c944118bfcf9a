//go:build linux

package faults

import (
	"testing"
	"time"
)

// TestDeadlines: whatever hangs, the answer is there before the invocation's
// time is over. The table has the same for HTTP and Voximplant; here is what it
// has not.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for _, f := range append(hangs(), fault{"connecting", dropping}) {
		t.Run("direct/"+f.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newBubble(t, "UPSTREAM_TIMEOUT=1m")
				f.do(t, s)
				s.checkTimeout(t)
			})
		})
	}
	for _, f := range mutes {
		t.Run("Secrets Manager/"+f.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newBubbleWorld(t)
				f.do(t, s)
				s.start(t, "UPSTREAM_TIMEOUT=1m")
				s.checkTimeout(t)
			})
		})
		t.Run("Secrets Manager, and the token is refused/"+f.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newBubble(t, "UPSTREAM_TIMEOUT=1m")
				nextSecond()
				f.do(t, s)
				refuseToken(t, s)
				a := s.get(t, "order:1", 2*time.Second) // not enough to find out that the secret can do without
				a.want(t, "with a deadline", 504)
				a.checkInTime(t)
			})
		})
	}
}

// checkTimeout expects timeouts that come in time, of HTTP and direct invocation.
func (s *sandbox) checkTimeout(t *testing.T) {
	t.Helper()
	const wait = 2 * time.Second
	a := s.get(t, "order:1", wait)
	a.want(t, "with a deadline", 504)
	a.checkInTime(t)
	time.Sleep(time.Minute) // until the question that this leaves behind has ended
	deadline := time.Now().Add(wait)
	result := s.invoke(t, `{"key":"order:2"}`, wait)
	if result.FunctionError == nil || result.FunctionError.Type != "UpstreamTimeout" {
		t.Errorf("direct invocation: %s; want UpstreamTimeout", result.Payload)
	}
	checkWords(t, "a function error", string(result.Payload), inside...)
	answer{left: time.Until(deadline)}.checkInTime(t)
}
