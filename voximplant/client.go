// Package voximplant calls the key-value storage methods of the Voximplant
// Management API. An answer is an item, ErrNotFound, or an *Error that says whose
// fault it is and whether the same call may succeed later.
package voximplant

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultBaseURL is the root of the public Management API.
const DefaultBaseURL = "https://api.voximplant.com/platform_api"

const (
	// maxTries is the most HTTP requests that one call makes.
	maxTries = 3

	// callTimeout bounds a call whose context has no earlier deadline.
	callTimeout = 15 * time.Minute

	// tryTimeout bounds one HTTP request. On a dead connection it leaves time for
	// another try.
	tryTimeout = 2 * time.Second

	// firstPause is the mean pause before the second try. It is not shorter because
	// the API's duplicate detector (code 484) refuses the same request made twice at once.
	firstPause = 200 * time.Millisecond

	// resendPause is the shortest pause after code 484.
	resendPause = time.Second

	// forbiddenCooldown is how long a 403 without a code is not blamed on the token,
	// once a new token has changed nothing.
	forbiddenCooldown = 5 * time.Second
)

// CodeResend is the error code of the API's duplicate detector. The API gives it
// where the same call was made moments ago, by this client or by another.
const CodeResend = 484

// A TokenSource yields the bearer tokens of calls. Its errors may have a method
// Kind() string that returns one of the Kinds. An error without that method
// counts as KindUnavailable.
type TokenSource interface {
	// Token returns the token to use.
	Token(ctx context.Context) (string, error)

	// Replace returns a token to use in place of refused, which the API refused.
	Replace(ctx context.Context, refused string) (string, error)
}

// A Client calls the Management API for one application. Tokens and one of
// ApplicationID and ApplicationName are required. The exported fields must not
// change once the client is in use. The methods may be called by several
// goroutines at once.
type Client struct {
	// Tokens yields the bearer token of each call.
	Tokens TokenSource

	// ApplicationID is the id of the application, or 0 if it is named by
	// ApplicationName. Where both are set, only the id is sent, because the API
	// refuses both together (code 458).
	ApplicationID   int64
	ApplicationName string

	// NotFoundCodes are the error codes that mean an absent key. The API's
	// documentation does not say which these are. If nil, only 341 is.
	NotFoundCodes []int

	// BaseURL is the root of the API. If empty, DefaultBaseURL is used.
	BaseURL string

	// Transport makes the HTTP requests. Redirects are not followed, because a
	// bearer token must not be sent elsewhere. If nil, http.DefaultTransport is used.
	Transport http.RoundTripper

	// UserAgent is the User-Agent header of each request. If empty, that of
	// net/http is sent.
	UserAgent string

	// forbidden is when the API last answered a new token with a 403 without a
	// code, in Unix milliseconds. It is no time.Time, because the monotonic clock
	// stands still while Lambda freezes the sandbox.
	forbidden atomic.Int64
}

// errBaseURL is used instead of the error of net/url, which quotes the URL.
var errBaseURL = errors.New("the API URL is not valid")

// call posts params to method. It tries again where a repeat is worth it, with a
// new token where the API refused the one before, as long as ctx allows. The
// error is an *Error: what the API said to the last try, if it said anything.
func (c *Client) call(ctx context.Context, method string, params url.Values) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	token, err := c.Tokens.Token(ctx)
	if err != nil {
		return reply{}, tokenError(method, err)
	}
	replaced := false
	for try := 1; ; try++ {
		r, failed := c.post(ctx, method, token, params)
		if failed == nil {
			return r, nil
		}
		failed.method = method
		replace := failed.blamesToken && (!failed.bareForbidden() || c.mayReplace(replaced))
		if try == maxTries || !replace && !failed.Repeat || !sleep(ctx, pause(try, failed)) {
			return reply{}, failed
		}
		if replace {
			replaced = true
			token, err = c.Tokens.Replace(ctx, token)
		} else {
			token, err = c.Tokens.Token(ctx)
		}
		if err != nil {
			return reply{}, failed
		}
	}
}

