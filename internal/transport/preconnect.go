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
// keeps the connection as an idle one for another request. Like any idle connection
// it is replaced if the other side closes it before it is used.
//
// If the transport has an idle connection already, it writes the request, so call
// Preconnect before all requests.
func Preconnect(ctx context.Context, transport http.RoundTripper, root string) error {
	o := &opening{cancelled: make(chan struct{}), result: make(chan error, 1)}
	opening, cancel := context.WithCancel(context.WithValue(ctx, openingKey{}, o))
	defer cancel()
	o.cancel = cancel
	opening = httptrace.WithClientTrace(opening, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { o.handshake.Store(true) },
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
	handshake atomic.Bool        // the TLS handshake has begun
	result    chan error         // the first one counts
}

// openingKey is the context key of an *opening.
type openingKey struct{}

// finish sets the result unless it is set already.
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
		// The request is cancelled neither earlier, when net/http would not dial for it,
		// nor later, when net/http would write it.
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

// An openingConn ends its opening when it is closed, for example because a proxy
// refuses the CONNECT request.
type openingConn struct {
	net.Conn
	opening *opening
}

func (c openingConn) Close() error {
	if !c.opening.handshake.Load() { // otherwise the error of the handshake says more
		c.opening.finish(net.ErrClosed)
	}
	return c.Conn.Close()
}
