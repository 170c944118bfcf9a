package handler

import (
	"net/http"
	"strconv"
	"time"
)

// A caching is what a response tells caches.
type caching struct {
	control string // Cache-Control

	// shared is until when shared caches may keep the response. It is zero where
	// none may.
	shared time.Time
}

// uncached is the caching of a response that nobody may keep.
func uncached() caching { return caching{control: noStore} }

// set is the only place where a response gets these headers, so that none of
// them is forgotten. Browsers know Cache-Control. Expires and X-Accel-Expires are
// for an nginx that is told to ignore it: with proxy_cache_valid it would keep
// all that is private or no-store. It takes X-Accel-Expires off. What says a time
// and no number of seconds holds also where the response was long on its way.
func (c caching) set(header http.Header) {
	expires, accel := time.Unix(0, 0), "0"
	if !c.shared.IsZero() {
		expires, accel = c.shared, "@"+strconv.FormatInt(c.shared.Unix(), 10)
	}
	header.Set("Cache-Control", c.control)
	header.Set("Expires", expires.UTC().Format(http.TimeFormat))
	header.Set("X-Accel-Expires", accel)
}
