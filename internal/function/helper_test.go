package function

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/internal/relaytest"
	"voxkv/internal/secretsmanagertest"
	"voxkv/internal/settingstest"
	"voxkv/internal/transport"
	"voxkv/internal/voximplanttest"
)

// TestMain keeps net/http from printing what the peers of hang_test.go send after an answer.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// account is one for all tests: its key takes a while to make.
var account = sync.OnceValue(func() *voximplanttest.ServiceAccount {
	account, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		panic(err)
	}
	return account
})

func accountKey(context.Context) (*auth.ServiceAccountKey, error) {
	return auth.ParseServiceAccountKey(account().Credentials())
}

// awsEnviron is what Lambda sets, with changes.
func awsEnviron(changes ...string) map[string]string {
	return settingstest.With(map[string]string{
		"AWS_REGION":            "eu-central-1",
		"AWS_ACCESS_KEY_ID":     "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "secret access key",
		"AWS_SESSION_TOKEN":     "session token",
	}, changes...)
}

// newFunction builds a Function from an environment, whose log lines go to log.
func newFunction(t *testing.T, environ map[string]string, key func(context.Context) (*auth.ServiceAccountKey, error), log io.Writer) *Function {
	t.Helper()
	s := settingstest.Read(t, environ)
	f, err := New(s, key, "test", NewLog(log, s))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newSecret is the secret of settingstest.Environ, whose Secrets Manager environ names, and the HTTP client that asks for it.
func newSecret(t *testing.T, environ map[string]string) (*auth.Secret, *http.Client) {
	t.Helper()
	client, err := SecretsManager(environ)
	if err != nil {
		t.Fatal(err)
	}
	return &auth.Secret{ID: "voxkv/key", GetSecretValue: client.GetSecretValue}, client.Options().HTTPClient.(*http.Client)
}

// A world is a Function, as cmd/lambda builds it, and both services that it needs. There is no socket in it, so that it lives
// in a bubble of testing/synctest and what comes of a test does not depend on how fast the machine is.
type world struct {
	*Function
	storage      *voximplanttest.Server
	api, manager *distant
	output       bytes.Buffer // the log
}

// A way is how far both services are, and how long they take by themselves.
type way struct {
	version     uint16        // the newest of TLS that the API knows; 0 for the newest there is
	distance    time.Duration // round trip to the API
	apiTime     time.Duration
	near        time.Duration // round trip to Secrets Manager, in the function's own region
	secretsTime time.Duration
}

// nearby takes some time: without any, the answer may arrive before net/http has finished sending the request.
func nearby() way { return way{distance: time.Millisecond, near: time.Millisecond} }

// newWorld builds the function from settingstest.Environ with changes. Its greeting is hello.
func newWorld(t *testing.T, way way, changes ...string) *world {
	t.Helper()
	w := &world{storage: &voximplanttest.Server{AccountID: 1, ApplicationID: 42, ApplicationName: "app.example"}}
	w.storage.AddKey(account().KeyID, &account().PrivateKey.PublicKey)
	w.storage.Put("greeting", "hello", time.Now().Add(time.Hour))
	var secrets secretsmanagertest.Server
	secrets.Put("voxkv/key", string(account().Credentials()))
	w.api = newDistant(t, w.storage, way.version, way.distance, way.apiTime)
	w.manager = newDistant(t, &secrets, tls.VersionTLS13, way.near, way.secretsTime)
	environ := settingstest.Environ("VOXIMPLANT_API_URL", w.api.URL+"/platform_api")
	maps.Copy(environ, awsEnviron("AWS_ENDPOINT_URL_SECRETS_MANAGER", w.manager.URL))
	secret, client := newSecret(t, environ)
	w.manager.reachedBy(client.Transport)
	w.Function = newFunction(t, settingstest.With(environ, changes...), secret.Key, &w.output)
	w.api.reachedBy(w.client.Transport)
	t.Cleanup(w.client.Transport.(transport.Redacting).CloseIdleConnections)
	return w
}

// get serves GET /v1/items/{key}.
func (w *world) get(t *testing.T, key string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/items/"+key, nil))
	return answer
}

// lines returns the members of each log line.
func lines(t *testing.T, log string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(log) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		all = append(all, members)
	}
	return all
}

// A distant service is an HTTPS server behind a relay, without sockets.
type distant struct {
	*httptest.Server
	relay      *relaytest.Relay
	near       *relaytest.Memory
	handshakes atomic.Int32
	requests   atomic.Int32
}

// newDistant serves h until the test ends, each request after its own time, a round trip away.
func newDistant(t *testing.T, h http.Handler, version uint16, roundTrip, own time.Duration) *distant {
	t.Helper()
	far := relaytest.NewMemory()
	d := &distant{near: relaytest.NewMemory()}
	d.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.requests.Add(1)
		time.Sleep(own)
		h.ServeHTTP(w, r)
	}))
	d.Listener.Close()
	d.Listener = far
	d.TLS = &tls.Config{MaxVersion: version, VerifyConnection: func(tls.ConnectionState) error {
		d.handshakes.Add(1)
		return nil
	}}
	d.StartTLS()
	d.relay = relaytest.New(d.near, far.Dial)
	d.relay.SetRoundTrip(roundTrip)
	t.Cleanup(func() {
		d.relay.Close()
		d.Close()
	})
	return d
}

// reachedBy makes a transport of the function lead to d, and trust it.
func (d *distant) reachedBy(its http.RoundTripper) {
	redacting := its.(transport.Redacting)
	dial := redacting.DialContext
	redacting.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx = transport.WithDial(ctx, func(context.Context, string, string) (net.Conn, error) { return d.near.Dial() })
		return dial(ctx, network, address)
	}
	redacting.TLSClientConfig.RootCAs = d.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}

// counts are what reached a distant service.
type counts struct{ connections, handshakes, requests int }

func (d *distant) want(t *testing.T, what string, want counts) {
	t.Helper()
	got := counts{d.relay.Connections(), int(d.handshakes.Load()), int(d.requests.Load())}
	if got != want {
		t.Errorf("%s: %+v; want %+v", what, got, want)
	}
}
