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
	"testing"
	"testing/synctest"

	"voxkv/internal/relaytest"
)

// TestPreconnect: the connection is opened, nothing is sent on it, and the first
// request has it. If it dies before, no request fails for it.
func TestPreconnect(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		https, dies bool
		connections int
	}{"http": {false, false, 1}, "https": {true, false, 1}, "https, that dies": {true, true, 2}} {
		synctest.Test(t, func(t *testing.T) {
			connections, requests := 0, 0
			near := relaytest.NewMemory()
			server := &httptest.Server{Listener: near, Config: &http.Server{
				Handler:  http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }),
				ErrorLog: log.New(io.Discard, "", 0),
			}}
			transport := New()
			if tt.https {
				server.StartTLS()
				transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			} else {
				server.Start()
			}
			defer server.Close()
			defer transport.CloseIdleConnections()
			ctx := WithDial(t.Context(), func(context.Context, string, string) (net.Conn, error) {
				connections++
				return near.Dial()
			})
			if err := Preconnect(ctx, transport, server.URL); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // until net/http has put the connection away
			if connections != 1 || requests != 0 {
				t.Errorf("%s: Preconnect opened %d connections and sent %d requests; want one and none", name, connections, requests)
			}
			if tt.dies {
				server.CloseClientConnections()
			}
			call(t, ctx, transport, server.URL)
			call(t, ctx, transport, server.URL)
			if connections != tt.connections || requests != 2 {
				t.Errorf("%s: two requests after Preconnect are %d on %d connections; want 2 on %d", name, requests, connections, tt.connections)
			}
		})
	}
}

// call makes a request that may be sent again, as the calls of the API are.
func call(t *testing.T, ctx context.Context, transport http.RoundTripper, root string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, root, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Idempotency-Key"] = []string{}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
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
