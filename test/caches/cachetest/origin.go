package cachetest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/internal/voximplanttest"
	"voxkv/test/tools"
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
	Storage   tools.Storage

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

// NewOrigin starts a healthy origin that stops when the test ends.
func NewOrigin(t testing.TB, sites Sites) *Origin {
	t.Helper()
	o := &Origin{
		Storage:   tools.NewStorage(t, &voximplanttest.Server{ApplicationID: 1}),
		functions: map[string]http.Handler{},
		state:     Healthy,
	}
	for name, settings := range sites {
		o.Set(t, name, settings)
	}
	o.URL = tools.Serve(t, o)
	o.Addr = strings.TrimPrefix(o.URL, "http://")
	return o
}

// Set gives a site a new function, with these settings.
func (o *Origin) Set(t testing.TB, site string, settings map[string]string) {
	t.Helper()
	f := o.Storage.Function(t, settings)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.functions[site] = f
	if strings.Contains(settings["ALLOWED_KEYS"], "{") { // rules that need claims
		o.functions[site] = behindAuthorizer(f)
	}
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
