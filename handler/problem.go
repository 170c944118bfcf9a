package handler

import (
	"encoding/json"
	"net/http"
	"strconv"

	"voxkv/internal/problem"
)

func noRoute() error {
	return problem.New(http.StatusNotFound, problem.NoRoute, "Nothing is served here. Items are at "+itemsPath+"/{key}.")
}

func methodNotAllowed() error {
	return problem.New(http.StatusMethodNotAllowed, problem.MethodNotAllowed, "Only "+allowedMethods+" are served here.")
}

// serveProblem writes p and the headers that go with its status.
func (h *Handler) serveProblem(w http.ResponseWriter, p problem.Problem, c caching) {
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	c.set(header)
	if p.Status == http.StatusMethodNotAllowed {
		header.Set("Allow", allowedMethods)
	}
	if p.RetryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
	}
	// A problem is strings and numbers: it always marshals.
	body, _ := json.Marshal(p)
	w.WriteHeader(p.Status)
	w.Write(body)
}
