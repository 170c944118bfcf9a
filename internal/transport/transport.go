// Package transport is how the function speaks HTTP to Voximplant and to Secrets
// Manager: with bounds for everything that the other side sends, over
// connections that can be opened before the first request, and with errors that
// repeat nothing of an answer.
package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// dialTimeout bounds opening a TCP connection, and separately a TLS handshake.
	dialTimeout = 1500 * time.Millisecond

	// idleTimeout is less than the minute after which common load balancers
	// drop an idle connection. net/http compares it with the wall clock, so it
	// holds through a freeze of the sandbox.
	idleTimeout = 50 * time.Second

	// maxHeader bounds the header of an answer in bytes, including those of the
	// informational answers (1xx) before it.
	maxHeader = 64 << 10
)

// New returns the transport of a client. It speaks HTTP/1.1 only: a sandbox
// serves one request at a time, and a dead HTTP/1.1 connection is given up with
// the try that met it. A connection that is made again resumes its TLS session,
// which takes less CPU, and with TLS 1.2 one round trip less.
func New() Redacting {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return Redacting{&http.Transport{
		Proxy:                  proxy,
		DialContext:            preconnecting(dialInTime),
		TLSClientConfig:        &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		TLSHandshakeTimeout:    dialTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              &http1,
	}}
}

// proxy returns the proxy that the environment names for https. There is none for
// plain http: such a request has a token or a secret that a proxy could read, and it
// goes to this machine or a private network, which need no proxy.
func proxy(r *http.Request) (*url.URL, error) {
	if r.URL.Scheme == "http" {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// dialer is the context key of WithDial.
type dialer struct{}

// WithDial returns a context under which connections are opened with dial, which is
// like net.Dialer.DialContext. Tests use it to run the function without sockets, and
// so by the clock of testing/synctest.
func WithDial(ctx context.Context, dial func(ctx context.Context, network, address string) (net.Conn, error)) context.Context {
	return context.WithValue(ctx, dialer{}, dial)
}

// dialInTime opens a connection within dialTimeout.
func dialInTime(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if other, ok := ctx.Value(dialer{}).(func(context.Context, string, string) (net.Conn, error)); ok {
		return other(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
