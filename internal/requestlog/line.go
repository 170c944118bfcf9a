package requestlog

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/internal/panics"
	"voxkv/internal/problem"
	"voxkv/lookup"
	"voxkv/voximplant"
)

const (
	// noticeableSkew is the difference of clocks that is logged. A smaller one is
	// explained by Date's whole seconds and the time that the answer travelled.
	noticeableSkew = 5 * time.Second

	// longestLife is the longest life that the API gives an item, and a day.
	longestLife = 91 * 24 * time.Hour
)

// A Line is what was asked and what came of it. All errors in it are
// *problem.Problem.
type Line struct {
	Method string // "" for a direct invocation
	Route  string // "" if there is none for the request
	Status int

	// Result is that of the one key that was asked for or written. Its Err is why
	// the whole request failed, whatever it asked for.
	lookup.Result

	// Several has the results of a request for several keys.
	Several []lookup.Result
}

// requestAttrs say what was asked and what the caller got. A member without a
// value is left out: a write has no cache, a direct invocation no method.
func (l *Log) requestAttrs(ctx context.Context, s Start, line Line) []slog.Attr {
	attrs := make([]slog.Attr, 0, 20)
	attrs = appendText(attrs, "request_id", s.RequestID)
	attrs = appendText(attrs, "method", line.Method)
	attrs = appendText(attrs, "route", line.Route)
	attrs = append(attrs,
		slog.Int("status", line.Status),
		slog.Float64("ms", milliseconds(time.Since(s.time))),
		slog.Bool("cold_start", s.cold),
	)
	attrs = appendText(attrs, "function_version", lambdacontext.FunctionVersion)
	attrs = appendText(attrs, "trace_id", xrayTrace(ctx))
	attrs = appendText(attrs, "traceparent", s.traceparent)
	var code problem.Code
	if line.Err != nil {
		code = problem.Of(line.Err).Code
	}
	attrs = appendText(attrs, "code", string(code))
	if line.Key != "" && code != problem.InvalidKey { // which may be anything
		attrs = appendText(attrs, "key", l.HashKey(line.Key))
	}
	attrs = appendText(attrs, "cache", string(line.Answer.Source))
	if n := line.claimsUnusable(); n > 0 {
		attrs = append(attrs, slog.Int("claim_unusable", n))
	}
	if len(line.Several) > 0 {
		attrs = append(attrs, slog.Int("keys", len(line.Several)), slog.Int("failed", line.failed()))
	}
	return attrs
}

// appendText appends a member to attrs unless its value is empty.
func appendText(attrs []slog.Attr, name, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(name, value))
}

// upstreamAttrs say what the API did: how long it took, why it failed, and what
// is strange in its answer. cause is nil if nothing failed.
func upstreamAttrs(a lookup.Answer, cause error) []slog.Attr {
	var attrs []slog.Attr
	if a.UpstreamTime > 0 {
		attrs = append(attrs, slog.Float64("upstream_ms", milliseconds(a.UpstreamTime)))
	}
	if failed, ok := errors.AsType[*voximplant.Error](cause); ok {
		attrs = append(attrs, slog.String("upstream_kind", string(failed.Kind)), slog.Int("upstream_code", failed.Code))
	}
	if cause != nil {
		attrs = append(attrs, slog.String("error", cause.Error()))
	}
	if panicked, ok := errors.AsType[*panics.Error](cause); ok {
		attrs = append(attrs, slog.String("stack", string(panicked.Stack)))
	}
	if a.Skew.Abs() > noticeableSkew {
		attrs = append(attrs, slog.Float64("api_clock_ahead_s", a.Skew.Seconds()))
	}
	if a.Left > longestLife {
		attrs = append(attrs, slog.Float64("expires_in_s", a.Left.Seconds()))
	}
	return attrs
}

// failures are the errors that are not the caller's fault: of the request, of
// each key, and of upstream where a stale entry was served instead.
func (l Line) failures() (failures []error) {
	if l.Err == nil && l.Answer.UpstreamErr == nil && l.Several == nil {
		return nil // nearly always
	}
	for _, r := range append(slices.Clip(l.Several), l.Result) {
		switch {
		case r.Answer.UpstreamErr != nil:
			failures = append(failures, r.Answer.UpstreamErr)
		case r.Err != nil && problem.Of(r.Err).Status >= 500:
			failures = append(failures, r.Err)
		}
	}
	return failures
}

// cause is the failure that explains most, which is one of the API if there is
// one. It is nil if there are no failures.
func cause(failures []error) error {
	for _, err := range failures {
		if _, ok := errors.AsType[*voximplant.Error](err); ok {
			return err
		}
	}
	if len(failures) > 0 {
		return failures[0]
	}
	return nil
}

// answers are what was found of each key.
func (l Line) answers() []lookup.Answer {
	if len(l.Several) == 0 {
		return []lookup.Answer{l.Answer}
	}
	var answers []lookup.Answer
	for _, r := range l.Several {
		answers = append(answers, r.Answer)
	}
	return answers
}

// claimsUnusable counts the keys that a rule could have allowed, had the caller the
// claim that it needs, and one that can be part of a key.
func (l Line) claimsUnusable() (n int) {
	if l.Answer.Rule.ClaimUnusable {
		n++
	}
	for _, r := range l.Several {
		if r.Answer.Rule.ClaimUnusable {
			n++
		}
	}
	return n
}

// failed counts the keys of several that failed, which alarms count too. A
// caller's invalid key is not one of them.
func (l Line) failed() (n int) {
	for _, r := range l.Several {
		if r.Err != nil && problem.Of(r.Err).Status >= 500 {
			n++
		}
	}
	return n
}

// level is ERROR for what somebody must mend and WARN for what may pass by
// itself. The worst of several keys decides. A failure that a stale entry hid is
// a warning. So is a refused direct invocation: to Lambda it is an error of the
// function, and only this line says that it is the caller's.
func (l Line) level(failed bool) slog.Level {
	level := levelOf(l.Status)
	if l.Method == "" && l.Status >= 400 && l.Status != http.StatusNotFound {
		level = max(level, slog.LevelWarn)
	}
	for _, r := range l.Several {
		if r.Err != nil {
			level = max(level, levelOf(problem.Of(r.Err).Status))
		}
	}
	if failed {
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
