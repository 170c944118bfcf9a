package client

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"voxkv/test/tools"
)

// A gateway stands before cmd/local. Behind /open everybody may read, behind /guarded who has the token, as behind an
// authorizer of API Gateway. It can be unreachable for some keys, and knows what it was asked.
type gateway struct {
	url     string
	local   string // the root of cmd/local
	control string // the root of what tells the gateway how to be

	mu   sync.Mutex // guards what follows
	seen []request
	down string // keys that hold this are not to be had; none if it is empty
}

// A request is one that reached the gateway.
type request struct {
	Method        string `json:"method"`
	Path          string `json:"path"`
	Authorization string `json:"authorization"`
	Refused       bool   `json:"refused"` // since the gateway is down for it
}

const token = "Bearer good"

func newGateway(t *testing.T, local string) *gateway {
	t.Helper()
	g := &gateway{local: local}
	target, err := url.Parse(local)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	// Who goes away while the function answers is none of the test's business.
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	mux := http.NewServeMux()
	mux.Handle("/open/", http.StripPrefix("/open", g.before(proxy, "")))
	mux.Handle("/guarded/", http.StripPrefix("/guarded", g.before(proxy, token)))
	g.url, g.control = tools.Serve(t, mux), tools.Serve(t, http.HandlerFunc(g.serveControl))
	return g
}

// before lets pass who has the token, unless the gateway is down for the key.
func (g *gateway) before(next http.Handler, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refused := g.note(r)
		switch {
		case refused:
			panic(http.ErrAbortHandler) // the connection is dropped
		case token != "" && r.Method != http.MethodOptions && r.Header.Get("Authorization") != token:
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"message":"Unauthorized"}`)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// note keeps what was asked, and reports whether the gateway is down for it.
func (g *gateway) note(r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	refused := g.down != "" && strings.Contains(r.URL.Path, g.down)
	g.seen = append(g.seen, request{r.Method, r.URL.Path, r.Header.Get("Authorization"), refused})
	return refused
}

// serveControl tells what was asked, on GET, and with PUT makes the gateway unreachable for the keys that hold the body.
func (g *gateway) serveControl(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(g.seen) // a client that is gone misses nothing
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.down = string(body)
	w.WriteHeader(http.StatusNoContent)
}

// plan is what a visit has to know.
func (g *gateway) plan() map[string]string {
	return map[string]string{"open": g.url + "/open", "guarded": g.url + "/guarded", "storage": g.local + "/storage/", "control": g.control}
}
