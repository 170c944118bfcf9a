package handler

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"

	"voxkv/lookup"
	"voxkv/storage"
	"voxkv/voximplant"
)

var (
	errNoRoute          = errors.New("handler: no such route")
	errMethodNotAllowed = errors.New("handler: method not allowed")
)

// An invalidError is a request that cannot be served as it stands. The caller
// is shown both members, which hold no input.
type invalidError struct{ code, detail string }

func (e *invalidError) Error() string { return e.detail }

func invalid(code, detail string) error { return &invalidError{code, detail} }

// A problem is what a caller may know of a failure (RFC 9457). Nothing in it
// but the request id depends on the request.
type problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Code       string `json:"code"` // the stable word to switch on
	Detail     string `json:"detail"`
	RequestID  string `json:"request_id"`
	RetryAfter int64  `json:"retry_after,omitempty"` // seconds
}

// problemOf is the one place where an error becomes a status and a code.
func problemOf(err error) problem {
	if wrong, ok := errors.AsType[*invalidError](err); ok {
		return newProblem(http.StatusBadRequest, wrong.code, wrong.detail)
	}
	if key, ok := errors.AsType[*lookup.KeyError](err); ok {
		return newProblem(http.StatusBadRequest, "invalid_key", "Not a key: "+key.Reason+".")
	}
	if limit, ok := errors.AsType[*voximplant.LimitError](err); ok {
		return newProblem(http.StatusBadRequest, "invalid_request", "Not accepted: "+limit.Error()+".")
	}
	switch {
	case errors.Is(err, storage.ErrReadOnly):
		return newProblem(http.StatusBadRequest, "writes_off", "Writes are off; ALLOW_WRITES=true switches them on.")
	case errors.Is(err, storage.ErrOutOfScope):
		return newProblem(http.StatusBadRequest, "out_of_scope", "The key is outside ALLOWED_KEYS.")
	case errors.Is(err, storage.ErrWidePrefix):
		return newProblem(http.StatusBadRequest, "out_of_scope", "A list takes a prefix that begins with one of those in ALLOWED_KEYS.")
	case errors.Is(err, voximplant.ErrNotFound):
		return newProblem(http.StatusNotFound, "not_found", "No item with this key.")
	case errors.Is(err, errNoRoute):
		return newProblem(http.StatusNotFound, "no_route", "Nothing is served here. Items are at /v1/items/{key}.")
	case errors.Is(err, errMethodNotAllowed):
		return newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "Only "+allowedMethods+" are served here.")
	case timedOut(err), errors.Is(err, context.Canceled):
		return newProblem(http.StatusGatewayTimeout, "upstream_timeout", "The storage did not answer in time.")
	}
	failed, ok := errors.AsType[*voximplant.Error](err)
	if !ok {
		return internalProblem()
	}
	return upstreamProblem(failed)
}

// timedOut reports whether time ran out for the request, or for a part of it
// that has a limit of its own, such as the TLS handshake.
func timedOut(err error) bool {
	limited, ok := errors.AsType[net.Error](err)
	return ok && limited.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// upstreamProblem never blames the caller: it is our account that the API
// throttles or refuses.
func upstreamProblem(failed *voximplant.Error) problem {
	switch failed.Kind {
	case voximplant.KindThrottled:
		p := newProblem(http.StatusServiceUnavailable, "upstream_busy", "The storage is busy.")
		p.RetryAfter = min(max(ceilSeconds(failed.RetryAfter), 1), 60)
		return p
	case voximplant.KindUnavailable:
		p := newProblem(http.StatusServiceUnavailable, "upstream_unavailable", "The storage cannot be reached.")
		p.RetryAfter = min(max(ceilSeconds(failed.RetryAfter), 2), 60)
		return p
	case voximplant.KindConfiguration:
		return internalProblem()
	}
	return newProblem(http.StatusBadGateway, "upstream_failure", "The storage gave no usable answer.")
}

func internalProblem() problem {
	return newProblem(http.StatusInternalServerError, "internal_error", "The request could not be served.")
}

func newProblem(status int, code, detail string) problem {
	return problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// errorType is the code as a Lambda errorType: upstream_busy is UpstreamBusy.
func (p problem) errorType() string {
	if p.Status < 500 {
		return "InvalidRequest"
	}
	return camel(p.Code)
}

// camel is UpstreamBusy for upstream_busy.
func camel(snake string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// serveProblem writes p and the headers that go with its status.
func (h *Handler) serveProblem(w http.ResponseWriter, p problem, c caching) {
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
