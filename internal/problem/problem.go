// Package problem says what a caller may know about a failure: the codes of all
// problems, and which error becomes which of them. HTTP and direct invocation
// share it.
package problem

import (
	"net/http"
	"strings"
)

// A Code is the stable word for a kind of problem. Callers switch on it.
type Code string

const (
	// What is wrong with a request.
	InvalidRequest   Code = "invalid_request"
	InvalidKey       Code = "invalid_key"
	TooManyKeys      Code = "too_many_keys"
	NotFound         Code = "not_found" // no item
	NoRoute          Code = "no_route"
	MethodNotAllowed Code = "method_not_allowed"

	// What is wrong with a direct invocation alone.
	PayloadTooLarge  Code = "payload_too_large"
	UnknownOperation Code = "unknown_operation"
	WritesOff        Code = "writes_off"
	OutOfScope       Code = "out_of_scope"

	// What went wrong on our side.
	UpstreamBusy        Code = "upstream_busy"
	UpstreamUnavailable Code = "upstream_unavailable"
	UpstreamTimeout     Code = "upstream_timeout"
	UpstreamFailure     Code = "upstream_failure"
	InternalError       Code = "internal_error"
)

// A Problem is an error and what a caller may know about it. Its JSON is a
// problem document (RFC 9457), in which only the request id depends on the
// request.
type Problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Code       Code   `json:"code"`
	Detail     string `json:"detail"`
	RequestID  string `json:"request_id"`
	RetryAfter int64  `json:"retry_after,omitempty"` // seconds

	cause error // for the log alone; nil if the request itself is the cause
}

// New returns a Problem without a cause. detail is a full sentence that repeats
// nothing of the request.
func New(status int, code Code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// BadRequest returns the Problem of a request that cannot be served as it is.
func BadRequest(code Code, detail string) *Problem { return New(http.StatusBadRequest, code, detail) }

// Error is the text of the cause if there is one, and otherwise the detail.
func (p *Problem) Error() string {
	if p.cause != nil {
		return p.cause.Error()
	}
	return p.Detail
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.cause }

// ErrorType is the errorType of a Lambda function error: InvalidRequest for what
// the caller must change, otherwise the code, such as UpstreamBusy for
// upstream_busy.
func (p *Problem) ErrorType() string {
	if p.Status < 500 {
		return "InvalidRequest"
	}
	var name strings.Builder
	for word := range strings.SplitSeq(string(p.Code), "_") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}
