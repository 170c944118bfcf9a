// Package voxkv reads and writes items by invoking voxkv, from another Lambda
// function or from anywhere with AWS credentials.
//
// VOXKV_FUNCTION is the name or the ARN of the function; name the alias, as in
// voxkv:live. The caller needs lambda:InvokeFunction on it, and nothing else.
package voxkv

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

const (
	connectTimeout = 2 * time.Second

	// The function ends after 10 s, and a cold start may take 3 s before. A caller
	// that gives up earlier, also by its context, leaves an invocation behind that
	// still runs: its write may come after a newer one of the same caller. The SDK's
	// own setting is to wait without end.
	timeout = 15 * time.Second

	// Reading twice does no harm. The SDK repeats what Lambda turned away and what got
	// no answer, and no function errors: to it those have succeeded.
	readAttempts = 3
)

// An Item is what is stored under a key.
type Item struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	ExpiresAt *int64 `json:"expires_at"` // Unix seconds

	// MaxAge is how many seconds an item from Get or Many may be kept at most. Do not
	// keep it if that is 0, as it is for items of List and Set.
	MaxAge int64 `json:"max_age"`
}

// A Page is a part of a list. NextOffset asks for the next one; it is nil after
// the last one.
type Page struct {
	Items      []Item `json:"items"`
	NextOffset *int   `json:"next_offset"`
}

// A Life is how long an item lives: TTL in seconds from now, or ExpiresAt in Unix
// seconds, and not both. 90 days at most.
type Life struct{ TTL, ExpiresAt int64 }

// An Error is what voxkv could not do. What Lambda could not do, such as
// *types.TooManyRequestsException, is an error of the SDK.
type Error struct {
	// Type is one of voxkv's own, InvalidRequest, UpstreamBusy, UpstreamUnavailable,
	// UpstreamTimeout, UpstreamFailure and InternalError, or of Lambda, such as
	// Sandbox.Timedout. UnexpectedAnswer: what was invoked is not voxkv, or a version
	// that this file does not know.
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

// Temporary reports whether the failure passes. The others stay until somebody
// corrects a key (InvalidRequest) or looks after voxkv.
func (e *Error) Temporary() bool {
	switch e.Type {
	case "UpstreamBusy", "UpstreamUnavailable", "UpstreamTimeout":
		return true
	}
	return false
}

// A Client invokes voxkv. Make it once, outside of the handler: it keeps its
// connections.
type Client struct {
	lambda   *lambda.Client
	function string
	claims   map[string]any
}

// New returns a client of the function that VOXKV_FUNCTION names.
func New(settings aws.Config) (*Client, error) {
	function := os.Getenv("VOXKV_FUNCTION")
	if function == "" {
		return nil, errors.New("VOXKV_FUNCTION is not set; accepted: the name or the ARN of the voxkv function, such as voxkv:live")
	}
	return &Client{function: function, lambda: lambda.NewFromConfig(settings, func(o *lambda.Options) {
		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(timeout).WithDialerOptions(func(d *net.Dialer) {
			d.Timeout = connectTimeout
		})
		o.RetryMaxAttempts = readAttempts
	})}, nil
}

// WithClaims returns a client for one user: rules such as order:{sub}:* then hold
// as they do for the user's token. Without it they hold for no one in particular,
// and allow the keys of all users. Nil claims are those of a user without any.
func (c *Client) WithClaims(claims map[string]any) *Client {
	user := *c
	user.claims = claims
	if claims == nil {
		user.claims = map[string]any{}
	}
	return &user
}

// Get returns nil where there is no item: it is missing, has expired, or is not
// ours to read.
func (c *Client) Get(ctx context.Context, key string) (*Item, error) {
	var item *Item
	err := c.invoke(ctx, map[string]any{"key": key}, &item)
	if err == nil && item != nil && item.Key != key {
		err = unexpected("Get")
	}
	if err != nil {
		return nil, err
	}
	return item, nil
}

// Many returns the items of up to 50 keys, nil where there is none, and why keys
// could not be read.
func (c *Client) Many(ctx context.Context, keys ...string) (map[string]*Item, map[string]*Error, error) {
	var answer struct {
		Items  map[string]*Item
		Errors map[string]*Error
	}
	if err := c.invoke(ctx, map[string]any{"keys": keys}, &answer); err != nil {
		return nil, nil, err
	}
	for _, key := range keys {
		item, answered := answer.Items[key]
		if !answered && answer.Errors[key] == nil || item != nil && item.Key != key {
			return nil, nil, unexpected("Many")
		}
	}
	return answer.Items, answer.Errors, nil
}

// List returns the items whose keys begin with prefix, from offset on. 0 is a count of 10;
// the most is 50.
func (c *Client) List(ctx context.Context, prefix string, offset, count int) (*Page, error) {
	page := new(Page)
	err := c.invoke(ctx, map[string]any{"operation": "list", "prefix": prefix, "offset": offset, "count": count}, page)
	if err == nil && page.Items == nil {
		err = unexpected("List")
	}
	if err != nil {
		return nil, err
	}
	return page, nil
}

// Set stores an item and returns it.
func (c *Client) Set(ctx context.Context, key, value string, life Life) (*Item, error) {
	item := new(Item)
	request := map[string]any{"operation": "set", "key": key, "value": value}
	if life.TTL != 0 {
		request["ttl"] = life.TTL
	}
	if life.ExpiresAt != 0 {
		request["expires_at"] = life.ExpiresAt
	}
	err := c.invoke(ctx, request, item, once)
	if err == nil && item.Key != key {
		err = unexpected("Set")
	}
	if err != nil {
		return nil, err
	}
	return item, nil
}

// Delete deletes the item, if there is one.
func (c *Client) Delete(ctx context.Context, key string) error {
	var answer any
	err := c.invoke(ctx, map[string]any{"operation": "delete", "key": key}, &answer, once)
	if err == nil && answer != nil {
		err = unexpected("Delete")
	}
	return err
}

// once is for writes. One that got no answer may have been done, and somebody may
// have written since: a repetition would bring the old value back, or delete the
// new one. Repeat it where only you write the key.
func once(o *lambda.Options) { o.Retryer = aws.NopRetryer{} }

func (c *Client) invoke(ctx context.Context, request map[string]any, answer any, options ...func(*lambda.Options)) error {
	if c.claims != nil {
		request["claims"] = c.claims
	}
	payload, err := json.Marshal(request)
	if err != nil {
		return err
	}
	out, err := c.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &c.function, Payload: payload}, options...)
	if err != nil {
		return err
	}
	// To the SDK a function error is a success: it neither returns an error nor repeats it.
	if aws.ToString(out.FunctionError) != "" {
		failed := &Error{Type: "Unknown"}
		if json.Unmarshal(out.Payload, failed) != nil {
			return unexpected("the invocation")
		}
		return failed
	}
	if json.Unmarshal(out.Payload, answer) != nil {
		return unexpected("the invocation")
	}
	return nil
}

func unexpected(what string) *Error {
	return &Error{"UnexpectedAnswer", what + " was not answered as voxkv does; is VOXKV_FUNCTION the voxkv function?"}
}
