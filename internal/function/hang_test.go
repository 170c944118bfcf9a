package function

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/auth"
	"voxkv/internal/settings"
	"voxkv/internal/transport"
	"voxkv/internal/voximplanttest"
)

// TestMain keeps net/http from printing what the peers below send after an answer.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

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

// connect has the transport of client talk to p, without a socket, so that it
// can run in a synctest bubble. served waits for what each connection began.
func (p peer) connect(t *testing.T, client *http.Client, certificates []tls.Certificate, served *sync.WaitGroup) {
	its := client.Transport.(transport.Redacting)
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

// peersOf runs test in a bubble for each peer, in plain text and over TLS, and
// has every connection closed and every goroutine ended after it.
func peersOf(t *testing.T, test func(t *testing.T, root string, connect func(*http.Client))) {
	t.Helper()
	for name, p := range peers {
		for root, certificates := range map[string][]tls.Certificate{"http://127.0.0.1:1": nil, "https://api.test": certificates()} {
			t.Run(root[:strings.Index(root, ":")]+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var served sync.WaitGroup
					var clients []*http.Client
					test(t, root, func(client *http.Client) {
						clients = append(clients, client)
						p.connect(t, client, certificates, &served)
					})
					for _, client := range clients {
						client.CloseIdleConnections()
					}
					served.Wait()
				})
			})
		}
	}
}

// ended checks that a wait that began at began ended with an error that shows
// nothing of the peer's, no later than after most.
func ended(t *testing.T, began time.Time, most time.Duration, err error) {
	t.Helper()
	if took := time.Since(began); took > most {
		t.Errorf("it took %v; want %v at most", took, most)
	}
	if err == nil || strings.Contains(err.Error(), peerWords) {
		t.Errorf("error = %v; want one that does not repeat the peer", err)
	}
}

func testKey(t *testing.T) func(context.Context) (*auth.ServiceAccountKey, error) {
	t.Helper()
	account, err := voximplanttest.NewServiceAccount(7)
	if err != nil {
		t.Fatal(err)
	}
	key, err := auth.ParseServiceAccountKey(account.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return func(context.Context) (*auth.ServiceAccountKey, error) { return key, nil }
}

// newTestFunction builds a function for the API at root.
func newTestFunction(t *testing.T, root string, key func(context.Context) (*auth.ServiceAccountKey, error)) *Function {
	t.Helper()
	s, err := settings.Read(map[string]string{
		"VOXIMPLANT_SECRET_ID": "voxkv", "VOXIMPLANT_APPLICATION_ID": "42", "ALLOWED_KEYS": "*", "VOXIMPLANT_API_URL": root,
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(s, key, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newTestSecret reads a secret from the Secrets Manager at root.
func newTestSecret(t *testing.T, root string, connect func(*http.Client)) *auth.Secret {
	t.Helper()
	client, err := SecretsManager(map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": root,
	})
	if err != nil {
		t.Fatal(err)
	}
	connect(client.Options().HTTPClient.(*http.Client))
	return &auth.Secret{ID: "voxkv", GetSecretValue: client.GetSecretValue}
}

// TestVoximplantCannotHoldACaller: whatever the API sends, the call ends with
// its context, and so does everything that it began.
func TestVoximplantCannotHoldACaller(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	peersOf(t, func(t *testing.T, root string, connect func(*http.Client)) {
		f := newTestFunction(t, root, key)
		connect(&http.Client{Transport: f.client.Transport})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := f.client.GetKeyValueItem(ctx, "order:1")
		ended(t, began, 5*time.Second, err)
	})
}

// TestSecretsManagerCannotHoldACaller is the same for the AWS SDK's client.
func TestSecretsManagerCannotHoldACaller(t *testing.T) {
	t.Parallel()
	peersOf(t, func(t *testing.T, root string, connect func(*http.Client)) {
		secret := newTestSecret(t, root, connect)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := secret.Key(ctx)
		ended(t, began, 5*time.Second, err)
	})
}

// TestPeersCannotHoldWarm: Init goes on after warmTimeout, whatever both sides
// do, and says what it could not do.
func TestPeersCannotHoldWarm(t *testing.T) {
	t.Parallel()
	peersOf(t, func(t *testing.T, root string, connect func(*http.Client)) {
		f := newTestFunction(t, root, newTestSecret(t, root, connect).Key)
		connect(&http.Client{Transport: f.client.Transport})
		var log strings.Builder
		f.log = slog.New(slog.NewTextHandler(&log, nil))
		began := time.Now()
		f.Warm(t.Context())
		ended(t, began, warmTimeout, errors.New(log.String()))
		if !strings.Contains(log.String(), "no token yet") {
			t.Errorf("log = %s; want it to say that there is no token", log.String())
		}
	})
}
