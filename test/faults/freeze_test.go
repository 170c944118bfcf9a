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

	"voxkv/internal/runtimetest"
)

// TestFreeze stops the real binary with SIGSTOP, as Lambda stops a sandbox between
// invocations.
func TestFreeze(t *testing.T) {
	t.Parallel()
	if os.Getenv("VOXKV_FAULTS") == "" {
		t.Skip("the real binary is frozen by make faults")
	}
	t.Run("an item's end", freezeOverAnEnd)
	t.Run("a question", freezeOverAQuestion)
	t.Run("connections", freezeOverConnections)
}

// A freezer is a sandbox with the real binary.
type freezer struct {
	*sandbox
	real *runtimetest.Process
}

func newFreezer(t *testing.T, settings ...string) freezer {
	t.Helper()
	s := newWorld(t)
	s.start(t, settings...)
	return freezer{s, s.process.(*runtimetest.Process)}
}

// frozen stops the process, does what happens meanwhile, and lets it go on.
func (f freezer) frozen(t *testing.T, meanwhile func()) {
	t.Helper()
	f.signal(t, syscall.SIGSTOP)
	for f.state(t) != 'T' {
		time.Sleep(time.Millisecond)
	}
	meanwhile()
	f.signal(t, syscall.SIGCONT)
}

func (f freezer) signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := f.real.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// state is how the kernel sees the process (proc(5)); T is stopped.
func (f freezer) state(t *testing.T) byte {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.real.PID()))
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
			s := newFreezer(t, "LOCAL_MAX_AGE=60s")
			key, end := s.readBrief(t)
			s.frozen(t, func() {
				after.do(t, s.sandbox)
				time.Sleep(time.Until(end))
			})
			s.getInTime(t, key).want(t, "after", after.status)
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

// freezeOverAQuestion: a question that an invocation left behind is
// answered during the freeze, and what it answers has ended when it is read.
func freezeOverAQuestion(t *testing.T) {
	s := newFreezer(t, "LOCAL_MAX_AGE=60s")
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

// freezeOverConnections: whatever became of the connections, no request is lost. What
// becomes of one alone is in the rows of TestBinary.
func freezeOverConnections(t *testing.T) {
	for name, happens := range map[string]func(*line){"closed": (*line).cut, "reset": (*line).reset, "dead": (*line).stall} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFreezer(t, append(bare, fmt.Sprint("AWS_LAMBDA_MAX_CONCURRENCY=", callers))...)
			s.open(t)
			s.frozen(t, func() { happens(s.api) })
			s.getAtLast(t, "order:1", 60)
		})
	}
}
