//go:build linux

package faults

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"
)

// frozen stops the process as Lambda does between invocations, does what
// happens meanwhile, and lets it go on.
func (s *sandbox) frozen(t *testing.T, meanwhile func()) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	for s.state(t) != 'T' {
		time.Sleep(time.Millisecond)
	}
	meanwhile()
	s.signal(t, syscall.SIGCONT)
}

func (s *sandbox) signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := s.real.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// state is how the kernel sees the process (proc(5)); T is stopped.
func (s *sandbox) state(t *testing.T) byte {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.real.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := bytes.Cut(stat, []byte(") "))
	return fields[0]
}

// TestFreezeOverAnEnd: an item that ends during a freeze is not there after it,
// however young its copy is and whatever Voximplant does.
func TestFreezeOverAnEnd(t *testing.T) {
	t.Parallel()
	for _, after := range []struct {
		name   string
		do     func(*testing.T, *sandbox)
		status int
	}{
		{"well", func(*testing.T, *sandbox) {}, 404},
		{"failing", reply(500, html), 503},
		{"unreachable", func(_ *testing.T, s *sandbox) { s.api.refuse() }, 503},
	} {
		t.Run(after.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, "LOCAL_MAX_AGE=60s")
			key, end := s.readBrief(t)
			s.frozen(t, func() {
				after.do(t, s)
				time.Sleep(time.Until(end))
			})
			s.get(t, key, patience).want(t, "after", after.status)
		})
	}
}

// readBrief has the function read an item that is about to end. A slow machine
// gets more time for it.
func (s *sandbox) readBrief(t *testing.T) (key string, end time.Time) {
	t.Helper()
	for life := 3 * time.Second; ; life *= 2 {
		key, end = fmt.Sprint("order:brief:", life), time.Now().Add(life).Truncate(time.Second)
		s.Voximplant.Put(key, itemValue, end)
		if s.get(t, key, patience).StatusCode == http.StatusOK {
			return key, end
		}
	}
}

// TestFreezeOverAQuestion: a question that an invocation left behind is
// answered during the freeze, and what it answers has ended when it is read.
func TestFreezeOverAQuestion(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "LOCAL_MAX_AGE=60s")
	asked, answered, release := make(chan bool, 100), make(chan bool, 100), make(chan bool)
	var end time.Time
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		asked <- true
		<-release
		fmt.Fprintf(w, `{"result":{"key":"order:brief","value":"v","expires_at":%d}}`, end.Unix())
		w.(http.Flusher).Flush()
		answered <- true
	})
	for len(asked) == 0 { // a slow machine may have no time for it
		s.get(t, "order:brief", 1500*time.Millisecond).want(t, "while Voximplant hangs", 504)
	}
	s.frozen(t, func() {
		end = time.Now().Add(2 * time.Second).Truncate(time.Second)
		close(release)
		<-answered
		s.Voximplant.Intercept(nil)
		time.Sleep(time.Until(end))
	})
	s.get(t, "order:brief", patience).want(t, "after", 404)
}

// TestFreezeOverConnections: whatever became of the connections, no request is
// lost. That none is made twice, TestFaults shows, by a clock that waits for it.
func TestFreezeOverConnections(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(*line){"closed": (*line).cut, "reset": (*line).reset, "dead": (*line).stall} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, bare...)
			s.get(t, "order:1", patience).want(t, "before", 200)
			s.frozen(t, func() { happens(s.api) })
			s.get(t, "order:1", patience).want(t, "after", 200)
		})
	}
}

// TestFreezeOverManyConnections is the same where many were open.
func TestFreezeOverManyConnections(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, append(bare, fmt.Sprint("AWS_LAMBDA_MAX_CONCURRENCY=", callers))...)
	s.open(t, callers)
	s.frozen(t, s.api.stall)
	s.get(t, "order:1", patience).want(t, "after", 200)
}

// open lets n requests be under way at once, so that each has a connection.
func (s *sandbox) open(t *testing.T, n int) {
	t.Helper()
	arrived, release := make(chan bool, 100), make(chan bool)
	s.Voximplant.Intercept(func(http.ResponseWriter, *http.Request) bool {
		arrived <- true
		<-release
		return false
	})
	done := make(chan bool)
	for i := range n {
		go func() {
			s.get(t, fmt.Sprint("order:", 1+i), patience).want(t, "before", 200)
			done <- true
		}()
	}
	for range n {
		<-arrived
	}
	s.Voximplant.Intercept(nil)
	close(release)
	for range n {
		<-done
	}
}

// TestFreezeOverAToken: a token that expired meanwhile is no obstacle. That its
// age is told by the wall clock, and none is sent, is TestRenewal's.
func TestFreezeOverAToken(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, bare...)
	s.get(t, "order:1", patience).want(t, "before", 200)
	s.frozen(t, func() {
		nextSecond()
		refuseToken(t, s)
	})
	s.get(t, "order:1", patience).want(t, "after", 200)
	if n := s.Secrets.Calls(); n < 2 {
		t.Errorf("the secret was read %d times; want another", n)
	}
}

// TestFreezeOverARest: the while for which a failing Voximplant is left alone
// goes on during a freeze.
func TestFreezeOverARest(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, bare...)
	reply(500, html)(t, s)
	var rest time.Duration
	for calls, i := -1, 0; s.counts().calls != calls; i++ { // until a question makes none
		calls = s.counts().calls
		a := s.get(t, fmt.Sprint("order:rest:", i), patience)
		a.want(t, "failing", 503)
		rest, _ = time.ParseDuration(a.Headers["Retry-After"] + "s")
	}
	s.frozen(t, func() {
		s.Voximplant.Intercept(nil)
		time.Sleep(rest)
	})
	s.get(t, "order:1", patience).want(t, "after", 200)
}
