package function

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/internal/settingstest"
	"voxkv/internal/transport"
)

// peerWords are in what the peers below send, and in no error.
const peerWords = "words-of-the-peer"

const (
	protocol = "HTTP/1.1 101 " + peerWords + "\r\nConnection: Upgrade\r\nUpgrade: " + peerWords + "\r\n\r\n"
	found    = "HTTP/1.1 200 " + peerWords + "\r\n"
)

// A peer is what the other side of a connection does with a request. It sends
// start, then rest again and again with a pause before each, until the
// connection is closed. Without rest it is silent.
type peer struct {
	start, rest string
	pause       time.Duration
}

// peers are the ways to keep a client waiting.
var peers = map[string]peer{
	"silence":                           {},
	"101, then silence":                 {start: protocol},
	"101, then a byte each second":      {start: protocol, rest: "x", pause: time.Second},
	"101, then bytes without end":       {start: protocol, rest: strings.Repeat("x", 4096)},
	"101 that names no protocol":        {start: "HTTP/1.1 101 " + peerWords + "\r\n\r\n"},
	"100 each second":                   {rest: "HTTP/1.1 100 " + peerWords + "\r\n\r\n", pause: time.Second},
	"100 without end":                   {rest: "HTTP/1.1 100 " + peerWords + "\r\n\r\n"},
	"103 each second":                   {rest: "HTTP/1.1 103 Early Hints\r\nLink: " + peerWords + "\r\n\r\n", pause: time.Second},
	"103 without end":                   {rest: "HTTP/1.1 103 Early Hints\r\nLink: " + peerWords + "\r\n\r\n"},
	"a byte of a header each second":    {start: found + "X-A: ", rest: "x", pause: time.Second},
	"a header each second":              {start: found, rest: "X-A: " + peerWords + "\r\n", pause: time.Second},
	"headers without end":               {start: found, rest: "X-A: " + peerWords + "\r\n"},
	"a header without end":              {start: found + "X-A: ", rest: strings.Repeat("x", 4096)},
	"a byte of the body each second":    {start: found + "Content-Length: 1000000\r\n\r\n" + `{"Name":"`, rest: "x", pause: time.Second},
	"a chunk each second":               {start: found + "Transfer-Encoding: chunked\r\n\r\n", rest: "1\r\n \r\n", pause: time.Second},
	"a byte of a chunk size per second": {start: found + "Transfer-Encoding: chunked\r\n\r\n1;x=", rest: "x", pause: time.Second},
	"a trailer each second":             {start: found + "Transfer-Encoding: chunked\r\n\r\n0\r\n", rest: "X-A: " + peerWords + "\r\n", pause: time.Second},
	"a body without end":                {start: found + "Content-Type: application/x-amz-json-1.1\r\n\r\n" + `{"Name":"`, rest: strings.Repeat("x", 64<<10)},
	"a refusal without end":             {start: "HTTP/1.1 500 " + peerWords + "\r\n\r\n", rest: strings.Repeat("x", 64<<10)},
}

// mostSent is more than any client may take of one answer, in bytes.
const mostSent = 8 << 20

// serve answers the first request of a connection, and returns when the client
// has closed it.
func (p peer) serve(t *testing.T, c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	if _, err := http.ReadRequest(r); err != nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		io.Copy(io.Discard, r)
	}()
	_, err := io.WriteString(c, p.start)
	for sent := 0; err == nil && p.rest != ""; sent += len(p.rest) {
		if sent > mostSent {
			t.Errorf("the client took more than %d bytes", mostSent)
			return
		}
		time.Sleep(p.pause)
		_, err = io.WriteString(c, p.rest)
	}
	<-closed
}

// connect has a transport of the function talk to p, without a socket, so that it
// can run in a synctest bubble. served waits for what each connection began.
func (p peer) connect(t *testing.T, its transport.Redacting, certificates []tls.Certificate, served *sync.WaitGroup) {
	its.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	its.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		if certificates != nil {
			theirs = tls.Server(theirs, &tls.Config{Certificates: certificates})
		}
		served.Go(func() { p.serve(t, theirs) })
		return ours, nil
	}
}

// certificates are those of a test server; the clients above look at none.
var certificates = sync.OnceValue(func() []tls.Certificate {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return server.TLS.Certificates
})

// TestPeersCannotHoldACaller: whatever the API and Secrets Manager do, in plain
// text and over TLS, a call of either ends with its context, Init ends within
// warmTimeout, and so does everything that they began. No error shows anything of
// the peer's.
func TestPeersCannotHoldACaller(t *testing.T) {
	t.Parallel()
	for name, p := range peers {
		for root, certificates := range map[string][]tls.Certificate{"http://127.0.0.1:1": nil, "https://api.test": certificates()} {
			t.Run(root[:strings.Index(root, ":")]+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { p.testCallers(t, root, certificates) })
			})
		}
	}
}

func (p peer) testCallers(t *testing.T, root string, certificates []tls.Certificate) {
	var served sync.WaitGroup
	var log strings.Builder
	secret, client := newSecret(t, awsEnviron("AWS_ENDPOINT_URL_SECRETS_MANAGER", root))
	environ := settingstest.Environ("VOXIMPLANT_API_URL", root)
	called, warmed := newFunction(t, environ, accountKey, io.Discard), newFunction(t, environ, secret.Key, &log)
	transports := []http.RoundTripper{client.Transport, called.client.Transport, warmed.client.Transport}
	for _, its := range transports {
		p.connect(t, its.(transport.Redacting), certificates, &served)
	}
	for what, call := range map[string]func(context.Context) error{
		"Voximplant":      func(ctx context.Context) error { _, err := called.client.GetKeyValueItem(ctx, "order:1"); return err },
		"Secrets Manager": func(ctx context.Context) error { _, err := secret.Key(ctx); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		began := time.Now()
		err := call(ctx)
		if took := time.Since(began); took > 5*time.Second || err == nil || strings.Contains(err.Error(), peerWords) {
			t.Errorf("%s: %v after %v; want an error that does not repeat the peer, after 5s at most", what, err, took)
		}
		cancel()
	}
	began := time.Now()
	warmed.Warm(t.Context())
	if took := time.Since(began); took > warmTimeout || !strings.Contains(log.String(), "no token yet") || strings.Contains(log.String(), peerWords) {
		t.Errorf("Init: %s after %v; want that there is no token, without what the peer said, after %v at most", &log, took, warmTimeout)
	}
	for _, its := range transports {
		its.(transport.Redacting).CloseIdleConnections()
	}
	served.Wait() // and the bubble for every other goroutine
}
