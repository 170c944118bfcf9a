package handler

import (
	"net/http"
	"strconv"
	"time"
)

// A caching is what a response tells caches.
type caching struct {
	control string // Cache-Control

	// expires is when caches that know no Cache-Control stop to reuse the
	// response.
	expires time.Time

	// shared is until when shared caches may keep the response. It is zero where
	// none may.
	shared time.Time
}

// uncached is the caching of a response that nobody may keep.
func uncached() caching { return caching{control: noStore, expires: longAgo()} }

func longAgo() time.Time { return time.Unix(0, 0) }

// set is the only place where a response gets these headers, so that none of
// them is forgotten. Expires and X-Accel-Expires are for an nginx that is told
// to ignore Cache-Control: with proxy_cache_valid it keeps even no-store, but
// for these. It takes X-Accel-Expires off. An absolute time is obeyed as well
// where the response was long on its way.
func (c caching) set(header http.Header) {
	header.Set("Cache-Control", c.control)
	header.Set("Expires", c.expires.UTC().Format(http.TimeFormat))
	until := "0"
	if !c.shared.IsZero() {
		until = "@" + strconv.FormatInt(c.shared.Unix(), 10)
	}
	header.Set("X-Accel-Expires", until)
}
