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
	"testing/synctest"

	"voxkv/internal/relaytest"
)

// An api is a server that counts what reaches it, without sockets.
type api struct {
	*httptest.Server
	near                  *relaytest.Memory
	connections, requests atomic.Int32
}

// newAPI is for a bubble of testing/synctest.
func newAPI(t *testing.T, https bool) *api {
	t.Helper()
	a := &api{near: relaytest.NewMemory()}
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.requests.Add(1)
		io.WriteString(w, "answer")
	}))
	a.Listener.Close()
	a.Listener = a.near
	a.Config.ErrorLog = log.New(io.Discard, "", 0)
	if https {
		a.StartTLS()
	} else {
		a.Start()
	}
	t.Cleanup(a.Close)
	return a
}

// transport returns a transport as New does, that leads to the server and trusts it.
func (a *api) transport(t *testing.T) *http.Transport {
	t.Helper()
	transport := New().Transport
	transport.DialContext = preconnecting(func(context.Context, string, string) (net.Conn, error) {
		a.connections.Add(1)
		return a.near.Dial()
	})
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
// request has it. If it dies before, no request fails for it.
func TestPreconnect(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		https, dies bool
		connections int32
	}{"http": {false, false, 1}, "https": {true, false, 1}, "https, that dies": {true, true, 2}} {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI(t, tt.https)
			transport := a.transport(t)
			if err := Preconnect(t.Context(), transport, a.URL); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // until net/http has put the connection away
			if opened, sent := a.connections.Load(), a.requests.Load(); opened != 1 || sent != 0 {
				t.Errorf("%s: Preconnect opened %d connections and sent %d requests; want one and none", name, opened, sent)
			}
			if tt.dies {
				a.CloseClientConnections()
			}
			call(t, transport, a.URL)
			call(t, transport, a.URL)
			if opened, sent := a.connections.Load(), a.requests.Load(); opened != tt.connections || sent != 2 {
				t.Errorf("%s: two requests after Preconnect are %d on %d connections; want 2 on %d", name, sent, opened, tt.connections)
			}
		})
	}
}

func TestPreconnectFails(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewUnstartedServer(nil)
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
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
	// The handshake with this server begins, and the context ends.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	ends, end := context.WithCancel(t.Context())
	go func() {
		if conn, err := silent.Accept(); err == nil {
			defer conn.Close()
			conn.Read(make([]byte, 1))
			end()
			io.Copy(io.Discard, conn)
		}
	}()
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
		"no handshake":        {ends, "https://" + silent.Addr().String(), nil, func(err error) bool { return errors.Is(err, context.Canceled) }},
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
}
