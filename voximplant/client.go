// Package voximplant calls the key-value storage methods of the Voximplant
// Management API and tells their answers apart: an item, ErrNotFound, or an
// *Error that says whose fault it is and whether a repeat is worth it.
package voximplant

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// DefaultBaseURL is the root of the public Management API.
const DefaultBaseURL = "https://api.voximplant.com/platform_api"

const (
	// maxTries bounds the HTTP requests of one call.
	maxTries = 3

	// tryTimeout bounds one of them, so that a dead connection leaves time for another.
	tryTimeout = 2 * time.Second

	// firstPause is the mean pause before the second try. An identical repeat
	// at once would meet the API's duplicate detector (code 484).
	firstPause = 200 * time.Millisecond

	// resendPause is the least pause after the duplicate detector spoke.
	resendPause = time.Second

	// maxItem bounds an answer with one item in bytes: a key and a value are 2200
	// characters, each of which JSON may write in 12 bytes, and a few names stand around.
	maxItem = 30_000

	// forbiddenPause is how long a 403 without a code is not blamed on the token,
	// once a new token has changed nothing.
	forbiddenPause = 5 * time.Second

	// longestWait is the longest that the API can ask to be left alone. It is far
	// from the longest time.Duration, so that sums with it do not overflow.
	longestWait = 100 * 365 * 24 * time.Hour
)

// CodeResend is the error code of the API's duplicate detector: the same
// question came from elsewhere moments ago.
const CodeResend = 484

// maxBody is the most bytes that an answer of method may have.
func maxBody(method string) int {
	switch method {
	case "GetKeyValueItems", "GetKeyValueKeys":
		return MaxCount * maxItem
	}
	return maxItem
}

// A TokenSource yields bearer tokens. refused is a token that the API has
// just refused, or "". An error may have a method Kind() string that returns
// one of the Kinds; without it the source counts as unavailable.
type TokenSource interface {
	Token(ctx context.Context, refused string) (string, error)
}

// A Client calls the Management API for one application. Tokens and one of
// ApplicationID and ApplicationName are required. It may be used from several
// goroutines.
type Client struct {
	Tokens TokenSource

	// ApplicationID names the application. ApplicationName is sent instead
	// where it is 0; the API refuses both together (code 458).
	ApplicationID   int64
	ApplicationName string

	// NotFoundCodes are the error codes that stand for an absent key, which
	// the API's documentation leaves open. If nil, 341 does.
	NotFoundCodes []int

	// BaseURL is the API's root. If empty, DefaultBaseURL is used.
	BaseURL string

	// HTTPClient makes the calls; its redirect policy is not used, since a
	// bearer token must not follow a redirect. If nil, http.DefaultClient is used.
	HTTPClient *http.Client

	// UserAgent is sent with each call, if not empty.
	UserAgent string

	// forbidden is when a new token was last answered with a 403 without a
	// code, in Unix milliseconds: a frozen sandbox stops the monotonic clock.
	forbidden atomic.Int64
}

// errBaseURL stands in for the error of net/url, which quotes the URL.
var errBaseURL = errors.New("the API URL is not valid")

// A reply is an answer without an error.
type reply struct {
	result jsontext.Value // without white space; nil if the answer has no such member
	status int
	date   time.Time // the Date header, zero if there is none
}

// empty reports whether the answer says that there is nothing: its result is
// there and holds nothing. Where the result is missing, the answer may be of
// somebody else, such as a page about maintenance, and says nothing.
func (r reply) empty() bool {
	switch string(r.result) {
	case "null", "{}", "[]", `""`:
		return true
	}
	return false
}

// malformed completes an *Error that was found in r's result.
func (r reply) malformed(method string, err error) error {
	if failed, ok := errors.AsType[*Error](err); ok {
		failed.method, failed.Status = method, r.status
	}
	return err
}

// call posts params to method, with a fresh token where the first is refused
// and again where a repeat is worth it, as long as ctx allows.
// The error is an *Error.
func (c *Client) call(ctx context.Context, method string, params url.Values) (reply, error) {
	var refused string
	var last *Error
	pace := &pace{ExponentialBackOff: &backoff.ExponentialBackOff{
		InitialInterval: firstPause, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 2 * time.Second,
	}}
	try := func() (reply, error) {
		token, err := c.Tokens.Token(ctx, refused)
		if err != nil {
			return reply{}, backoff.Permanent(since(last, tokenError(err)))
		}
		r, failed := c.post(ctx, method, token, params)
		if failed == nil {
			return r, nil
		}
		last = failed
		switch {
		case failed.blamesToken && (!failed.bareForbidden() || c.mayRenew(refused)):
			refused = token
		case !failed.Repeat:
			return reply{}, backoff.Permanent(failed)
		}
		pace.failed(failed)
		return reply{}, failed
	}
	r, err := backoff.Retry(ctx, try, backoff.WithBackOff(pace), backoff.WithMaxTries(maxTries),
		backoff.WithMaxElapsedTime(timeLeft(ctx)))
	if err == nil {
		return r, nil
	}
	failed, ok := errors.AsType[*Error](err)
	if !ok {
		failed = since(last, networkError(err))
	}
	failed.method = method
	return reply{}, failed
}

