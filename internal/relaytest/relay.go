// Package relaytest puts a distance between clients and a server: its relay delays
// data as a long network path would, without limiting how much is sent.
package relaytest

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// chunkSize is the most that is read at once, in bytes.
	chunkSize = 64 << 10

	// underway is how many chunks may be on their way in one direction. A relay
	// that is full reads no more, as the window of a TCP connection would have it.
	underway = 1024
)

// A Relay passes connections on to a server. Each direction takes half a round
// trip, and opening a connection takes one more, as the handshake of TCP does
// (RFC 9293 section 3.5): the relay's own connections are local and open at once.
// Whatever is sent is delayed, in its order, the end of it included.
//
// New makes a Relay. Its methods may be called at any time by any number of goroutines.
type Relay struct {
	listener    net.Listener
	dial        func() (net.Conn, error)
	roundTrip   atomic.Int64 // nanoseconds
	connections atomic.Int64
	running     sync.WaitGroup
	ctx         context.Context
	cancel      context.CancelFunc
}

// New returns a relay from what listener accepts to what dial opens. Its round
// trip takes no time at first. The caller must call Close.
func New(listener net.Listener, dial func() (net.Conn, error)) *Relay {
	r := &Relay{listener: listener, dial: dial}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.running.Go(r.accept)
	return r
}

// SetRoundTrip says how long the way to the server and back takes. It holds for
// connections that are opened from now on.
func (r *Relay) SetRoundTrip(d time.Duration) { r.roundTrip.Store(int64(d)) }

// Addr is where the relay listens.
func (r *Relay) Addr() net.Addr { return r.listener.Addr() }

// Connections returns how many connections have been opened so far.
func (r *Relay) Connections() int { return int(r.connections.Load()) }

// Close stops listening, closes all connections and waits until they are gone.
func (r *Relay) Close() {
	r.listener.Close()
	r.cancel()
	r.running.Wait()
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.connections.Add(1)
		accepted, roundTrip := time.Now(), time.Duration(r.roundTrip.Load())
		r.running.Go(func() { r.connect(client, accepted, roundTrip) })
	}
}

// connect relays one connection until both sides have ended it. A client could
// send a round trip after it began to connect, and a server when the first of
// that is there.
func (r *Relay) connect(client net.Conn, began time.Time, roundTrip time.Duration) {
	defer client.Close()
	server, err := r.dial()
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(r.ctx, func() {
		client.Close()
		server.Close()
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { carry(server, client, began.Add(roundTrip), roundTrip/2) })
	both.Go(func() { carry(client, server, began.Add(roundTrip+roundTrip/2), roundTrip/2) })
	both.Wait()
}

// A chunk is what was read at once, and when it arrives. The last one is empty.
type chunk struct {
	data []byte
	due  time.Time
}

// carry writes to one side what it reads from the other, each chunk delay after
// it was sent, and nothing as if it had been sent before opened.
func carry(to, from net.Conn, opened time.Time, delay time.Duration) {
	chunks := make(chan chunk, underway)
	go func() {
		defer close(chunks)
		for {
			data := make([]byte, chunkSize)
			n, err := from.Read(data)
			sent := time.Now()
			if sent.Before(opened) {
				sent = opened
			}
			if n > 0 {
				chunks <- chunk{bytes.Clone(data[:n]), sent.Add(delay)}
			}
			if err != nil {
				chunks <- chunk{nil, sent.Add(delay)}
				return
			}
		}
	}()
	for c := range chunks {
		time.Sleep(time.Until(c.due))
		if c.data == nil {
			closeWrite(to)
		} else if _, err := to.Write(c.data); err != nil {
			from.Close() // nobody reads any more, so nobody may write
		}
	}
}

// closeWrite ends one direction of a connection, or both where it cannot tell them apart.
func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it fails where all is closed already
		return
	}
	conn.Close()
}
