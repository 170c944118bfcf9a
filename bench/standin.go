package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"voxkv/bench/floor"
	"voxkv/internal/e2etest"
	"voxkv/internal/relaytest"
)

// serverIdle is how long a service keeps a connection that nobody uses. Common
// load balancers do so for a minute; what Voximplant's does is not known.
const serverIdle = time.Minute

// A standIn is an HTTPS service behind a relay. Each request takes its own
// time, whatever its method, and is counted.
type standIn struct {
	http.Handler
	own        atomic.Int64 // nanoseconds that the service takes for a request
	took       atomic.Int64 // nanoseconds that the last one took
	requests   atomic.Int64
	handshakes atomic.Int64
	server     *httptest.Server
	relay      *relaytest.Relay
}

// serve makes h reachable through the relay.
func (s *standIn) serve(h http.Handler) error {
	s.Handler = h
	s.server = httptest.NewUnstartedServer(s)
	s.server.Config.IdleTimeout = serverIdle
	s.server.TLS = &tls.Config{VerifyConnection: func(tls.ConnectionState) error {
		s.handshakes.Add(1)
		return nil
	}}
	s.server.StartTLS()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := s.server.Listener.Addr().String()
	s.relay = relaytest.New(listener, func() (net.Conn, error) {
		return new(net.Dialer).DialContext(context.Background(), "tcp", address)
	})
	return nil
}

// ServeHTTP implements http.Handler.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	s.requests.Add(1)
	time.Sleep(time.Duration(s.own.Load()))
	s.Handler.ServeHTTP(w, r)
	s.took.Store(int64(time.Since(start)))
}

// counts returns what has reached the service so far.
func (s *standIn) counts() reached {
	return reached{s.relay.Connections(), int(s.handshakes.Load()), int(s.requests.Load())}
}

func (s *standIn) close() {
	s.relay.Close()
	s.server.CloseClientConnections()
	s.server.Close()
}

// reached is what reached a service.
type reached struct{ Connections, Handshakes, Requests int }

func (r reached) since(before reached) reached {
	return reached{r.Connections - before.Connections, r.Handshakes - before.Handshakes, r.Requests - before.Requests}
}

// A network is how far the services are, and how long they take by themselves.
type network struct {
	Distance        time.Duration // round trip to the API
	API             time.Duration // the API's own time for a request
	SecretsDistance time.Duration
	Secrets         time.Duration
}

// secret is the least time that reading the secret takes: TCP, TLS, request.
func (n network) secret() time.Duration { return 3*n.SecretsDistance + n.Secrets }

// cold is the least time that anyone waits for the network before a first answer.
func (n network) cold() time.Duration { return max(2*n.Distance, n.secret()) + n.Distance + n.API }

// again is the least time after a pause that no connection outlives.
func (n network) again() time.Duration { return 3*n.Distance + n.API }

// A world is that of the end-to-end tests, as far away as a network says.
type world struct {
	*e2etest.World
	secrets, api standIn
	trust        trust
	credentials  string // file for the official clients
}

// items is how many there are: more than one series of misses asks for.
const items = 20_000

func newWorld() (*world, error) {
	w := &world{}
	var err error
	if w.World, err = e2etest.New(); err != nil {
		return nil, err
	}
	expires := time.Now().Add(12 * time.Hour).Truncate(time.Second)
	for i := range items {
		w.Voximplant.Put(orderKey(i), floor.Value, expires)
	}
	if err := w.secrets.serve(w.Secrets); err != nil {
		return nil, err
	}
	if err := w.api.serve(w.Voximplant); err != nil {
		return nil, err
	}
	// The certificate of net/http/httptest is the same for both.
	if w.trust, err = newTrust(w.api.server.Certificate()); err != nil {
		return nil, err
	}
	w.credentials = filepath.Join(w.trust.dir, "credentials.json")
	return w, os.WriteFile(w.credentials, w.Account.Credentials(), 0o600)
}

// set holds for connections opened and requests made from now on.
func (w *world) set(n network) {
	w.api.relay.SetRoundTrip(n.Distance)
	w.api.own.Store(int64(n.API))
	w.secrets.relay.SetRoundTrip(n.SecretsDistance)
	w.secrets.own.Store(int64(n.Secrets))
}

func (w *world) close() {
	w.trust.remove()
	w.secrets.close()
	w.api.close()
	w.Close()
}

// environment is that of a function between the stand-ins.
func (w *world) environment(more ...string) []string {
	host := w.api.relay.Addr().String()
	return w.Environment(append([]string{
		"VOXIMPLANT_API_URL=https://" + host + "/platform_api",
		"VOXIMPLANT_HOST=" + host,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=https://" + w.secrets.relay.Addr().String(),
		"SSL_CERT_FILE=" + w.trust.bundle,
		"SSL_CERT_DIR=" + w.trust.directory,
		// The official clients have their own names for what they read.
		"VOXIMPLANT_CREDENTIALS=" + w.credentials,
		"REQUESTS_CA_BUNDLE=" + w.trust.bundle,
		"NODE_EXTRA_CA_CERTS=" + w.trust.own,
	}, more...)...)
}
