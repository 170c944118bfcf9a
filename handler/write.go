package handler

import (
	"maps"
	"net/http"
)

// write writes the response for a, and returns its status: 304 instead of 200 if
// the caller holds the same representation.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, a answer, requestID string) (status int) {
	status = a.status
	header := w.Header()
	h.setCommonHeader(header, r.Header.Get("Origin"), requestID)
	if a.contentType != "" {
		header.Set("Content-Type", a.contentType)
	}
	maps.Copy(header, a.header)
	if a.fresh.Storable() {
		tag := etag(header, a)
		header["ETag"] = []string{tag} // spelled as RFC 9110 does, which Set would not
		if matches(r.Header.Values("If-None-Match"), tag, a.fresh.Clipped) {
			status = http.StatusNotModified
		}
	}
	a.caching.set(header)
	w.WriteHeader(status)
	if status != http.StatusNotModified && len(a.body) > 0 {
		w.Write(a.body)
	}
	return status
}

// setCommonHeader sets the fields that every response has. All but the last two
// are made once, which saves a hit eight allocations.
func (h *Handler) setCommonHeader(header http.Header, origin, requestID string) {
	h.once.Do(func() {
		h.common = http.Header{}
		h.common.Set("X-Content-Type-Options", "nosniff")
		h.common.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.common.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.common.Set("Referrer-Policy", "no-referrer")
		h.corsHeaders(h.common)
	})
	maps.Copy(header, h.common)
	h.allowOrigin(header, origin)
	header.Set("X-Request-Id", requestID)
}
