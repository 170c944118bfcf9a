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

// A user is who asks for items, as if an authorizer in front of the function had verified its claims. The zero user has none.
type user struct {
	mu     sync.Mutex // guards what follows
	text   string     // JSON
	claims allowlist.Claims
}

// become makes u the one with the claims in text, a JSON object or nothing. The error does not show them.
func (u *user) become(text string) error {
	var claims allowlist.Claims
	if text = strings.TrimSpace(text); text != "" {
		var ok bool
		if claims, ok = allowlist.ParseClaims([]byte(text)); !ok {
			return errors.New(`the claims are no JSON object without repeated names; accepted: claims such as {"sub":"42"}`)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.text, u.claims = text, claims
	return nil
}

// shown is the claims as they were given.
func (u *user) shown() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.text
}

func (u *user) caller() allowlist.Caller {
	u.mu.Lock()
	defer u.mu.Unlock()
	return allowlist.Caller{Claims: u.claims}
}

// asking returns r as u's request.
func (u *user) asking(r *http.Request) *http.Request {
	return r.WithContext(allowlist.WithCaller(r.Context(), u.caller()))
}

// serveBecome takes the claims of the one who asks from now on.
func (u *user) serveBecome(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxClaims))
	if err == nil {
		err = u.become(string(text))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
