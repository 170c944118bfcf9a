// Package runtimetest is a Lambda Runtime API for end-to-end tests and benchmarks of the
// real binary: it starts a bootstrap as Lambda does, feeds it invocations, and verifies
// what the bootstrap sends back.
//
// Unlike Lambda it never freezes the process, and it does not enforce the deadline that it
// gives to the process: the context given to Invoke bounds an invocation.
package runtimetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	region       = "us-east-1"
	functionName = "voxkv"

	// invocationTimeout is the time an invocation without a deadline is given.
	invocationTimeout = 10 * time.Second
)

// An API is a Lambda Runtime API (version 2018-06-01) on a loopback port that feeds
// invocations to one process. [New] makes one. Its methods may be called at any time by
// any number of goroutines.
type API struct {
	listener net.Listener
	server   *http.Server
	waiting  chan *call    // unbuffered: an invocation goes to any worker that polls
	ready    chan struct{} // closed at the first poll
	ended    chan struct{} // closed when no more answers can come

	mu         sync.Mutex // guards everything below
	running    map[string]*call
	readyAt    time.Time
	cause      error // why ended is closed
	violations []error
}

// An Invocation is one event for the function, and the metadata that Lambda sends with it.
// No field is required.
type Invocation struct {
	// Payload is the event, a JSON document. If nil, it is {}.
	Payload []byte

	// Deadline is when the function must have answered, passed on in whole milliseconds.
	// If zero, it is 10 s after Invoke was called.
	Deadline time.Time

	// RequestID must be unique among the invocations of one API. If empty, it is random.
	RequestID string

	// TraceID is the X-Ray tracing header. If empty, it is one that is not sampled.
	TraceID string

	// FunctionARN is the function or alias that was invoked. If empty, the ARN of an
	// unqualified function is used.
	FunctionARN string

	// ClientContext is a JSON document from the caller. If empty, none is sent.
	ClientContext string

	// CognitoIdentity is a JSON document that tells who the caller is. If empty, none is sent.
	CognitoIdentity string
}

// A Result is what the function's caller gets.
type Result struct {
	// Payload is the response, or the error document of a function error.
	Payload []byte

	// FunctionError is nil if the function answered with a response.
	FunctionError *FunctionError

	// Duration is the time from handing the invocation out to having read its answer.
	Duration time.Duration
}

// A FunctionError is the error document a function answers with.
type FunctionError struct {
	Type       string          `json:"errorType"`
	Message    string          `json:"errorMessage"`
	StackTrace json.RawMessage `json:"stackTrace,omitempty"` // present after a panic
}

// Error returns the type and the message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// A call is an invocation under way.
type call struct {
	Invocation
	handedOut time.Time
	answered  chan Result // of capacity 1, so that sending the only result never blocks
}

// New starts an API on a free port of 127.0.0.1. Close stops it.
func New() (*API, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("runtimetest: %w", err)
	}
	a := &API{
		listener: listener,
		waiting:  make(chan *call),
		ready:    make(chan struct{}),
		ended:    make(chan struct{}),
		running:  make(map[string]*call),
	}
	a.server = &http.Server{Handler: a.handler()}
	go a.serve()
	return a, nil
}

func (a *API) serve() {
	a.end(fmt.Errorf("runtimetest: %w", a.server.Serve(a.listener)))
}

// Addr returns the host and port to set AWS_LAMBDA_RUNTIME_API to.
func (a *API) Addr() string { return a.listener.Addr().String() }

// Ready waits for the end of Init, which is the process's first request for an
// invocation. It returns an error if the process exited before, or if ctx ended.
func (a *API) Ready(ctx context.Context) error {
	if !a.readyTime().IsZero() {
		return nil
	}
	select {
	case <-a.ready:
		return nil
	case <-a.ended:
		return a.endCause()
	case <-ctx.Done():
		return fmt.Errorf("runtimetest: waiting for the end of Init: %w", context.Cause(ctx))
	}
}

// Invoke hands inv to a polling worker and waits for the answer. A function error is a
// Result and not an error. The error is not nil when no answer can come, because the
// process exited or the API was closed, and when ctx ended first.
func (a *API) Invoke(ctx context.Context, inv Invocation) (Result, error) {
	c := &call{Invocation: inv.withDefaults(), answered: make(chan Result, 1)}
	select {
	case a.waiting <- c:
	case <-a.ended:
		return Result{}, a.endCause()
	case <-ctx.Done():
		return Result{}, fmt.Errorf("runtimetest: waiting for a worker: %w", context.Cause(ctx))
	}
	select {
	case result := <-c.answered:
		return result, nil
	case <-a.ended:
		return a.lastResult(c)
	case <-ctx.Done():
		return Result{}, fmt.Errorf("runtimetest: waiting for an answer: %w", context.Cause(ctx))
	}
}

// lastResult returns the answer of c if there is one, and the reason of the end if not. After
// a panic the process answers and then exits, and the caller may see both at once.
func (a *API) lastResult(c *call) (Result, error) {
	select {
	case result := <-c.answered:
		return result, nil
	default:
		return Result{}, a.endCause()
	}
}

// Violations returns one error that joins all requests that the Runtime API refuses or that
// no runtime should send, or nil if the process sent none.
func (a *API) Violations() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.violations...)
}

// Close stops listening and fails the invocations under way. A process that still polls
// sees its connections break, at which aws-lambda-go exits.
func (a *API) Close() error {
	a.end(errors.New("runtimetest: the API was closed"))
	return a.server.Close()
}

// readyTime returns the time of the first poll, or the zero time.
func (a *API) readyTime() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.readyAt
}

func (a *API) endCause() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cause
}

// end makes all calls that wait return cause. Later causes are ignored, because they follow
// from the first one.
func (a *API) end(cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cause == nil {
		a.cause = cause
		close(a.ended)
	}
}

func (a *API) violate(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.violations = append(a.violations, fmt.Errorf("runtimetest: "+format, args...))
}

func (inv Invocation) withDefaults() Invocation {
	if inv.Payload == nil {
		inv.Payload = []byte("{}")
	}
	if inv.Deadline.IsZero() {
		inv.Deadline = time.Now().Add(invocationTimeout)
	}
	if inv.RequestID == "" {
		inv.RequestID = rand.Text()
	}
	if inv.TraceID == "" {
		inv.TraceID = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
	}
	if inv.FunctionARN == "" {
		inv.FunctionARN = "arn:aws:lambda:" + region + ":000000000000:function:" + functionName
	}
	return inv
}