// mayRenew reports whether another token is worth a try after a 403 without a
// code; refused is the one that was refused before in the same call, or "". A
// key that was replaced may be answered so, and so may a call that a firewall
// dislikes, whatever its token. If a new token changes nothing, it is not
// refused in its turn: that would end all calls for a while and read the secret
// again and again.
func (c *Client) mayRenew(refused string) bool {
	now := time.Now().UnixMilli()
	if refused != "" {
		c.forbidden.Store(now)
		return false
	}
	age := now - c.forbidden.Load()
	return age < 0 || age >= forbiddenPause.Milliseconds()
}

// since prefers what the API said to what kept us from asking it again.
func since(last, failed *Error) *Error {
	if last != nil {
		return last
	}
	return failed
}

// timeLeft is until the deadline of ctx; a pause that would outlast it is not begun.
func timeLeft(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return backoff.DefaultMaxElapsedTime
	}
	return max(time.Until(deadline), 1)
}

// A pace is the pause before a repeat: backoff with jitter, and never shorter
// than the API asked for.
type pace struct {
	*backoff.ExponentialBackOff
	atLeast time.Duration
}

func (p *pace) failed(e *Error) {
	p.atLeast = e.RetryAfter
	if e.Code == CodeResend {
		p.atLeast = max(p.atLeast, resendPause)
	}
}

// NextBackOff implements backoff.BackOff.
func (p *pace) NextBackOff() time.Duration {
	return p.atLeast + p.ExponentialBackOff.NextBackOff()
}

// traceParent is the context key of WithTraceParent.
type traceParent struct{}

// WithTraceParent lets calls under the context carry the traceparent header
// (W3C Trace Context).
func WithTraceParent(ctx context.Context, parent string) context.Context {
	return context.WithValue(ctx, traceParent{}, parent)
}

// post makes one HTTP request. The parameters go into the form body, which
// keeps keys out of URLs and so out of traces, proxies' logs and error texts.
func (c *Client) post(ctx context.Context, method, token string, params url.Values) (reply, *Error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.baseURL()+"/"+method, strings.NewReader(c.form(params)))
	if err != nil {
		return reply{}, &Error{Kind: KindConfiguration, err: errBaseURL}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+token)
	if c.UserAgent != "" {
		req.Header.Set("User-Agent", c.UserAgent)
	}
	if parent, ok := ctx.Value(traceParent{}).(string); ok {
		req.Header.Set("Traceparent", parent)
	}
	// An empty list is not sent; it tells net/http that the request may be sent
	// again when a reused connection turns out to be closed.
	req.Header["Idempotency-Key"] = []string{}
	res, err := c.httpClient().Do(req)
	if err != nil {
		return reply{}, c.lost(err)
	}
	defer res.Body.Close()
	most := maxBody(method)
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(most)+1))
	if err != nil {
		return reply{}, c.lost(err)
	}
	return read(res, body, most)
}

// lost classifies a call whose connection failed. Idle connections may be as
// dead, after a freeze for instance, and each would cost a try to find out.
func (c *Client) lost(err error) *Error {
	c.httpClient().CloseIdleConnections()
	return networkError(err)
}

func (c *Client) form(params url.Values) string {
	if c.ApplicationID != 0 {
		params.Set("application_id", strconv.FormatInt(c.ApplicationID, 10))
	} else {
		params.Set("application_name", c.ApplicationName)
	}
	return params.Encode()
}

// read judges an answer of at most most bytes by its body first: the API
// answers errors with HTTP status 200, and its codes say more than the status
// does. The status counts where the body holds no error code.
func read(res *http.Response, body []byte, most int) (reply, *Error) {
	result, failed := decode(body)
	if len(body) > most {
		failed = malformed("an answer of more than %d bytes", most)
	}
	if byStatus := statusError(res.StatusCode); byStatus != nil && (failed == nil || failed.Code == 0) {
		failed = byStatus
	}
	if failed != nil {
		failed.Status = res.StatusCode
		failed.RetryAfter = retryAfter(res.Header)
		return reply{}, failed
	}
	r := reply{result: result, status: res.StatusCode}
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		r.date = date
	}
	return r, nil
}

// An envelope is the body of every answer.
type envelope struct {
	Result jsontext.Value `json:"result"`
	Error  *wireError     `json:"error"`
	Errors []wireError    `json:"errors"`
}

type wireError struct {
	Code jsontext.Value `json:"code"`
}

// decode returns the result of an answer, or the error that it reports or is.
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

func (e wireError) classify() *Error {
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

// unmarshal reads an answer, which must be one JSON object in UTF-8. Names are
// told apart by letter case and may not be there twice, nor is half a surrogate
// pair text (RFC 8259 sections 4 and 8.2): which value is meant would be a guess.
// The bare object {} counts as an empty result.
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

// retryAfter reads RFC 9110 section 10.2.3: seconds or a date. What is longer
// than longestWait, or than a number can be, is longestWait.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if date, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(date), 0), longestWait)
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(min(seconds, uint64(longestWait/time.Second))) * time.Second
}

func (c *Client) notFoundCodes() []int {
	if c.NotFoundCodes == nil {
		return []int{codeNotFound}
	}
	return c.NotFoundCodes
}

func (c *Client) baseURL() string {
	if c.BaseURL == "" {
		return DefaultBaseURL
	}
	return strings.TrimSuffix(c.BaseURL, "/")
}

func (c *Client) httpClient() *http.Client {
	client := *http.DefaultClient
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}
