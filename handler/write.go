package handler

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// write writes res, and returns the status: 304 instead of 200 if the caller holds
// the same representation.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, res response, requestID string) (status int) {
	status = res.status
	header := w.Header()
	h.setCommonHeader(header, r.Header.Get("Origin"), requestID)
	if res.perCaller() {
		// A browser that two users share then keeps the answer for one token only.
		header.Set("Vary", strings.Join(append(slices.Clip(header["Vary"]), "Authorization"), ", "))
	}
	if res.contentType != "" {
		header.Set("Content-Type", res.contentType)
	}
	maps.Copy(header, res.header)
	if res.fresh.Storable() {
		tag := etag(header, res)
		header["ETag"] = []string{tag} // spelled as RFC 9110 does, which Set would not
		if matches(r.Header.Values("If-None-Match"), tag, res.fresh.Clipped) {
			status = http.StatusNotModified
		}
	}
	res.caching.set(header)
	w.WriteHeader(status)
	if status != http.StatusNotModified && len(res.body) > 0 {
		w.Write(res.body)
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
