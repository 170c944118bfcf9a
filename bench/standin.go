package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"voxkv/bench/floor"
	"voxkv/internal/e2etest"
)

// A standIn puts a latency before what stands in for a service, and measures it.
type standIn struct {
	http.Handler
	latency atomic.Int64 // nanoseconds
	calls   atomic.Int64
	took    atomic.Int64 // nanoseconds of the last call
}

// ServeHTTP lets a HEAD through: it only opens a connection.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		s.Handler.ServeHTTP(w, r)
		return
	}
	start := time.Now()
	time.Sleep(time.Duration(s.latency.Load()))
	s.Handler.ServeHTTP(w, r)
	s.took.Store(int64(time.Since(start)))
	s.calls.Add(1)
}

// A world is that of the end-to-end tests, with latencies.
type world struct {
	*e2etest.World
	secrets, api       standIn
	secretsURL, apiURL string
	trust              trust
	credentials        string // file for the official clients
	close              func()
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
	w.secrets.Handler, w.api.Handler = w.Secrets, w.Voximplant
	secrets, api := httptest.NewServer(&w.secrets), httptest.NewTLSServer(&w.api)
	w.secretsURL, w.apiURL = secrets.URL, api.URL
	if w.trust, err = newTrust(api.Certificate()); err == nil {
		w.credentials = filepath.Join(w.trust.dir, "credentials.json")
		err = os.WriteFile(w.credentials, w.Account.Credentials(), 0o600)
	}
	w.close = func() {
		w.trust.remove()
		for _, server := range []*httptest.Server{secrets, api} {
			server.CloseClientConnections()
			server.Close()
		}
		w.Close()
	}
	return w, err
}

// environment is that of a function between the stand-ins.
func (w *world) environment(more ...string) []string {
	return w.Environment(append([]string{
		"VOXIMPLANT_API_URL=" + w.apiURL + "/platform_api",
		"VOXIMPLANT_HOST=" + strings.TrimPrefix(w.apiURL, "https://"),
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + w.secretsURL,
		"SSL_CERT_FILE=" + w.trust.bundle,
		"SSL_CERT_DIR=" + w.trust.directory,
		// The official clients have their own names for what they read.
		"VOXIMPLANT_CREDENTIALS=" + w.credentials,
		"REQUESTS_CA_BUNDLE=" + w.trust.bundle,
		"NODE_EXTRA_CA_CERTS=" + w.trust.own,
	}, more...)...)
}