// pause is how long to wait after a failed try before the next: longer after
// the second than after the first, with jitter so that callers do not repeat in
// step, and never shorter than the API asked for.
func pause(try int, failed *Error) time.Duration {
	atLeast := failed.RetryAfter
	if failed.Code == CodeResend {
		atLeast = max(atLeast, resendPause)
	}
	mean := firstPause << (try - 1)
	return atLeast + mean/2 + rand.N(mean)
}

// sleep waits for d and reports whether it did. It does not begin a wait that
// ctx would cut short: the caller is better served by an error now.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// mayReplace reports whether a new token is worth a try after a 403 without a
// code. The API may answer so for a key that was rotated, and a firewall may for
// a call that it dislikes, whatever its token is. If the token was replaced in
// this call already and that changed nothing, it was not to blame. Replacing it
// again would make all calls fail for a few seconds and read the secret each time.
func (c *Client) mayReplace(replaced bool) bool {
	now := time.Now().UnixMilli()
	if replaced {
		c.forbidden.Store(now)
		return false
	}
	age := now - c.forbidden.Load()
	return age < 0 || age >= forbiddenCooldown.Milliseconds()
}

// traceParentKey is the context key of WithTraceParent.
type traceParentKey struct{}

// WithTraceParent returns a context whose calls send parent in the traceparent
// header (W3C Trace Context).
func WithTraceParent(ctx context.Context, parent string) context.Context {
	return context.WithValue(ctx, traceParentKey{}, parent)
}

// post makes one HTTP request and reads the answer.
func (c *Client) post(ctx context.Context, method, token string, params url.Values) (reply, *Error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := c.request(ctx, method, token, params)
	if err != nil {
		return reply{}, &Error{Kind: KindConfiguration, err: err}
	}
	res, err := c.transport().RoundTrip(req)
	if err != nil {
		return reply{}, c.lost(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(maxBody(method))+1))
	if err != nil {
		return reply{}, c.lost(err)
	}
	result, failed := read(res, body, maxBody(method))
	date, _ := http.ParseTime(res.Header.Get("Date")) // zero if it fails
	return reply{method: method, status: res.StatusCode, date: date, result: result}, failed
}

// request returns the request for a call of method. The parameters are in the form
// body and not in the URL, because traces, the logs of proxies and error texts
// show URLs.
func (c *Client) request(ctx context.Context, method, token string, params url.Values) (*http.Request, error) {
	if c.ApplicationID != 0 {
		params.Set("application_id", strconv.FormatInt(c.ApplicationID, 10))
	} else {
		params.Set("application_name", c.ApplicationName)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.baseURL()+"/"+method, strings.NewReader(params.Encode()))
	if err != nil {
		return nil, errBaseURL
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+token)
	if c.UserAgent != "" {
		req.Header.Set("User-Agent", c.UserAgent)
	}
	if parent, ok := ctx.Value(traceParentKey{}).(string); ok {
		req.Header.Set("Traceparent", parent)
	}
	// net/http sends a POST again, when the API has just closed the connection, only
	// if the request has this header. An empty list is not sent.
	req.Header["Idempotency-Key"] = []string{}
	return req, nil
}

// lost classifies a request whose connection failed. It closes the idle
// connections, because they may be dead too, after a freeze for instance, and
// each would cost a try.
func (c *Client) lost(err error) *Error {
	if transport, ok := c.transport().(interface{ CloseIdleConnections() }); ok {
		transport.CloseIdleConnections()
	}
	return networkError(err)
}

func (c *Client) baseURL() string {
	if c.BaseURL == "" {
		return DefaultBaseURL
	}
	return strings.TrimSuffix(c.BaseURL, "/")
}

func (c *Client) transport() http.RoundTripper {
	if c.Transport == nil {
		return http.DefaultTransport
	}
	return c.Transport
}
