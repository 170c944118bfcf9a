package cachetest

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/internal/function"
	"voxkv/internal/settings"
	"voxkv/internal/voximplanttest"
)

// A State is how an origin fares.
type State string

const (
	Healthy     State = "healthy"
	StorageDown State = "storage fails"       // the function answers what it can
	GatewayDown State = "gateway says 503"    // in its own words, without a header of ours
	Dropping    State = "connections dropped" // each before its answer
)

// States returns all states, Healthy first.
func States() []State { return []State{Healthy, StorageDown, GatewayDown, Dropping} }

// Sites are functions with settings of their own, by name. The settings are
// environment variables.
type Sites map[string]map[string]string

// LateSite is the name of a site whose answers take Late to arrive.
const (
	LateSite = "late"
	Late     = 5 * time.Second
)

// An Origin serves several functions and the storage behind them. The name of
// its site stands before the first colon of a key.
type Origin struct {
	URL, Addr string
	Storage   *voximplanttest.Server

	newFunction func(settings map[string]string) (http.Handler, error)

	mu        sync.Mutex // guards everything below
	functions map[string]http.Handler
	state     State
	exchanges []Exchange
}

// An Exchange is a request that reached an origin, and its answer.
type Exchange struct {
	At, Done        time.Time // the request was there; the answer was given away
	Method, Key     string    // of several keys the first
	Request, Answer http.Header
	Status          int // 0 if the connection was dropped
}

// account is the service account of every origin; making one takes a while.
var account = sync.OnceValues(func() (*voximplanttest.ServiceAccount, error) {
	return voximplanttest.NewServiceAccount(1)
})

// NewOrigin starts a healthy origin that stops when the test ends.
func NewOrigin(t testing.TB, sites Sites) *Origin {
	t.Helper()
	a, err := account()
	if err != nil {
		t.Fatal(err)
	}
	o := &Origin{
		Storage:   &voximplanttest.Server{AccountID: a.AccountID, ApplicationID: 1},
		functions: map[string]http.Handler{},
		state:     Healthy,
	}
	o.Storage.AddKey(a.KeyID, &a.PrivateKey.PublicKey)
	storage := httptest.NewServer(o.Storage)
	t.Cleanup(storage.Close)
	o.newFunction = func(settings map[string]string) (http.Handler, error) {
		return newFunction(a, storage.URL, settings)
	}
	for name, settings := range sites {
		o.Set(t, name, settings)
	}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.URL, o.Addr = server.URL, server.Listener.Addr().String()
	return o
}

// Set gives a site a new function, with these settings.
func (o *Origin) Set(t testing.TB, site string, settings map[string]string) {
	t.Helper()
	f, err := o.newFunction(settings)
	if err != nil {
		t.Errorf("the settings of %s: %v", site, err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.functions[site] = f
}

func newFunction(a *voximplanttest.ServiceAccount, storage string, environ map[string]string) (http.Handler, error) {
	all := map[string]string{
		"VOXIMPLANT_SECRET_ID":      "embedded",
		"VOXIMPLANT_APPLICATION_ID": "1",
		"VOXIMPLANT_API_URL":        storage + "/platform_api",
		"ALLOWED_KEYS":              "*",
	}
	maps.Copy(all, environ)
	s, err := settings.Read(all)
	if err != nil {
		return nil, err
	}
	key := func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey(a.Credentials())
	}
	f, err := function.New(s, key, "cachetest", slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if s.AllowedKeys.NeedClaims() > 0 {
		return behindAuthorizer(f), nil
	}
	return f, nil
}

// Turn changes the origin's state.
func (o *Origin) Turn(s State) {
	var intercept func(http.ResponseWriter, *http.Request) bool
	if s == StorageDown {
		intercept = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
	}
	o.Storage.Intercept(intercept)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state = s
}

// Exchanges returns what reached the origin so far.
func (o *Origin) Exchanges() []Exchange {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.exchanges[:len(o.exchanges):len(o.exchanges)]
}

// ServeHTTP answers as the origin's state says.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	watched := &watchedWriter{ResponseWriter: w}
	key := keyOf(r.URL)
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.exchanges = append(o.exchanges, Exchange{at, time.Now(), r.Method, key, r.Header, w.Header(), watched.status})
	}()
	o.mu.Lock()
	state := o.state
	o.mu.Unlock()
	switch state {
	case Dropping:
		panic(http.ErrAbortHandler)
	case GatewayDown:
		watched.Header().Set("Content-Type", "application/json")
		watched.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(watched, `{"message":"Service Unavailable"}`)
	default:
		o.answer(watched, r, key)
	}
}

// keyOf returns the first key that a request names.
func keyOf(u *url.URL) string {
	if key := u.Query().Get("key"); key != "" {
		return key
	}
	return strings.TrimPrefix(strings.TrimPrefix(u.Path, "/v1/items/"), "/v1/optional/")
}

func (o *Origin) answer(w http.ResponseWriter, r *http.Request, key string) {
	if !strings.HasPrefix(key, LateSite+":") {
		o.function(key).ServeHTTP(w, r)
		return
	}
	made := httptest.NewRecorder()
	o.function(key).ServeHTTP(made, r)
	select {
	case <-time.After(Late):
		maps.Copy(w.Header(), made.Header())
		w.WriteHeader(made.Code)
		w.Write(made.Body.Bytes())
	case <-r.Context().Done():
	}
}

// function returns the function for key, or any for what is no key.
func (o *Origin) function(key string) http.Handler {
	o.mu.Lock()
	defer o.mu.Unlock()
	site, _, _ := strings.Cut(key, ":")
	if f, ok := o.functions[site]; ok {
		return f
	}
	for _, f := range o.functions {
		return f
	}
	return http.NotFoundHandler()
}

// A watchedWriter notes the status.
type watchedWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *watchedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
