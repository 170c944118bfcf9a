package handler

import (
	"net/http"
	"slices"
	"strings"
)

const (
	allowedMethods = "GET, HEAD, OPTIONS"
	exposedHeaders = "ETag, Date, Age, Retry-After, X-Request-Id"
)

// corsHeaders are those of every response (Fetch standard, CORS protocol).
// With a list of origins every response varies by Origin, also one to a
// request without any, since a cache may give it to a page.
func (h *Handler) corsHeaders(header http.Header) {
	if h.anyOrigin() {
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Expose-Headers", exposedHeaders)
	} else {
		header.Set("Vary", "Origin")
	}
}

// allowOrigin lets the pages of a listed origin read the response.
func (h *Handler) allowOrigin(header http.Header, origin string) {
	if !h.anyOrigin() && slices.Contains(h.Origins, origin) {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Expose-Headers", exposedHeaders)
	}
}

func (h *Handler) anyOrigin() bool { return slices.Contains(h.Origins, "*") }

// options answers a preflight, or lists the methods.
func (h *Handler) options(r *http.Request) response {
	header := http.Header{}
	res := response{status: http.StatusNoContent, header: header, caching: uncached()}
	if r.Header.Get("Origin") == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		header.Set("Allow", allowedMethods)
		return res
	}
	header.Set("Access-Control-Allow-Methods", "GET, HEAD")
	header.Set("Access-Control-Allow-Headers", strings.Join(h.requestHeaders(), ", "))
	header.Set("Access-Control-Max-Age", "7200")
	if !h.anyOrigin() {
		header.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	}
	return res
}

// requestHeaders are those that a page may set and that make a difference: where
// callers may be authenticated the credentials too, which no wildcard covers, and
// what the gateway asks for.
func (h *Handler) requestHeaders() []string {
	names := []string{"If-None-Match", "traceparent"}
	if h.Private || h.Tokens {
		names = append(names, "Authorization")
	}
	return append(names, h.PageHeaders...)
}
