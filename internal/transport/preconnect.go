package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// Preconnect opens a connection to the host of root, TCP and TLS, and leaves it to
// transport, which is one of New, for the first request. It sends nothing
// on it: net/http does not write a request that is cancelled while it dials, and
// keeps the connection for another. It then watches and replaces it like any
// idle connection, should the other side close it before it is used.
//
// A transport that has an idle connection already would write the request, so
// Preconnect comes before all others.
func Preconnect(ctx context.Context, transport http.RoundTripper, root string) error {
	o := &opening{cancelled: make(chan struct{}), result: make(chan error, 1)}
	opening, cancel := context.WithCancel(context.WithValue(ctx, openingKey{}, o))
	defer cancel()
	o.cancel = cancel
	opening = httptrace.WithClientTrace(opening, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { o.shaking.Store(true) },
		TLSHandshakeDone:  func(_ tls.ConnectionState, err error) { o.finish(err) },
	})
	req, err := http.NewRequestWithContext(opening, http.MethodHead, root, nil)
	if err != nil {
		return errors.New("the API URL is not valid") // the error of net/url quotes it
	}
	o.https = req.URL.Scheme == "https"
	res, err := transport.RoundTrip(req)
	if err == nil {
		return res.Body.Close()
	}
	close(o.cancelled)
	if !errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return err
	}
	select {
	case err := <-o.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// An opening is a connection that Preconnect waits for.
type opening struct {
	https     bool
	cancel    context.CancelFunc // of the request that net/http dials for
	cancelled chan struct{}      // closed when that request has ended
	shaking   atomic.Bool        // the TLS handshake has begun
	result    chan error         // the first one counts
}

// openingKey is the context key of an *opening.
type openingKey struct{}

func (o *opening) finish(err error) {
	select {
	case o.result <- err:
	default:
	}
}

// A dial is the method DialContext of net.Dialer.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

// preconnecting returns a DialContext for transports that Preconnect may be given.
func preconnecting(d dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		o, ok := ctx.Value(openingKey{}).(*opening)
		if !ok {
			return d(ctx, network, address)
		}
		// Only now, since net/http would not dial for a request that is cancelled
		// before, and only then on, since it would write one that is not.
		o.cancel()
		<-o.cancelled
		conn, err := d(ctx, network, address)
		if err != nil || !o.https {
			o.finish(err)
			return conn, err
		}
		return openingConn{conn, o}, nil
	}
}

// An openingConn tells that it was closed, as when a proxy refuses to connect it.
type openingConn struct {
	net.Conn
	opening *opening
}

func (c openingConn) Close() error {
	if !c.opening.shaking.Load() { // else the handshake tells more
		c.opening.finish(net.ErrClosed)
	}
	return c.Conn.Close()
}
