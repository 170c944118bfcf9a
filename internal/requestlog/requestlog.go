// Package requestlog writes one line for each request, over HTTP and by direct
// invocation alike: what was asked, what came of it, and the metrics that
// CloudWatch reads from the line. It also finds the trace of a request.
package requestlog

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/voximplant"
)

// A Log writes the lines of all requests of one process. Logger and HashKey are
// required.
type Log struct {
	Logger *slog.Logger

	// HashKey is what a line shows of a key.
	HashKey func(key string) string

	// Metrics makes each line a document of CloudWatch's Embedded Metric Format too.
	Metrics bool

	// TokenCounts returns, for the metrics, how many tokens were signed and how
	// often the service-account key was read since it was called last. It may be nil.
	TokenCounts func() (signed, read int64)

	warm atomic.Bool // a request was begun before
}

// A Start is what is known about a request when it begins.
type Start struct {
	// RequestID is that of the invocation, or a random one outside of Lambda.
	RequestID string

	time        time.Time
	traceparent string // "" if there is no trace
	cold        bool   // the first request of the process
}

// Begin is called once at the beginning of each request. sent is its header
// field Traceparent, line by line.
func (l *Log) Begin(ctx context.Context, sent []string) Start {
	s := Start{time: time.Now(), cold: !l.warm.Swap(true), traceparent: traceparent(ctx, sent)}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		s.RequestID = lc.AwsRequestID
	} else {
		s.RequestID = rand.Text()
	}
	return s
}

// WithTrace returns a context under which calls of the API carry the trace.
func (s Start) WithTrace(ctx context.Context) context.Context {
	if s.traceparent == "" {
		return ctx
	}
	return voximplant.WithTraceParent(ctx, s.traceparent)
}

// Write writes the line of the request that s began. Of what the caller sent, the
// line holds only the method, a well-formed trace and the key, hashed by HashKey.
func (l *Log) Write(ctx context.Context, s Start, line Line) {
	failures := line.failures()
	level := line.level(len(failures) > 0)
	if !l.Logger.Enabled(ctx, level) {
		return
	}
	attrs := append(l.requestAttrs(ctx, s, line), upstreamAttrs(line.Answer, cause(failures))...)
	if l.Metrics {
		attrs = append(attrs, l.metrics(s, line, cause(failures)).attrs(s.time)...)
	}
	l.Logger.LogAttrs(ctx, level, "request", attrs...)
}
