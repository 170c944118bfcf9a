package main

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"voxkv/allowlist"
)

// maxClaims is the most bytes of claims, more than a token's that an API Gateway lets through.
const maxClaims = 10 << 10

// A simulatedCaller is who asks for items, as if an authorizer in front of the function had verified its claims. The zero value
// has none.
type simulatedCaller struct {
	mu     sync.Mutex // guards what follows
	text   string     // JSON
	claims allowlist.Claims
}

// setClaims gives the caller the claims in text, a JSON object or nothing. The error does not show them.
func (c *simulatedCaller) setClaims(text string) error {
	var claims allowlist.Claims
	if text = strings.TrimSpace(text); text != "" {
		var ok bool
		if claims, ok = allowlist.ParseClaims([]byte(text)); !ok {
			return errors.New(`the claims are no JSON object without repeated names; accepted: claims such as {"sub":"42"}`)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text, c.claims = text, claims
	return nil
}

// claimsText is the claims as they were given.
func (c *simulatedCaller) claimsText() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text
}

func (c *simulatedCaller) current() allowlist.Caller {
	c.mu.Lock()
	defer c.mu.Unlock()
	return allowlist.Caller{Claims: c.claims}
}

// withClaims returns r as a request of this caller.
func (c *simulatedCaller) withClaims(r *http.Request) *http.Request {
	return r.WithContext(allowlist.WithCaller(r.Context(), c.current()))
}

// serveClaims takes the claims that the caller has from now on.
func (c *simulatedCaller) serveClaims(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxClaims))
	if err == nil {
		err = c.setClaims(string(text))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// No token tells users apart here, so the browser's cache would answer with what another one read.
	w.Header().Set("Clear-Site-Data", `"cache"`)
	w.WriteHeader(http.StatusNoContent)
}
