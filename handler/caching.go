package handler

import (
	"net/http"
	"strconv"
	"time"

	"voxkv/internal/freshness"
	"voxkv/lookup"
)

const (
	noStore = "no-store"

	// neverStale keeps every cache from serving stale responses; no two of the
	// three do. Traffic Server and Squid obey the first, Varnish's grace the second,
	// CloudFront the third.
	neverStale = ", must-revalidate, stale-while-revalidate=0, stale-if-error=0"
)

// A caching is what a response tells caches.
type caching struct {
	control string // Cache-Control

	// sharedUntil is until when shared caches may keep the response; zero if none may.
	sharedUntil time.Time
}

// uncached is the caching of a response that no cache may keep.
func uncached() caching { return caching{control: noStore} }

// cachingOf is the caching of a response with an item, made at a time.
func cachingOf(f freshness.Freshness, at time.Time) caching {
	c := caching{control: cacheControl(f)}
	if f.Storable() && f.SharedMaxAge >= 1 {
		c.sharedUntil = after(at, f.SharedMaxAge)
	}
	return c
}

// cacheControl is the field's value. A response that no shared cache may keep is
// private and not s-maxage=0, which lets a cache store the response or not.
func cacheControl(f freshness.Freshness) string {
	switch {
	case !f.Storable():
		return noStore
	case f.SharedMaxAge < 1:
		return "private, max-age=" + decimal(f.MaxAge) + neverStale
	}
	return "public, max-age=" + decimal(f.MaxAge) + ", s-maxage=" + decimal(f.SharedMaxAge) + neverStale
}

// absenceCaching is the caching of an item's absence. Shared caches may keep it until the
// absence has been known for maxAge, so that requests for random keys
// do not all reach the API. A browser asks every time.
func absenceCaching(a lookup.Answer, maxAge time.Duration, private bool) caching {
	left := freshness.OfAbsence(a, maxAge)
	switch {
	case left < 1:
		return uncached()
	case private, a.Rule.Private:
		return caching{control: "private, max-age=0" + neverStale}
	}
	return caching{control: "public, max-age=0, s-maxage=" + decimal(left) + neverStale, sharedUntil: after(a.At, left)}
}

// set is the only place where a response gets these fields, so that none of them
// is forgotten. Browsers know Cache-Control. Expires and X-Accel-Expires are for
// an nginx that is told to ignore it: with proxy_cache_valid it would keep all that
// is private or no-store. nginx removes X-Accel-Expires from the response. A time,
// unlike a number of seconds, also holds if the response was long on its way.
func (c caching) set(header http.Header) {
	expires, accel := time.Unix(0, 0), "0"
	if !c.sharedUntil.IsZero() {
		expires, accel = c.sharedUntil, "@"+decimal(c.sharedUntil.Unix())
	}
	header.Set("Cache-Control", c.control)
	header.Set("Expires", expires.UTC().Format(http.TimeFormat))
	header.Set("X-Accel-Expires", accel)
}

func after(at time.Time, seconds int64) time.Time {
	return at.Add(time.Duration(seconds) * time.Second)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
