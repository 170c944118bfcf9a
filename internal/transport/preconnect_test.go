package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
)

// An api is a server that counts what reaches it.
type api struct {
	*httptest.Server
	connections, requests atomic.Int32
}

func newAPI(t *testing.T, https bool) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.requests.Add(1)
		io.WriteString(w, "answer")
	}))
	a.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			a.connections.Add(1)
		}
	}
	if https {
		a.StartTLS()
	} else {
		a.Start()
	}
	t.Cleanup(a.Close)
	return a
}

// transport returns a transport as New does, that trusts the server.
func (a *api) transport(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{DialContext: preconnecting(new(net.Dialer).DialContext)}
	if trusted, ok := a.Client().Transport.(*http.Transport); ok {
		transport.TLSClientConfig = trusted.TLSClientConfig
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// call makes a request that may be sent again, as the calls of the API are.
func call(t *testing.T, transport http.RoundTripper, root string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, root, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Idempotency-Key"] = []string{}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("the first request failed: %v", err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "answer" {
		t.Errorf("the first request got %q, %v", body, err)
	}
}

// TestPreconnect: the connection is opened, nothing is sent on it, and the first
// request has it, unless it was made in the microseconds before net/http had put
// the connection away. So one of several runs must show it.
func TestPreconnect(t *testing.T) {
	t.Parallel()
	for name, https := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 10 {
				a := newAPI(t, https)
				transport := a.transport(t)
				if err := Preconnect(t.Context(), transport, a.URL); err != nil {
					t.Fatal(err)
				}
				if a.requests.Load() != 0 {
					t.Fatal("Preconnect sent a request")
				}
				call(t, transport, a.URL)
				call(t, transport, a.URL)
				if a.connections.Load() == 1 && a.requests.Load() == 2 {
					return
				}
			}
			t.Error("two requests after Preconnect never had one connection")
		})
	}
}

// TestConnectionDiesMeanwhile: no request fails for it.
func TestConnectionDiesMeanwhile(t *testing.T) {
	t.Parallel()
	a := newAPI(t, true)
	transport := a.transport(t)
	if err := Preconnect(t.Context(), transport, a.URL); err != nil {
		t.Fatal(err)
	}
	a.CloseClientConnections()
	call(t, transport, a.URL)
	if a.connections.Load() < 2 || a.requests.Load() != 1 {
		t.Errorf("%d connections, %d requests; want a second one, and 1", a.connections.Load(), a.requests.Load())
	}
}

func TestPreconnectFails(t *testing.T) {
	t.Parallel()
	untrusted := newAPI(t, true)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			t.Errorf("the proxy got a %s", r.Method)
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx   context.Context
		root  string
		proxy func(*http.Request) (*url.URL, error)
		want  func(error) bool
	}{
		"nobody listens":      {t.Context(), "http://127.0.0.1:1", nil, func(err error) bool { _, ok := errors.AsType[*net.OpError](err); return ok }},
		"a wrong certificate": {t.Context(), untrusted.URL, nil, func(err error) bool { _, ok := errors.AsType[*tls.CertificateVerificationError](err); return ok }},
		"a wrong URL":         {t.Context(), "https://user:secret@[::1/", nil, func(err error) bool { return err.Error() == "the API URL is not valid" }},
		"a proxy refuses":     {t.Context(), "https://api.invalid", http.ProxyURL(proxyURL), func(err error) bool { return errors.Is(err, net.ErrClosed) }},
		"no time is left":     {ended, untrusted.URL, nil, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{DialContext: preconnecting(new(net.Dialer).DialContext), Proxy: tt.proxy}
			t.Cleanup(transport.CloseIdleConnections)
			if err := Preconnect(tt.ctx, transport, tt.root); err == nil || !tt.want(err) {
				t.Errorf("Preconnect = %v", err)
			}
		})
	}
	t.Run("no handshake", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if conn, err := silent.Accept(); err == nil {
				defer conn.Close()
				conn.Read(make([]byte, 1)) // the handshake has begun
				cancel()
				io.Copy(io.Discard, conn)
			}
		}()
		if err := Preconnect(ctx, &http.Transport{DialContext: preconnecting(new(net.Dialer).DialContext)}, "https://"+silent.Addr().String()); !errors.Is(err, context.Canceled) {
			t.Errorf("Preconnect = %v; want the end of its context", err)
		}
	})
}
