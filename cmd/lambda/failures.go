package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// failures writes the log line of each invocation that the runtime library fails before it calls the handler. The library
// does so if the client context or the Cognito identity is not the JSON that it expects. It names the invocation only in
// its report to the Runtime API, so failures reads that.
type failures struct {
	lambda.Handler
	log    *slog.Logger
	logged sync.Map // the ids of invocations that the handler has failed and logged, until they are reported
}

// Invoke implements lambda.Handler.
func (f *failures) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := f.Handler.Invoke(ctx, payload)
	if lc, ok := lambdacontext.FromContext(ctx); ok && err != nil {
		f.logged.Store(lc.AwsRequestID, true)
	}
	return answer, err
}

// watchDefaultTransport makes f read what is sent through http.DefaultTransport and copies of it that are made later. The
// runtime library makes such a copy, and nothing else in this process does.
func (f *failures) watchDefaultTransport() {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return
	}
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		return watchedConn{c, f}, err
	}
}

// A watchedConn is a connection to the Runtime API.
type watchedConn struct {
	net.Conn
	failures *failures
}

// Write relies on net/http, which begins each request with a new call of Write.
func (c watchedConn) Write(p []byte) (int, error) {
	if id, ok := failedInvocation(p); ok {
		c.failures.logUnlessLogged(id, p)
	}
	return c.Conn.Write(p)
}

// failedInvocation returns the id of the invocation whose failure request reports, and false if it reports none.
func failedInvocation(request []byte) (id string, ok bool) {
	line, _, _ := bytes.Cut(request, []byte("\r\n"))
	rest, isInvocation := bytes.CutPrefix(line, []byte("POST /2018-06-01/runtime/invocation/"))
	name, isError := bytes.CutSuffix(rest, []byte("/error HTTP/1.1"))
	return string(name), isInvocation && isError
}

func (f *failures) logUnlessLogged(id string, request []byte) {
	if _, logged := f.logged.LoadAndDelete(id); logged {
		return
	}
	f.log.Warn("request", "request_id", id, "route", "unknown", "status", http.StatusBadRequest, "code", "invalid_request",
		"error", cause(request))
}

// cause returns why the invocation failed, from the header in which the library tells X-Ray.
func cause(request []byte) string {
	var xray struct {
		Exceptions []struct {
			Message string `json:"message"`
		} `json:"exceptions"`
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil || json.Unmarshal([]byte(r.Header.Get("Lambda-Runtime-Function-Xray-Error-Cause")), &xray) != nil || len(xray.Exceptions) == 0 {
		return "the runtime library refused the invocation"
	}
	return xray.Exceptions[0].Message
}

// A libraryLog is the destination of the standard library's log. It drops the function errors that the runtime library
// writes there, as text and without the request id, because each failed invocation has its line already.
type libraryLog struct{ io.Writer }

func (l libraryLog) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte(`{"errorMessage":`)) && json.Valid(p) {
		return len(p), nil
	}
	return l.Writer.Write(p)
}
