package relaytest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/internal/relaytest"
)

const (
	roundTrip = 20 * time.Millisecond
	service   = 5 * time.Millisecond
)

// memory returns a relay without sockets, and both of its ends.
func memory(t *testing.T) (*relaytest.Relay, *relaytest.Memory, *relaytest.Memory) {
	t.Helper()
	near, far := relaytest.NewMemory(), relaytest.NewMemory()
	relay := relaytest.New(near, far.Dial)
	relay.SetRoundTrip(roundTrip)
	return relay, near, far
}

// TestHTTPS: an exchange takes the round trips that RFC 9293 and RFC 8446 say,
// and the server's time, whatever its method.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testHTTPS(t, method) })
		})
	}
}

func testHTTPS(t *testing.T, method string) {
	relay, near, far := memory(t)
	defer relay.Close()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(service) }))
	server.Listener.Close()
	server.Listener = far
	server.StartTLS()
	defer server.Close()
	client := server.Client()
	transport := client.Transport.(*http.Transport)
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return near.Dial() }
	exchange := func(what string, want time.Duration) {
		t.Helper()
		began := time.Now()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if took := time.Since(began); took != want {
			t.Errorf("%s: %v; want %v", what, took, want)
		}
	}
	exchange("cold: TCP, TLS, request", 3*roundTrip+service)
	exchange("warm: request", roundTrip+service)
	transport.CloseIdleConnections()
	transport.TLSClientConfig.MaxVersion = tls.VersionTLS12
	exchange("cold, TLS 1.2", 4*roundTrip+service)
	if n := relay.Connections(); n != 2 {
		t.Errorf("%d connections; want 2", n)
	}
}

// TestChunks: what is sent before the connection is open arrives a way after
// that, and what is sent one after the other arrives so.
func TestChunks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		relay, near, far := memory(t)
		defer relay.Close()
		began := time.Now()
		go func() {
			client, err := near.Dial()
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 50 {
				fmt.Fprintf(client, "%02d", i)
				time.Sleep(time.Millisecond)
			}
			client.Close()
		}()
		server, err := far.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		for i := range 50 {
			var text [2]byte
			if _, err := io.ReadFull(server, text[:]); err != nil || string(text[:]) != fmt.Sprintf("%02d", i) {
				t.Fatalf("chunk %d is %q, %v", i, text, err)
			}
			sent := time.Duration(i) * time.Millisecond
			if took, want := time.Since(began), max(sent, roundTrip)+roundTrip/2; took != want {
				t.Errorf("chunk %d came after %v; want %v", i, took, want)
			}
		}
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("after the last chunk: %v; want EOF", err)
		}
		if took, want := time.Since(began), 50*time.Millisecond+roundTrip/2; took != want {
			t.Errorf("the end came after %v; want %v", took, want)
		}
	})
}

// TestServerSpeaksFirst: its first word is there when the client's first could
// have been answered.
func TestServerSpeaksFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		relay, near, far := memory(t)
		defer relay.Close()
		go func() {
			if server, err := far.Accept(); err == nil {
				io.WriteString(server, "220")
			}
		}()
		began := time.Now()
		client, err := near.Dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, make([]byte, 3)); err != nil || time.Since(began) != 2*roundTrip {
			t.Errorf("the greeting came after %v, %v; want %v", time.Since(began), err, 2*roundTrip)
		}
	})
}

// TestSockets: over TCP each direction ends by itself, nothing is lost, and
// nothing comes early. How late it may come is the machine's affair.
func TestSockets(t *testing.T) {
	t.Parallel()
	far := listen(t)
	go func() {
		server, err := far.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer server.Close()
		all, err := io.ReadAll(server) // until the client has ended its direction
		if err != nil {
			t.Error(err)
		}
		server.Write(all)
	}()
	relay := relaytest.New(listen(t), func() (net.Conn, error) { return net.Dial("tcp", far.Addr().String()) })
	defer relay.Close()
	relay.SetRoundTrip(roundTrip)
	began := time.Now()
	client, err := net.Dial("tcp", relay.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if _, err := client.Write(sent); err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back, %v; want the %d that were sent", len(got), err, len(sent))
	}
	if took := time.Since(began); took < 2*roundTrip {
		t.Errorf("there and back took %v; want %v at least", took, 2*roundTrip)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// TestNobodyThere: a server that cannot be reached ends the client's connection.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	near, far := relaytest.NewMemory(), relaytest.NewMemory()
	far.Close()
	relay := relaytest.New(near, far.Dial)
	defer relay.Close()
	client, err := near.Dial()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Read = %v; want EOF", err)
	}
}
