package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"voxkv"
	"voxkv/internal/settings"
)

//go:embed playground
var files embed.FS

const pagePath = "/playground/"

// A playground serves the function, and beside it what is only for this machine: a page to try it out with, and the
// embedded storage.
type playground struct {
	function http.Handler
	settings settings.Settings
	options  options
	read     string       // a key to begin with; empty if the rules tell none
	write    string       // a key to write
	lambda   http.Handler // the function, as Lambda's Invoke
	embedded *embeddedAPI // nil with the real API
	user     *user        // who asks; nil if nobody may be played
	page     *http.ServeMux
	visits   visits
}

func newPlayground(function http.Handler, s settings.Settings, e *embeddedAPI, o options) *playground {
	p := &playground{function: function, settings: s, options: o, embedded: e, page: http.NewServeMux()}
	p.page.HandleFunc("GET /{$}", p.serveIndex)
	p.page.HandleFunc("GET "+pagePath+"requests/{mark}", p.serveVisit)
	p.handleFiles()
	if e != nil {
		p.page.HandleFunc("PUT "+pagePath+"fault", e.serveFault)
	}
	return p
}

// play makes u the one who asks, whom the page may change.
func (p *playground) play(u *user) {
	p.user = u
	p.page.HandleFunc("PUT "+pagePath+"claims", u.serveBecome)
}

// ServeHTTP leaves to the function all that is not the playground's own.
func (p *playground) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	own := http.Handler(p.page)
	switch {
	case path == "/", strings.HasPrefix(path, pagePath):
	case strings.HasPrefix(path, lambdaPath):
		p.lambda.ServeHTTP(w, r)
		return
	case p.embedded != nil && strings.HasPrefix(path, storagePath):
		own = http.HandlerFunc(p.embedded.serveItems) // a ServeMux would clean the keys . and .. away
	default:
		p.serveFunction(w, r)
		return
	}
	if why := foreign(r, nil); why != "" {
		http.Error(w, why, http.StatusForbidden)
		return
	}
	pageHeaders(w.Header())
	own.ServeHTTP(w, r)
}

// serveFunction serves items. Demo items are for every page, as CORS_ORIGINS says; those of a real account are as guarded
// as the page, except from the origins that CORS_ORIGINS names.
func (p *playground) serveFunction(w http.ResponseWriter, r *http.Request) {
	if p.embedded == nil {
		if why := foreign(r, p.settings.CORSOrigins); why != "" {
			http.Error(w, why+", unless CORS_ORIGINS names it", http.StatusForbidden)
			return
		}
	}
	if p.user != nil {
		r = p.user.asking(r)
	}
	p.visits.serve(p.function, w, r)
}

// foreign tells why r is not from this machine's own page, its address bar, a command line or a page of an allowed
// origin; "" if it is. Without the first rule, a page could give its own name the address 127.0.0.1, and so become of our
// origin.
func foreign(r *http.Request, allowed []string) string {
	if !loopback(r.Host) {
		return "only by a name of this machine, such as http://localhost:8080"
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case slices.Contains(allowed, r.Header.Get("Origin")):
		return ""
	case site == "same-origin", site == "none", r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate":
		return ""
	case site == "" && (r.Header.Get("Origin") == "" || r.Header.Get("Origin") == "http://"+r.Host):
		return "" // no browser, or one from before 2023
	}
	return "not for pages of another origin"
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// pageHeaders lets the page load nothing and talk to nobody but its own origin.
func pageHeaders(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
		"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
}

// handleFiles serves what the page loads and links to. Documents are plain text, which every browser shows.
func (p *playground) handleFiles() {
	serve := func(path string, from fs.FS, name, contentType string) {
		p.page.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			http.ServeFileFS(w, r, from, name)
		})
	}
	scripts, _ := fs.Glob(files, "playground/*.js") // the pattern is well-formed
	for _, name := range scripts {
		serve("/"+name, files, name, "text/javascript; charset=utf-8")
	}
	serve(pagePath+"style.css", files, "playground/style.css", "text/css; charset=utf-8")
	serve(pagePath+"openapi.yaml", voxkv.Documents, "openapi.yaml", "text/plain; charset=utf-8")
	serve(pagePath+"http-contract.md", voxkv.Documents, "docs/http-contract.md", "text/plain; charset=utf-8")
}

// A pageData is what the page shows of the settings. Times are in milliseconds.
type pageData struct {
	Storage                     bool
	Failing                     string
	Faults                      []fault
	Example, ExampleToWrite     string
	FunctionName                string
	RawValues, AllowWrites      bool
	CacheMaxAge, NotFoundMaxAge int64
	User                        bool
	Claims                      string
}

// serveIndex serves the page, with controls of the storage if there is one.
func (p *playground) serveIndex(w http.ResponseWriter, _ *http.Request) {
	s := p.settings
	page := pageData{
		Storage: p.embedded != nil, Faults: faults(), Example: p.read, FunctionName: p.options.functionName,
		RawValues: s.RawValues, AllowWrites: s.AllowWrites, CacheMaxAge: s.CacheMaxAge.Milliseconds(), NotFoundMaxAge: s.NotFoundMaxAge.Milliseconds(),
		User: p.user != nil,
	}
	if p.user != nil {
		page.Claims = p.user.shown()
	}
	if p.embedded != nil {
		page.Failing, page.ExampleToWrite = p.embedded.fault(), p.write
	}
	var html bytes.Buffer
	index, err := template.ParseFS(files, "playground/index.html")
	if err == nil {
		err = index.Execute(&html, page)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(html.Bytes())
}

// serveVisit tells what became of a request of the page; null if the browser's cache has answered it.
func (p *playground) serveVisit(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, p.visits.marked(r.Context(), r.PathValue("mark")))
}

func writeJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}
