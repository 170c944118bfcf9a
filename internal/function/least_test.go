package function

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/auth"
	"voxkv/internal/relaytest"
	"voxkv/internal/secretsmanagertest"
	"voxkv/internal/settings"
	"voxkv/internal/transport"
	"voxkv/internal/voximplanttest"
)

// A distant service is an HTTPS server behind a relay, without sockets.
type distant struct {
	*httptest.Server
	relay      *relaytest.Relay
	near       *relaytest.Memory
	handshakes atomic.Int32
	requests   atomic.Int32
}

// newDistant serves h, each request after its own time, a round trip away. It
// is made and used in a bubble of testing/synctest.
func newDistant(h http.Handler, version uint16, roundTrip, own time.Duration) *distant {
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
	return d
}

// reach makes a client of the function reach d, and trust it.
func (d *distant) reach(client *http.Client) {
	its := client.Transport.(transport.Redacting)
	dial := its.DialContext
	its.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx = transport.WithDial(ctx, func(context.Context, string, string) (net.Conn, error) { return d.near.Dial() })
		return dial(ctx, network, address)
	}
	its.TLSClientConfig.RootCAs = d.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}

func (d *distant) close() {
	d.relay.Close()
	d.Close()
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

// TestTheLeast: on a network as it is, what the function waits for is what any
// program would have to wait for. In the bubble computing takes no time, so the
// times are exact.
func TestTheLeast(t *testing.T) {
	t.Parallel()
	account, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, distance := range []time.Duration{0, 3 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		for version, handshake := range map[uint16]time.Duration{tls.VersionTLS13: distance, tls.VersionTLS12: 2 * distance} {
			t.Run(distance.String()+" "+tls.VersionName(version), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testTheLeast(t, account, distance, version, handshake) })
			})
		}
	}
}

func testTheLeast(t *testing.T, account *voximplanttest.ServiceAccount, distance time.Duration, version uint16, handshake time.Duration) {
	const (
		near        = time.Millisecond // to Secrets Manager, in the function's own region
		secretsTime = 10 * time.Millisecond
		apiTime     = 5 * time.Millisecond
	)
	storage := &voximplanttest.Server{AccountID: 1, ApplicationID: 42}
	storage.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	var secrets secretsmanagertest.Server
	secrets.Put("voxkv/key", string(account.Credentials()))
	api, manager := newDistant(storage, version, distance, apiTime), newDistant(&secrets, tls.VersionTLS13, near, secretsTime)
	defer api.close()
	defer manager.close()
	f := distantFunction(t, api, manager)
	connections := f.client.Transport.(transport.Redacting)
	defer connections.CloseIdleConnections()

	takes := func(what string, want time.Duration, do func()) {
		t.Helper()
		began := time.Now()
		do()
		if took := time.Since(began); took != want {
			t.Errorf("%s took %v; want %v", what, took, want)
		}
	}
	get := func() {
		t.Helper()
		value := time.Now().Format(time.TimeOnly)
		storage.Put("greeting", value, time.Now().Add(time.Hour))
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/items/greeting", nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), value) {
			t.Errorf("GET = %d %s; want %s, which is what is stored now", w.Code, w.Body, value)
		}
	}
	takes("Init", max(distance+handshake, 3*near+secretsTime), func() { f.Warm(t.Context()) })
	synctest.Wait() // until net/http has put the connection away
	api.want(t, "Init", counts{1, 1, 0})
	manager.want(t, "Init", counts{1, 1, 1})
	takes("the first request", distance+apiTime, get)
	api.want(t, "the first request", counts{1, 1, 1})
	time.Sleep(connections.IdleConnTimeout - time.Second)
	takes("a request just before the idle limit", distance+apiTime, get)
	api.want(t, "a request just before the idle limit", counts{1, 1, 2})
	time.Sleep(connections.IdleConnTimeout + time.Second)
	// The session is resumed: with TLS 1.2 that spares a round trip (RFC 5077 section 3.1).
	takes("a request after a pause", 3*distance+apiTime, get)
	api.want(t, "a request after a pause", counts{2, 2, 3})
	manager.want(t, "all", counts{1, 1, 1})
	if signed, _ := f.client.Tokens.(*auth.TokenSource).Counts(); signed != 1 {
		t.Errorf("%d signatures; want 1", signed)
	}
}

// distantFunction is a Function as cmd/lambda builds it, far from both services.
func distantFunction(t *testing.T, api, manager *distant) *Function {
	t.Helper()
	environ := map[string]string{
		"VOXIMPLANT_SECRET_ID":      "voxkv/key",
		"VOXIMPLANT_APPLICATION_ID": "42",
		"VOXIMPLANT_API_URL":        api.URL + "/platform_api",
		"ALLOWED_KEYS":              "greeting",

		"AWS_REGION":                       "eu-central-1",
		"AWS_ACCESS_KEY_ID":                "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY":            "secret access key",
		"AWS_SESSION_TOKEN":                "session token",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": manager.URL,
	}
	s, err := settings.Read(environ)
	if err != nil {
		t.Fatal(err)
	}
	client, err := SecretsManager(environ)
	if err != nil {
		t.Fatal(err)
	}
	manager.reach(client.Options().HTTPClient.(*http.Client))
	secret := &auth.Secret{ID: s.SecretID, GetSecretValue: client.GetSecretValue}
	f, err := New(s, secret.Key, "test", slog.New(slog.NewJSONHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	api.reach(&http.Client{Transport: f.client.Transport})
	return f
}
