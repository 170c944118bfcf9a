//go:build linux

package faults

import (
	"context"
	"errors"
	"io"
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
	door door
	dial func() (net.Conn, error) // the server

	mu       sync.Mutex     // guards what follows
	take     func(net.Conn) // what becomes of a new connection
	accepted int
	clients  []net.Conn // all connections so far
	servers  []net.Conn
	stalled  bool // what is open stays open, and nothing comes through
}

// A door is where connections are made to a line.
type door interface {
	// open lets in passes connections to in.
	open(in func(net.Conn)) error

	// refuse lets connections be refused until it is opened again.
	refuse()

	// drop lets what would open a connection get lost.
	drop(t *testing.T)

	addr() string
}

// newLine lays a line through d to the server that dial reaches.
func newLine(t *testing.T, d door, dial func() (net.Conn, error)) *line {
	t.Helper()
	l := &line{door: d, dial: dial}
	l.take = l.forward
	if err := d.open(l.accept); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.refuse)
	return l
}

func (l *line) addr() string { return l.door.addr() }

func (l *line) accept(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	l.clients = append(l.clients, conn)
	go l.take(conn)
}

// connections is how many were made so far.
func (l *line) connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// forward passes a connection on to the server.
func (l *line) forward(client net.Conn) {
	server, err := l.dial()
	if err != nil {
		client.Close()
		return
	}
	l.mu.Lock()
	l.servers = append(l.servers, server)
	l.mu.Unlock()
	go func() {
		io.Copy(server, client)
		server.Close()
		io.Copy(io.Discard, client) // while the line is stalled
	}()
	io.Copy(late{client}, server)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stalled {
		client.Close()
	}
}

// A late connection takes as long as any network does, so that no answer
// overtakes what its question has still to do.
type late struct{ net.Conn }

func (c late) Write(p []byte) (int, error) {
	time.Sleep(time.Microsecond)
	return c.Conn.Write(p)
}

// becomes closes all connections and does take with the new ones.
func (l *line) becomes(take func(net.Conn)) {
	l.mu.Lock()
	l.take = take
	l.mu.Unlock()
	l.cut()
}

// cut closes all connections, as a server does that restarts.
func (l *line) cut() { l.each(func(conn net.Conn) { conn.Close() }) }

// reset is cut without a farewell.
func (l *line) reset() { l.each(reset) }

// stall leaves all connections open and lets nothing through any more. New
// ones are not touched.
func (l *line) stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = true
	for _, conn := range l.servers {
		conn.Close()
	}
}

func (l *line) each(f func(net.Conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.clients {
		f(conn)
	}
	for _, conn := range l.servers {
		f(conn)
	}
}

// refuse closes the door and all connections.
func (l *line) refuse() {
	l.door.refuse()
	l.cut()
}

// drop lets no new connection come about.
func (l *line) drop(t *testing.T) {
	t.Helper()
	l.cut()
	l.door.drop(t)
}

// mend makes the line as good as new.
func (l *line) mend() error {
	l.refuse()
	l.becomes(l.forward)
	return l.door.open(l.accept)
}

// reset closes a connection so that the other side sees a reset.
func reset(conn net.Conn) {
	switch conn := conn.(type) {
	case *net.TCPConn:
		conn.SetLinger(0)
	case *end:
		conn.broken.Store(true)
	}
	conn.Close()
}

// mute reads and never says a thing.
func mute(conn net.Conn) { io.Copy(io.Discard, conn) }

// say returns what sends text and then nothing.
func say(text string) func(net.Conn) {
	return func(conn net.Conn) {
		go io.WriteString(conn, text) // what the client sends first has to be read
		io.Copy(io.Discard, conn)
	}
}

// A port is a door of TCP, for the real binary. It keeps its number while it is
// closed, or another program could take it.
type port struct {
	listener *net.TCPListener
	ended    chan bool // closed once nobody accepts
}

// newPort takes a port until the test ends. Only a number that was asked for is
// kept while nobody listens, so the one that the system gives is asked for.
func newPort(t *testing.T) *port {
	t.Helper()
	for {
		given, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		given.Close()
		if listener, err := net.Listen("tcp4", given.Addr().String()); err == nil {
			t.Cleanup(func() { listener.Close() })
			return &port{listener: listener.(*net.TCPListener)}
		}
	}
}

func (p *port) addr() string { return p.listener.Addr().String() }

func (p *port) open(in func(net.Conn)) error {
	p.ended = make(chan bool)
	err := errors.Join(p.listener.SetDeadline(time.Time{}), p.control(func(fd int) error { return syscall.Listen(fd, syscall.SOMAXCONN) }))
	go func() {
		defer close(p.ended)
		for {
			conn, err := p.listener.AcceptTCP()
			if err != nil {
				return
			}
			in(conn)
		}
	}()
	return err
}

// control calls f with the socket.
func (p *port) control(f func(fd int) error) error {
	raw, err := p.listener.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = f(int(fd)) })
	return errors.Join(err, failed)
}

// refuse has the socket listen no more. It stays bound (Linux).
func (p *port) refuse() {
	// What refuses already says that it is not connected.
	_ = p.control(func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_RD) })
	<-p.ended
}

// drop makes use of what the kernel does where a queue for one connection is
// full and nobody accepts.
func (p *port) drop(t *testing.T) {
	t.Helper()
	err := p.listener.SetDeadline(time.Unix(1, 0)) // ends accept
	<-p.ended
	err = errors.Join(err, p.control(func(fd int) error { return syscall.Listen(fd, 0) }))
	for err == nil {
		var filler net.Conn
		if filler, err = net.DialTimeout("tcp4", p.addr(), 200*time.Millisecond); err == nil {
			t.Cleanup(func() { filler.Close() })
		}
	}
	if failed, ok := errors.AsType[net.Error](err); !ok || !failed.Timeout() {
		t.Fatal(err)
	}
}

// A hatch is a door without a socket.
type hatch struct {
	address string

	mu       sync.Mutex     // guards what follows
	in       func(net.Conn) // nil while connections are refused
	dropping bool
}

func (h *hatch) addr() string { return h.address }

func (h *hatch) open(in func(net.Conn)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.in, h.dropping = in, false
	return nil
}

func (h *hatch) refuse() { h.open(nil) }

func (h *hatch) drop(*testing.T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropping = true
}

func (h *hatch) state() (in func(net.Conn), dropping bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.in, h.dropping
}

// dial connects as net.Dialer.DialContext does.
func (h *hatch) dial(ctx context.Context) (net.Conn, error) {
	in, dropping := h.state()
	switch {
	case dropping:
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	case in == nil:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	broken := new(atomic.Bool)
	in(&end{server, broken})
	return &end{client, broken}, nil
}

// An end is one of the two of a connection without a socket.
type end struct {
	net.Conn
	broken *atomic.Bool // the connection was reset
}

func (e *end) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	if err != nil && e.broken.Load() {
		err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

// dialTCP returns what connects to target.
func dialTCP(target string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial("tcp4", target) }
}
