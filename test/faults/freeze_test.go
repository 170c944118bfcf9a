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

// TestProcess has what needs the real binary. It does not run beside the rest,
// which takes all the machine for itself.
func TestProcess(t *testing.T) {
	for name, f := range map[string]func(*testing.T){
		"a freeze over an item's end": freezeOverAnEnd, "a freeze over a question": freezeOverAQuestion,
		"a freeze over connections": freezeOverConnections,
		"a gigabyte":                gigabytes, "oversized events": oversizedEvents, "a silent name server": silentNames, "what others log": misled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t)
		})
	}
}

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

// freezeOverAnEnd: an item that ends during a freeze is not there after it,
// however young its copy is and whatever Voximplant does.
func freezeOverAnEnd(t *testing.T) {
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
			s.getInTime(t, key).want(t, "after", after.status)
		})
	}
}

// getInTime asks for an item until the answer is not that time ran out: a slow
// machine may be why.
func (s *sandbox) getInTime(t *testing.T, key string) answer {
	t.Helper()
	for {
		if a := s.get(t, key, patience); a.StatusCode != http.StatusGatewayTimeout {
			return a
		}
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

// freezeOverAQuestion: a question that an invocation left behind is
// answered during the freeze, and what it answers has ended when it is read.
func freezeOverAQuestion(t *testing.T) {
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
	s.getInTime(t, "order:brief").want(t, "after", 404)
}

// freezeOverConnections: whatever became of the connections, one or many, no
// request is lost. That none is made twice, TestFaults shows, by a clock that waits for it.
func freezeOverConnections(t *testing.T) {
	for name, happens := range map[string]func(*line){"closed": (*line).cut, "reset": (*line).reset, "dead": (*line).stall} {
		for _, n := range []int{1, callers} {
			t.Run(fmt.Sprint(n, " ", name), func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t, append(bare, fmt.Sprint("AWS_LAMBDA_MAX_CONCURRENCY=", n))...)
				s.open(t, n)
				s.frozen(t, func() { happens(s.api) })
				s.getAtLast(t, "order:1", 60)
			})
		}
	}
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
			s.getAtLast(t, fmt.Sprint("order:", 1+i), 60)
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
