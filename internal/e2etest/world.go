// Package e2etest runs the real bootstrap with everything around it on
// loopback: the Lambda Runtime API, Secrets Manager, and the Management API
// over TLS. It is for end-to-end tests and benchmarks.
package e2etest

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"voxkv/internal/relaytest"
	"voxkv/internal/runtimetest"
	"voxkv/internal/secretsmanagertest"
	"voxkv/internal/voximplanttest"
)

const (
	// AccountID and ApplicationID are long enough to be looked for in outputs.
	AccountID     = 7734015923
	ApplicationID = 5551212

	// SecretID is the secret that holds the key.
	SecretID = "voxkv/service-account"

	// AllowedKeys leaves secret:token out.
	AllowedKeys = "order:*,a+b,a#b,a;b,ключЁё,.,я*"

	secretAccessKey = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
	sessionToken    = "FwoGZXIvYXdzEJr-EXAMPLE-session-token"
)

// A World is what stands around the function. New makes one.
type World struct {
	Account    *voximplanttest.ServiceAccount // whose key the secret holds at first
	Voximplant *voximplanttest.Server
	Secrets    *secretsmanagertest.Server

	// Leaks knows the account, AWS's credentials and every token that Voximplant was sent.
	Leaks LeakFinder

	api     *httptest.Server
	secrets *httptest.Server
	dir     string
}

// New starts the stand-ins, with no items and one accepted key. Close stops them.
func New() (*World, error) {
	account, err := voximplanttest.NewServiceAccount(AccountID)
	if err != nil {
		return nil, err
	}
	return NewFor(account)
}

// NewFor is New for a service account of AccountID that there is already: to
// make its key takes longer than all the rest.
func NewFor(account *voximplanttest.ServiceAccount) (*World, error) {
	return newWorld(account, func(h http.Handler) *httptest.Server { return httptest.NewUnstartedServer(h) })
}

// NewInMemory is NewFor with servers that are reached through api and secrets
// alone. It may run in a synctest bubble.
func NewInMemory(account *voximplanttest.ServiceAccount, api, secrets *relaytest.Memory) (*World, error) {
	listeners := []*relaytest.Memory{api, secrets}
	return newWorld(account, func(h http.Handler) *httptest.Server {
		listener := listeners[0]
		listeners = listeners[1:]
		return &httptest.Server{Listener: listener, Config: &http.Server{Handler: h}}
	})
}

// newWorld starts the servers that unstarted makes, first that of the API.
func newWorld(account *voximplanttest.ServiceAccount, unstarted func(http.Handler) *httptest.Server) (*World, error) {
	dir, err := os.MkdirTemp("", "voxkv-e2e-")
	if err != nil {
		return nil, err
	}
	w := &World{
		Account:    account,
		Voximplant: &voximplanttest.Server{AccountID: AccountID, ApplicationID: ApplicationID},
		Secrets:    &secretsmanagertest.Server{},
		dir:        dir,
	}
	w.Voximplant.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	w.Secrets.Put(SecretID, string(account.Credentials()))
	w.Leaks.AddAccount(account)
	w.Leaks.Add("the secret access key", secretAccessKey)
	w.Leaks.Add("the session token", sessionToken)
	w.api, w.secrets = unstarted(http.HandlerFunc(w.overhear)), unstarted(w.Secrets)
	w.api.StartTLS()
	w.secrets.Start()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.api.Certificate().Raw})
	return w, os.WriteFile(w.certificateFile(), certificate, 0o600)
}

// overhear remembers the token of a call before it is answered.
func (w *World) overhear(rw http.ResponseWriter, r *http.Request) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		w.Leaks.AddToken(token)
	}
	w.Voximplant.ServeHTTP(rw, r)
}

func (w *World) certificateFile() string { return filepath.Join(w.dir, "ca.pem") }

// Close stops the stand-ins.
func (w *World) Close() {
	for _, server := range []*httptest.Server{w.api, w.secrets} {
		server.CloseClientConnections()
		server.Close()
	}
	_ = os.RemoveAll(w.dir) // in the system's temporary directory it does no harm
}

// APIURL is the root of the Management API.
func (w *World) APIURL() string { return w.api.URL + "/platform_api" }

// SecretsURL is the root of Secrets Manager.
func (w *World) SecretsURL() string { return w.secrets.URL }

// patience is more than any machine takes to start a function.
const patience = 5 * time.Minute

// Environment is that of the function, with settings, name=value, put over it.
// A slow machine has all the time that UPSTREAM_TIMEOUT can give.
func (w *World) Environment(settings ...string) []string {
	return slices.Concat([]string{
		"VOXIMPLANT_SECRET_ID=" + SecretID,
		"VOXIMPLANT_APPLICATION_ID=" + strconv.Itoa(ApplicationID),
		"VOXIMPLANT_API_URL=" + w.APIURL(),
		"ALLOWED_KEYS=" + AllowedKeys,
		"UPSTREAM_TIMEOUT=1m",
		"SSL_CERT_FILE=" + w.certificateFile(),
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + w.SecretsURL(),
		"AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY=" + secretAccessKey,
		"AWS_SESSION_TOKEN=" + sessionToken,
	}, settings)
}

// Start runs bootstrap and waits for the end of its Init.
func (w *World) Start(ctx context.Context, bootstrap string, settings ...string) (*runtimetest.Process, error) {
	p, err := runtimetest.Start(ctx, bootstrap, w.Environment(settings...))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.Ready(ctx); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%w; it wrote: %s", err, p.Output())
	}
	return p, nil
}

// Build compiles the command of pkg, an import path, into dir and returns the
// executable. It is the template's build but for -trimpath, for which all that
// the tests have compiled already would be compiled again.
func Build(ctx context.Context, dir, pkg string) (string, error) {
	bootstrap := filepath.Join(dir, "bootstrap")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc,nethttpomithttp2", "-ldflags", "-s -w -X main.version=e2e", "-o", bootstrap, pkg)
	// aws-lambda-go puts each request's trace id into the environment, and the C library's never lets go of one.
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("e2etest: go build %s: %w: %s", pkg, err, out)
	}
	return bootstrap, nil
}
