package handler

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/internal/panics"
	"voxkv/internal/problem"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// noticeable is the difference of clocks that is logged. Below it, Date's whole
// seconds and the way of the answer explain it.
const noticeable = 5 * time.Second

// farthest is the longest life that the API gives an item, and a day.
const farthest = 91 * 24 * time.Hour

// An entry is what becomes the log line of one request.
type entry struct {
	start     time.Time
	requestID string
	parent    string // traceparent, "" if there is no trace
	cold      bool
	method    string // empty for a direct invocation
	route     string
	private   bool // the response is for its caller alone
	key       string
	answer    lookup.Answer
	batch     []lookup.Result // of a request for several keys, which leaves key and answer empty
	status    int
	problem   problem.Problem // zero if there was none
	err       error
}

// begin opens the entry. The request id is the invocation's, or a fresh one
// outside Lambda.
func (h *Handler) begin(ctx context.Context, traceparent []string) *entry {
	e := &entry{start: time.Now(), cold: !h.warm.Swap(true), parent: traceParent(ctx, traceparent)}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		e.requestID = lc.AwsRequestID
	} else {
		e.requestID = rand.Text()
	}
	return e
}

// trace hands the trace on to the API.
func (e *entry) trace(ctx context.Context) context.Context {
	if e.parent == "" {
		return ctx
	}
	return voximplant.WithTraceParent(ctx, e.parent)
}

// fail records err and what the caller is told of it.
func (e *entry) fail(err error) {
	e.err = err
	e.problem = *problem.Of(err)
	e.status = e.problem.Status
}

// log writes the line. Nothing in it is taken from the request but the method,
// a well-formed trace and the key, which HashKey hides.
func (h *Handler) log(ctx context.Context, e *entry) {
	level := e.level()
	if !h.Log.Enabled(ctx, level) {
		return
	}
	attrs := append(h.requestAttrs(ctx, e), upstreamAttrs(e)...)
	if h.Metrics {
		attrs = append(attrs, h.metrics(e).attrs(e.start)...)
	}
	h.Log.LogAttrs(ctx, level, "request", attrs...)
}

// requestAttrs tell what was asked, and the answer. What there is not is left
// out: a write has no cache, a direct invocation no method.
func (h *Handler) requestAttrs(ctx context.Context, e *entry) []slog.Attr {
	trace, _ := ctx.Value("x-amzn-trace-id").(string)
	attrs := make([]slog.Attr, 0, 20)
	attrs = appendText(attrs, "request_id", e.requestID)
	attrs = appendText(attrs, "method", e.method)
	attrs = appendText(attrs, "route", e.route)
	attrs = append(attrs,
		slog.Int("status", e.status),
		slog.Float64("ms", milliseconds(time.Since(e.start))),
		slog.Bool("cold_start", e.cold),
	)
	attrs = appendText(attrs, "trace_id", trace)
	attrs = appendText(attrs, "traceparent", e.parent)
	attrs = appendText(attrs, "code", string(e.problem.Code))
	if e.key != "" {
		attrs = appendText(attrs, "key", h.HashKey(e.key))
	}
	attrs = appendText(attrs, "cache", string(e.answer.Source))
	if len(e.batch) > 0 {
		attrs = append(attrs, slog.Int("keys", len(e.batch)), slog.Int("failed", e.failed()))
	}
	return attrs
}

// appendText adds a member to attrs, unless its value is empty.
func appendText(attrs []slog.Attr, name, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(name, value))
}

// upstreamAttrs tell how the API fared, and what in its answer is strange.
func upstreamAttrs(e *entry) []slog.Attr {
	var attrs []slog.Attr
	a := e.answer
	if a.UpstreamTime > 0 {
		attrs = append(attrs, slog.Float64("upstream_ms", milliseconds(a.UpstreamTime)))
	}
	cause := e.cause()
	if failed := e.upstreamError(); failed != nil {
		attrs = append(attrs, slog.String("upstream_kind", string(failed.Kind)), slog.Int("upstream_code", failed.Code))
	}
	if len(e.failures()) > 0 {
		attrs = append(attrs, slog.String("error", cause.Error()))
	}
	if panicked, ok := errors.AsType[*panics.Error](cause); ok {
		attrs = append(attrs, slog.String("stack", string(panicked.Stack)))
	}
	if a.Skew.Abs() > noticeable {
		attrs = append(attrs, slog.Float64("api_clock_ahead_s", a.Skew.Seconds()))
	}
	if a.Left > farthest {
		attrs = append(attrs, slog.Float64("expires_in_s", a.Left.Seconds()))
	}
	return attrs
}

// failures are what went wrong upstream: for the request, for any of its keys,
// or where an old copy stood in. A caller's bad key is none.
func (e *entry) failures() (failures []error) {
	if e.err == nil && e.answer.UpstreamErr == nil && e.batch == nil {
		return nil // as nearly always
	}
	for _, f := range append(e.batch, lookup.Result{Answer: e.answer, Err: e.err}) {
		switch {
		case f.Answer.UpstreamErr != nil:
			failures = append(failures, f.Answer.UpstreamErr)
		case f.Err != nil && problem.Of(f.Err).Status >= 500:
			failures = append(failures, f.Err)
		}
	}
	return failures
}

// cause is the failure that tells most: one of the API before any other.
func (e *entry) cause() error {
	failures := e.failures()
	for _, err := range failures {
		if _, ok := errors.AsType[*voximplant.Error](err); ok {
			return err
		}
	}
	if len(failures) > 0 {
		return failures[0]
	}
	return e.err
}

// upstreamError is the cause if the API is behind it, else nil.
func (e *entry) upstreamError() *voximplant.Error {
	failed, _ := errors.AsType[*voximplant.Error](e.cause())
	return failed
}

// answers are what was found of each key.
func (e *entry) answers() []lookup.Answer {
	if len(e.batch) == 0 {
		return []lookup.Answer{e.answer}
	}
	var answers []lookup.Answer
	for _, f := range e.batch {
		answers = append(answers, f.Answer)
	}
	return answers
}

// failed counts the keys of several that got no answer.
func (e *entry) failed() (n int) {
	for _, f := range e.batch {
		if f.Err != nil && !f.Absent() {
			n++
		}
	}
	return n
}

// level is what somebody must look at: errors need a hand, warnings may pass.
// The worst of several keys decides; an old copy that stood in is a warning.
func (e *entry) level() slog.Level {
	level := levelOf(e.status)
	for _, f := range e.batch {
		if f.Err != nil {
			level = max(level, levelOf(problem.Of(f.Err).Status))
		}
	}
	if len(e.failures()) > 0 {
		level = max(level, slog.LevelWarn)
	}
	return level
}

func levelOf(status int) slog.Level {
	switch {
	case status == http.StatusInternalServerError, status == http.StatusBadGateway:
		return slog.LevelError
	case status >= 500:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
