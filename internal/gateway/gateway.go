// Package gateway stands between Lambda and net/http. It turns the events of API Gateway (REST and HTTP API), Function URLs
// and application load balancers into HTTP requests, and the answers into the form that the sender understands. It passes
// payloads of direct invocations on as they are.
//
// URL.RawPath of a request is the path as the client sent it, without the stage of an HTTP API. URL.Path is the same path
// decoded once. An HTTP API has already decoded the path in its event, and the event does not say so. The body of a request
// is dropped, and so are cookies that an event holds outside of its headers.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/internal/panics"
)

// A Gateway answers Lambda invocations; it is a lambda.Handler. HTTP and Direct are required.
type Gateway struct {
	// HTTP serves the events that carry an HTTP request.
	// lambdacontext.FromContext finds the invocation's id in the request's context.
	HTTP http.Handler

	// Headers names the request headers that HTTP reads; it gets no others. If nil, it gets all.
	Headers []string

	// Claims makes allowlist.CallerOf tell HTTP what the authorizer of an API Gateway has verified of the client. If false,
	// the claims of a request are not even read.
	Claims bool

	// Direct answers a direct invocation. The payload is a JSON object, or begins like a JSON array; the result is JSON.
	// The error becomes a Lambda function error. If it is or wraps an error with the method ErrorType() string, the caller
	// sees the type and the text of that error. If not, the caller sees the type "InternalError" and a general text.
	Direct func(ctx context.Context, payload []byte) ([]byte, error)

	// Margin is the time between the deadline that HTTP and Direct get and the end of the invocation. It lets an answer
	// arrive that says that time ran out.
	Margin time.Duration

	// Log gets a line for each invocation that reaches neither HTTP nor Direct, and for each panic that they do not catch.
	// If nil, these lines are not written.
	Log *slog.Logger
}

// Invoke answers one invocation. Its errors are of type messages.InvokeResponse_Error. Their Type is "InvalidRequest" if the
// payload is neither an HTTP event nor a direct invocation, and "InternalError" after a panic, which does not end the
// process. Failures of HTTP are HTTP answers and not errors.
func (g *Gateway) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-g.Margin))
		defer cancel()
	}
	answer, err := g.invoke(ctx, payload)
	if panicked, ok := errors.AsType[*panics.Error](err); ok {
		g.log(ctx, slog.LevelError, http.StatusInternalServerError, "internal_error",
			slog.String("error", panicked.Error()), slog.String("stack", string(panicked.Stack)))
		return nil, functionError(err)
	}
	return answer, err
}

func (g *Gateway) invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	defer panics.Recover(&err)
	switch typeOf(payload) {
	case directInvocation:
		return g.invokeDirect(ctx, payload)
	case httpEvent:
		if e, from, ok := decode(payload); ok {
			return g.invokeHTTP(ctx, e, from), nil
		}
	}
	g.log(ctx, slog.LevelWarn, http.StatusBadRequest, "invalid_request")
	return nil, invalidRequest()
}

// log writes the line of an invocation for which neither HTTP nor Direct has written one. The line holds nothing of the
// payload.
func (g *Gateway) log(ctx context.Context, level slog.Level, status int, code string, more ...slog.Attr) {
	if g.Log == nil {
		return
	}
	id := ""
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		id = lc.AwsRequestID
	}
	attrs := []slog.Attr{slog.String("request_id", id), slog.String("route", "unknown"), slog.Int("status", status), slog.String("code", code)}
	g.Log.LogAttrs(ctx, level, "request", append(attrs, more...)...)
}

func (g *Gateway) invokeHTTP(ctx context.Context, e *event, from sender) []byte {
	if g.Claims {
		ctx = e.withClaims(ctx, from)
	}
	w := &response{header: make(http.Header, 16)}
	g.HTTP.ServeHTTP(w, e.request(ctx, from, g.Headers))
	return w.encode(from.describesStatus, from.mirrorsLists && len(e.MultiValueHeaders) > 0)
}

func (g *Gateway) invokeDirect(ctx context.Context, payload []byte) ([]byte, error) {
	result, err := g.Direct(ctx, payload)
	if err != nil {
		return nil, functionError(err)
	}
	return result, nil
}

// functionError returns what the caller may know about err. It returns a value and not a pointer, because the runtime
// library keeps the type of a value only.
func functionError(err error) messages.InvokeResponse_Error {
	type typed interface {
		error
		ErrorType() string
	}
	if known, ok := errors.AsType[typed](err); ok {
		return messages.InvokeResponse_Error{Type: known.ErrorType(), Message: known.Error()}
	}
	return messages.InvokeResponse_Error{Type: "InternalError", Message: "the item could not be read"}
}

func invalidRequest() messages.InvokeResponse_Error {
	return messages.InvokeResponse_Error{
		Type: "InvalidRequest",
		Message: "accepted are HTTP events of API Gateway, Function URLs and application load balancers, " +
			`and direct invocation with a JSON object such as {"key":"order:1001"}`,
	}
}
