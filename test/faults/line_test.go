//go:build linux

package faults

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A line is the way to a server: connections made to it are passed on until
// something goes wrong on it.
type line struct {
	target string

	mu       sync.Mutex // guards what follows
	listener *net.TCPListener
	ended    chan bool          // closed once nobody accepts from listener any more
	take     func(*net.TCPConn) // what becomes of a new connection
	accepted int
	open     []*net.TCPConn // all connections so far, from either side
	stalled  bool           // what is open stays open, and nothing comes through
}

// newLine lays a line to the server at target.
func newLine(t *testing.T, target string) *line {
	t.Helper()
	l := &line{target: target}
	l.take = l.forward
	if err := l.listen(nextPort); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.refuse)
	return l
}

// listen opens the port that choose returns, or one of its next choices if that
// is taken.
func (l *line) listen(choose func() string) error {
	for tries := 0; ; tries++ {
		listener, err := net.Listen("tcp4", choose())
		if err == nil {
			l.listener, l.ended = listener.(*net.TCPListener), make(chan bool)
			go l.accept(l.listener, l.ended)
			return nil
		}
		if tries == 100 {
			return err
		}
		// A process that is just being started may hold what we have closed.
		time.Sleep(10 * time.Millisecond)
	}
}

var (
	ports     atomic.Uint32 // taken so far
	firstPort = rand.Uint32N(15_000)
)

// nextPort is one that the system gives to nobody who asks for any, and that no
// other line takes while this one is closed.
func nextPort() string { return fmt.Sprintf("127.0.0.1:%d", 15_000+(firstPort+ports.Add(1))%15_000) }

func (l *line) addr() string { return l.listener.Addr().String() }

func (l *line) accept(listener *net.TCPListener, ended chan bool) {
	defer close(ended)
	for {
		conn, err := listener.AcceptTCP()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.accepted++
		l.open = append(l.open, conn)
		go l.take(conn)
		l.mu.Unlock()
	}
}

// connections is how many were made so far.
func (l *line) connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// forward passes a connection on to the server.
func (l *line) forward(client *net.TCPConn) {
	conn, err := net.Dial("tcp4", l.target)
	if err != nil {
		client.Close()
		return
	}
	server := conn.(*net.TCPConn)
	l.mu.Lock()
	l.open = append(l.open, server)
	l.mu.Unlock()
	go func() {
		io.Copy(server, client)
		server.Close()
	}()
	io.Copy(client, server)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stalled {
		client.Close()
	}
}

// becomes closes all connections and does take with the new ones.
func (l *line) becomes(take func(*net.TCPConn)) {
	l.mu.Lock()
	l.take = take
	l.mu.Unlock()
	l.cut()
}

// cut closes all connections, as a server does that restarts.
func (l *line) cut() { l.each(func(conn *net.TCPConn) { conn.Close() }) }

// reset is cut without a farewell.
func (l *line) reset() { l.each(reset) }

// stall leaves all connections open and lets nothing through any more. New
// ones are not touched.
func (l *line) stall() {
	l.mu.Lock()
	l.stalled = true
	l.mu.Unlock()
	l.each(func(conn *net.TCPConn) {
		if conn.LocalAddr().String() != l.addr() { // our side of what leads to the server
			conn.Close()
		}
	})
}

func (l *line) each(f func(*net.TCPConn)) {
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	for _, conn := range open {
		f(conn)
	}
}

// refuse closes the port and all connections.
func (l *line) refuse() {
	l.listener.Close()
	<-l.ended
	l.cut()
}

// drop lets packets that would open a connection get lost: the kernel does so
// where a queue for one connection is full and nobody accepts.
func (l *line) drop(t *testing.T) {
	t.Helper()
	if err := l.listener.SetDeadline(time.Unix(1, 0)); err != nil { // ends accept
		t.Fatal(err)
	}
	l.cut()
	raw, err := l.listener.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) })
	}
	for err == nil {
		var filler net.Conn
		if filler, err = net.DialTimeout("tcp4", l.addr(), 200*time.Millisecond); err == nil {
			t.Cleanup(func() { filler.Close() })
		}
	}
	if failed, ok := errors.AsType[net.Error](err); !ok || !failed.Timeout() {
		t.Fatal(err)
	}
}

// mend makes the line as good as new.
func (l *line) mend() error {
	l.refuse()
	l.becomes(l.forward)
	return l.listen(l.addr)
}

// reset closes a connection so that the other side sees a reset.
func reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}

// mute reads and never says a thing.
func mute(conn *net.TCPConn) { io.Copy(io.Discard, conn) }

// say returns what sends text and hangs up.
func say(text string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		io.WriteString(conn, text)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	}
}
