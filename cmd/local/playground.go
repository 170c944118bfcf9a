package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"io/fs"
	"net/http"
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
	read     string           // a key to begin with; empty if the rules tell none
	write    string           // a key to write
	lambda   http.Handler     // the function, as Lambda's Invoke
	embedded *embeddedAPI     // nil with the real API
	caller   *simulatedCaller // who asks; nil if claims may not be simulated
	page     *http.ServeMux
	requests pageRequests
}

func newPlayground(function http.Handler, s settings.Settings, e *embeddedAPI, o options) *playground {
	p := &playground{function: function, settings: s, options: o, embedded: e, page: http.NewServeMux()}
	p.page.HandleFunc("GET /{$}", p.serveIndex)
	p.page.HandleFunc("GET "+pagePath+"requests/{id}", p.servePageRequest)
	p.handleFiles()
	if e != nil {
		p.page.HandleFunc("PUT "+pagePath+"fault", e.serveFault)
	}
	return p
}

// simulate makes c the one who asks, whose claims the page may change.
func (p *playground) simulate(c *simulatedCaller) {
	p.caller = c
	p.page.HandleFunc("PUT "+pagePath+"claims", c.serveClaims)
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
		own = http.HandlerFunc(p.embedded.serveStorage) // a ServeMux would clean the keys . and .. away
	default:
		p.serveFunction(w, r)
		return
	}
	if why := crossOrigin(r, nil); why != "" {
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
		if why := crossOrigin(r, p.settings.CORSOrigins); why != "" {
			http.Error(w, why+", unless CORS_ORIGINS names it", http.StatusForbidden)
			return
		}
	}
	if p.caller != nil {
		r = p.caller.withClaims(r)
	}
	p.requests.serve(p.function, w, r)
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
	SimulatesCaller             bool
	Claims                      string
}

// serveIndex serves the page, with controls of the storage if there is one.
func (p *playground) serveIndex(w http.ResponseWriter, _ *http.Request) {
	s := p.settings
	page := pageData{
		Storage: p.embedded != nil, Faults: faults(), Example: p.read, FunctionName: p.options.functionName,
		RawValues: s.RawValues, AllowWrites: s.AllowWrites, CacheMaxAge: s.CacheMaxAge.Milliseconds(), NotFoundMaxAge: s.NotFoundMaxAge.Milliseconds(),
		SimulatesCaller: p.caller != nil,
	}
	if p.caller != nil {
		page.Claims = p.caller.claimsText()
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

// servePageRequest tells what became of a request of the page; null if the browser's cache has answered it.
func (p *playground) servePageRequest(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, p.requests.wait(r.Context(), r.PathValue("id")))
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
