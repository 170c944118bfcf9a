package relaytest

import (
	"net"
	"sync"
)

// A Memory is a network without sockets, so that tests may run on a clock of
// their own (testing/synctest): what it dials, it accepts. NewMemory makes one.
type Memory struct {
	dialed chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewMemory returns a listener that is open.
func NewMemory() *Memory {
	return &Memory{dialed: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial opens a connection to whoever accepts.
func (m *Memory) Dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case m.dialed <- there:
		return here, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Accept implements net.Listener.
func (m *Memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.dialed:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (m *Memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// Addr implements net.Listener. It is an address that certificates of
// net/http/httptest are for.
func (m *Memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }
