//go:build linux

package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

func wayRows() []row {
	return []row{
		{name: "connections are refused", faults: one(func(_ *testing.T, s *sandbox) { s.api.refuse() }), want: unavailable, calls: unseen},
		{name: "connections are refused from the start", faults: one(func(_ *testing.T, s *sandbox) { s.api.refuse() }), want: unavailable, calls: unseen, fromStart: true},
		{name: "connections are reset or closed before TLS", faults: []fault{
			{"reset", func(_ *testing.T, s *sandbox) { s.api.becomes(reset) }},
			{"closed", func(_ *testing.T, s *sandbox) { s.api.becomes(func(c net.Conn) { c.Close() }) }},
			{"no TLS", func(_ *testing.T, s *sandbox) { s.api.becomes(say("HTTP/1.1 400 Bad Request\r\n\r\n")) }},
		}, want: unavailable, calls: times(3)},
		{name: "the certificate is not trusted", faults: one(untrusted), want: unavailable, calls: times(1)},
		{name: "connections that were open are closed, as when a server restarts", faults: []fault{
			{"closed", func(_ *testing.T, s *sandbox) { s.api.cut() }},
			{"reset", func(_ *testing.T, s *sandbox) { s.api.reset() }},
			{"several closed", several((*line).cut)},
			{"several reset", several((*line).reset)},
		}, want: found, calls: times(1)},
		{name: "connections that were open are dead, and nobody said so", faults: []fault{
			{"one", func(_ *testing.T, s *sandbox) { s.api.stall() }}, {"several", several((*line).stall)},
		}, want: found, calls: times(1)},
		// One more than tries: net/http cannot tell it from a connection that was closed for being idle.
		{name: "a connection is lost after the request", faults: one(raw("")), want: unavailable, calls: times(4)},
		{name: "a connection is lost in the middle of the answer", faults: []fault{
			{"headers", raw("HTTP/1.1 200 OK\r\nContent-Ty")},
			{"body", raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + good)},
			{"chunks", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"res\r\n")},
			{"no HTTP", raw(gossip + " hello\r\n\r\n")},
		}, want: unavailable, calls: times(3)},
		{name: "an answer that is no HTTP", faults: []fault{
			{"the version", raw("HTTP/TOKEN 200 OK\r\n\r\n")},
			{"the status", raw("HTTP/1.1 TOKEN OK\r\n\r\n")},
			{"a header", raw("HTTP/1.1 200 OK\r\nBearer TOKEN\r\n\r\n")},
			{"the length", raw("HTTP/1.1 200 OK\r\nContent-Length: TOKEN\r\n\r\n")},
			{"the encoding", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: TOKEN\r\n\r\n")},
			{"the trailer", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\nTOKEN\r\n")},
		}, want: unavailable, calls: times(3)},
	}
}

const callers = 8

// several opens a connection for each of the callers, and then lets something happen to
// all of them. The real binary serves one caller after the other, and has one.
func several(happens func(*line)) func(*testing.T, *sandbox) {
	return func(t *testing.T, s *sandbox) {
		if s.inside {
			s.open(t)
		}
		happens(s.api)
	}
}

// open lets all callers' requests be under way at once, so that each has a connection.
func (s *sandbox) open(t *testing.T) {
	t.Helper()
	arrived, release := make(chan bool, callers), make(chan bool)
	s.Voximplant.Intercept(func(http.ResponseWriter, *http.Request) bool {
		arrived <- true
		<-release
		return false
	})
	var asked sync.WaitGroup
	for i := range callers {
		asked.Go(func() { s.getAtLast(t, fmt.Sprint("order:", 1+i), s.tries(false)) })
	}
	for range callers {
		<-arrived
	}
	s.Voximplant.Intercept(nil)
	close(release)
	asked.Wait()
}

// TestConcurrentFaults: what is shared is also used while all goes wrong. It is for
// the race detector too: make test has it.
func TestConcurrentFaults(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newBubble(t, "LOCAL_MAX_AGE=0s", "UPSTREAM_TIMEOUT=1s")
		cut := func(_ *testing.T, s *sandbox) { s.api.cut() }
		for _, do := range []func(*testing.T, *sandbox){reply(429, html), raw("", ""), refuseToken, reply(200, html), cut} {
			var asked sync.WaitGroup
			for caller := range callers {
				asked.Go(func() {
					for i := range 5 {
						s.get(t, fmt.Sprint("order:", 1+(caller+i)%9), 10*time.Second)
					}
				})
			}
			do(t, s)
			asked.Wait()
			s.Voximplant.Intercept(nil)
		}
	})
}

// long leaves it to the invocation to end a wait.
var long = []string{"UPSTREAM_TIMEOUT=1m"}

func timeRows() []row {
	const wait = 3 * time.Second // of which half a second is kept for the answer
	return []row{
		{name: "nothing comes within `UPSTREAM_TIMEOUT`, here 1 s", faults: hangs(), want: timeout, calls: times(1), settings: brief},
		{name: "nothing comes within `UPSTREAM_TIMEOUT`, here the default", faults: hangs(), want: timeout, calls: span{2, 3}},
		{name: "nothing comes before the invocation's time ends, here 3 s", faults: hangs(), want: timeout, calls: span{1, 2}, wait: wait, settings: long},
		{name: "no connection comes about within any of these times", faults: one(dropping), want: timeout, calls: unseen, settings: brief},
		{name: "no connection comes about within `UPSTREAM_TIMEOUT`, here the default", faults: one(dropping), want: timeout, calls: unseen},
		{name: "no connection comes about before the invocation's time ends", faults: one(dropping), want: timeout, calls: unseen, wait: wait, settings: long},
		{name: "the invocation has less time than half a second, which is kept for the answer", faults: hangs(), want: timeout, calls: span{0, 1}, wait: 100 * time.Millisecond},
		{name: "the invocation's time was over before it began", faults: hangs(), want: timeout, calls: span{0, 1}, wait: -time.Second},
	}
}

func dropping(t *testing.T, s *sandbox) { s.api.drop(t) }

// hangs are all the places in which a call may get stuck.
func hangs() []fault {
	return []fault{
		{"TLS", func(_ *testing.T, s *sandbox) { s.api.becomes(mute) }},
		{"headers", raw("", "")},
		{"in the middle of the headers", raw("HTTP/1.1 200 OK\r\nContent-Ty", "")},
		{"body", raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "")},
		{"in the middle of the body", raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"+good[:20], "")},
		{"a body that trickles in", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n")},
		{"headers that trickle in", raw("HTTP/1.1 200 OK\r\n", "X-A: a\r\n")},
	}
}

// raw sends text, filled in as that of reply, in place of an answer. With drops it goes on with one every
// few milliseconds, until the client hangs up; an empty one is nothing at all.
func raw(text string, drops ...string) func(*testing.T, *sandbox) {
	return func(t *testing.T, s *sandbox) {
		s.serve(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			io.WriteString(conn, fillIn(text, r))
			if len(drops) == 0 {
				return
			}
			gone := make(chan bool)
			go func() {
				io.Copy(io.Discard, conn)
				close(gone)
			}()
			for tick := time.NewTicker(20 * time.Millisecond); ; {
				select {
				case <-tick.C:
					io.WriteString(conn, drops[0])
				case <-gone:
					return
				}
			}
		})
	}
}

// untrusted answers with a certificate of an authority that nobody knows.
func untrusted(t *testing.T, s *sandbox) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	// A pipe holds nothing: a ticket behind the handshake would wait for the client
	// to read it, and the client for the server to read its refusal.
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, SessionTicketsDisabled: true}
	s.api.becomes(func(conn net.Conn) {
		server := tls.Server(conn, config)
		if server.Handshake() == nil {
			t.Error("a certificate of nobody's was accepted")
		}
		server.Close()
	})
}
