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

// failures sees to it that each failed invocation leaves one line. Where the
// handler ran, that is the handler's own. But the runtime library fails an
// invocation by itself if its client context or Cognito identity is not the
// JSON it wants, and then names the invocation nowhere but in its report to the
// Runtime API. So what it writes there is looked at.
type failures struct {
	lambda.Handler
	log  *slog.Logger
	told sync.Map // ids of failed invocations that have their line and are not reported yet
}

// Invoke implements lambda.Handler.
func (f *failures) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := f.Handler.Invoke(ctx, payload)
	if lc, ok := lambdacontext.FromContext(ctx); ok && err != nil {
		f.told.Store(lc.AwsRequestID, true)
	}
	return answer, err
}

// listen has f look at what goes through the default transport, of which the
// runtime library makes its own. Nothing else in this process uses it.
func (f *failures) listen() {
	if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return reports{c, f}, nil
		}
	}
}

// reports is a connection to the Runtime API.
type reports struct {
	net.Conn
	failures *failures
}

// Write looks at the head of each request, which net/http writes at once.
func (r reports) Write(p []byte) (int, error) {
	if id, ok := failed(p); ok {
		r.failures.report(id, p)
	}
	return r.Conn.Write(p)
}

// failed returns the id of the invocation that the request in p says has failed.
func failed(p []byte) (id string, ok bool) {
	line, _, _ := bytes.Cut(p, []byte("\r\n"))
	rest, post := bytes.CutPrefix(line, []byte("POST /2018-06-01/runtime/invocation/"))
	name, failure := bytes.CutSuffix(rest, []byte("/error HTTP/1.1"))
	return string(name), post && failure
}

func (f *failures) report(id string, request []byte) {
	if _, told := f.told.LoadAndDelete(id); told {
		return
	}
	f.log.LogAttrs(context.Background(), slog.LevelWarn, "request",
		slog.String("request_id", id), slog.String("route", "unknown"), slog.Int("status", http.StatusBadRequest),
		slog.String("code", "invalid_request"), slog.String("error", cause(request)))
}

// cause is why the invocation failed, which the library tells X-Ray in a header.
func cause(request []byte) string {
	var told struct {
		Exceptions []struct {
			Message string `json:"message"`
		} `json:"exceptions"`
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil || json.Unmarshal([]byte(r.Header.Get("Lambda-Runtime-Function-Xray-Error-Cause")), &told) != nil || len(told.Exceptions) == 0 {
		return "the runtime library refused the invocation"
	}
	return told.Exceptions[0].Message
}

// A libraryLog is where the standard library's log goes. The runtime library
// writes each function error there, as text and without the request id. The
// invocation has its line, so these are dropped.
type libraryLog struct{ io.Writer }

func (l libraryLog) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte(`{"errorMessage":`)) && json.Valid(p) {
		return len(p), nil
	}
	return l.Writer.Write(p)
}
