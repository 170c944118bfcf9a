package voximplant

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxRetryAfter is the longest Retry-After that is handed on. It is far from the
	// longest time.Duration, so that sums with it do not overflow.
	maxRetryAfter = 100 * 365 * 24 * time.Hour

	// maxItem is the most bytes that an answer with one item can have: its key and
	// value are 2200 characters, JSON may write a character in 12 bytes, and the rest
	// is for the names of the members.
	maxItem = 30_000
)

// maxBody returns the most bytes that an answer of method may have.
func maxBody(method string) int {
	switch method {
	case "GetKeyValueItems", "GetKeyValueKeys":
		return MaxCount * maxItem
	}
	return maxItem
}

// A reply is an answer without an error.
type reply struct {
	method string
	status int
	date   time.Time      // the Date header, or zero if there is none
	result jsontext.Value // without white space; nil if the answer has no such member
}

// empty reports whether the answer has a result and nothing in it. An answer
// without a result may come from elsewhere, such as a page about maintenance, and
// does not say that there is nothing.
func (r reply) empty() bool {
	switch string(r.result) {
	case "null", "{}", "[]", `""`:
		return true
	}
	return false
}

// unexpected returns the error of an answer whose result is not one of its method.
func (r reply) unexpected(text string) *Error {
	return &Error{Kind: KindMalformed, Status: r.status, method: r.method, err: errors.New(text)}
}

// read returns the result of an answer, or its error. The error code in the body
// counts before the HTTP status, because the API answers errors with status 200,
// and because a code says more than a status. A body may have at most maxBytes.
func read(res *http.Response, body []byte, maxBytes int) (jsontext.Value, *Error) {
	result, failed := decode(body)
	if len(body) > maxBytes {
		failed = malformed(fmt.Sprintf("an answer of more than %d bytes", maxBytes))
	}
	if byStatus := statusError(res.StatusCode); byStatus != nil && (failed == nil || failed.Code == 0) {
		failed = byStatus
	}
	if failed != nil {
		failed.Status = res.StatusCode
		failed.RetryAfter = retryAfter(res.Header)
	}
	return result, failed
}

// An envelope is the body of every answer.
type envelope struct {
	Result jsontext.Value  `json:"result"`
	Error  *answeredError  `json:"error"`
	Errors []answeredError `json:"errors"`
}

// An answeredError is an error as the API writes it.
type answeredError struct {
	Code jsontext.Value `json:"code"`
}

// decode returns the result in the body of an answer. The error is the one that
// the body reports, or says that the body is malformed.
func decode(body []byte) (jsontext.Value, *Error) {
	var e envelope
	failed := unmarshal(body, &e)
	switch {
	case failed != nil:
	case e.Error != nil:
		failed = e.Error.classify()
	case len(e.Errors) > 0:
		failed = e.Errors[0].classify()
	}
	return e.Result, failed
}

func (e answeredError) classify() *Error {
	code, err := number(e.Code)
	if err != nil || code != math.Trunc(code) || math.Abs(code) > math.MaxInt32 {
		return malformed("an error without a code")
	}
	return codeError(int(code))
}

// number reads a JSON number, or a string that holds one.
func number(raw jsontext.Value) (float64, error) {
	return strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
}

// unmarshal reads the body of an answer, which must be one JSON object in UTF-8.
// Names are case-sensitive. It refuses a name that stands twice and half a
// surrogate pair (RFC 8259 sections 4 and 8.2), because it would have to guess
// which value is meant. The object {} counts as an empty result.
func unmarshal(body []byte, into *envelope) *Error {
	answer := jsontext.Value(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch err := answer.Compact(); {
	case err != nil, answer.Kind() != jsontext.KindBeginObject:
		return malformed("an answer that is not a JSON object")
	case string(answer) == "{}":
		into.Result = answer
		return nil
	case json.Unmarshal(answer, into) != nil:
		return malformed("an answer that is not the expected JSON")
	}
	return nil
}

// retryAfter reads the Retry-After header (RFC 9110 section 10.2.3), which is a
// number of seconds or a date. It returns 0 if there is none that can be read, and
// maxRetryAfter if the time is longer than that.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if date, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(date), 0), maxRetryAfter)
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
}
