package voximplant

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ErrNotFound says that no item is stored under the key.
var ErrNotFound = errors.New("voximplant: no item with this key")

// A Kind says whose fault a failure is, and so what can be done about it.
type Kind string

const (
	// KindCredentials means that the API does not accept the account, its key or
	// its token.
	KindCredentials Kind = "credentials"

	// KindConfiguration means that the application, the URL or this program is wrong.
	KindConfiguration Kind = "configuration"

	// KindThrottled means that the API wants fewer requests.
	KindThrottled Kind = "throttled"

	// KindUnavailable means that the API cannot be reached, does not answer in
	// time, or that there is no token for it.
	KindUnavailable Kind = "unavailable"

	// KindFailed means that the API reports a fault of its own.
	KindFailed Kind = "failed"

	// KindMalformed means that the answer cannot be read, or does not belong to the
	// request.
	KindMalformed Kind = "malformed"
)

// An Error is a failed call of the Management API. Its text has the method and the
// codes, and never a parameter, a token or a text of the API.
type Error struct {
	Kind Kind

	// Code is the error code of the Management API, or 0 if it gave none.
	Code int

	// Status is the HTTP status code, or 0 if there was no answer.
	Status int

	// RetryAfter is how long the API asked to wait before the next call, or 0 if it
	// did not ask. It is at most a century.
	RetryAfter time.Duration

	// Repeat says whether the same call may succeed a little later.
	Repeat bool

	method      string
	blamesToken bool // whether another token may be accepted
	err         error
}

func (e *Error) Error() string {
	text := "voximplant: " + string(e.Kind)
	if e.method != "" {
		text = fmt.Sprintf("voximplant: %s: %s", e.method, e.Kind)
	}
	if e.Code != 0 {
		text += fmt.Sprintf(", code %d", e.Code)
	}
	if e.Status != 0 {
		text += fmt.Sprintf(", HTTP status %d", e.Status)
	}
	if e.err != nil {
		text += ": " + e.err.Error()
	}
	return text
}

// bareForbidden reports whether e is a 403 without a code.
func (e *Error) bareForbidden() bool { return e.Status == http.StatusForbidden && e.Code == 0 }

// Unwrap returns the cause: an error of the network, the context or the token source.
func (e *Error) Unwrap() error { return e.err }

// codeError classifies an error code of the Management API (the error reference on
// voximplant.com). The message beside a code is not used, because messages change.
func codeError(code int) *Error {
	switch code {
	case 100, 433, 447, 455, 456:
		return &Error{Kind: KindCredentials, Code: code, blamesToken: true}
	case 104, 127, 131, 135, 137, 315, 316, 317, 320, 321, 322, 323, 527:
		return &Error{Kind: KindCredentials, Code: code}
	case 12, 101, 102, 103, 105, 107, 115, 116, 134, 195, 196, 454, 458, 485, 492, 545, 546, 558:
		return &Error{Kind: KindConfiguration, Code: code}
	case 162, 314, 340, 416, 484, 515:
		return &Error{Kind: KindThrottled, Code: code, Repeat: true}
	case 477, 496, 497, 499:
		// The API refuses a key that CheckKey accepts, so the two rules differ.
		return &Error{Kind: KindMalformed, Code: code}
	case 1, 2, 4, 13:
		return &Error{Kind: KindFailed, Code: code, Repeat: true}
	}
	return &Error{Kind: KindFailed, Code: code}
}

// statusError classifies the HTTP status of an answer without an error code. It
// returns nil for 2xx.
func statusError(status int) *Error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusTooManyRequests:
		return &Error{Kind: KindThrottled, Repeat: true}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &Error{Kind: KindCredentials, blamesToken: true}
	case status == http.StatusNotFound:
		// The URL of the API is wrong, or the name of the method.
		return &Error{Kind: KindConfiguration}
	case status >= 500:
		return &Error{Kind: KindUnavailable, Repeat: true}
	}
	return &Error{Kind: KindMalformed}
}

// malformed returns the error of an answer that cannot be read.
func malformed(text string) *Error {
	return &Error{Kind: KindMalformed, err: errors.New(text)}
}

// networkError classifies a request that got no answer, or only a part of one.
func networkError(err error) *Error {
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	return &Error{Kind: KindUnavailable, Repeat: !badCertificate && !errors.Is(err, context.Canceled), err: err}
}

// tokenError classifies the failure of a TokenSource before a call of method.
func tokenError(method string, err error) *Error {
	failed := &Error{Kind: KindUnavailable, method: method, err: err}
	if named, ok := errors.AsType[interface {
		error
		Kind() string
	}](err); ok {
		failed.Kind = Kind(named.Kind())
	}
	return failed
}

// A LimitError is a parameter that the API would refuse. It is returned before
// the call is made. Its text names the parameter and the limit, and never the value.
type LimitError struct{ text string }

func (e *LimitError) Error() string { return e.text }

func limit(format string, args ...any) error {
	return &LimitError{fmt.Sprintf(format, args...)}
}
