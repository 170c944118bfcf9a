package runtimetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"voxkv/internal/runtimetest"
)

// start runs the test binary as a bootstrap.
func start(t *testing.T, mode string, env ...string) *runtimetest.Process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := runtimetest.Start(t.Context(), executable, append(env, modeVariable+"="+mode))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func invoke(t *testing.T, p *runtimetest.Process, payload string) runtimetest.Result {
	t.Helper()
	result, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(payload)})
	if err != nil {
		t.Fatalf("Invoke(%s): %v", payload, err)
	}
	return result
}

func TestInvokeTellsTheHandlerWhatLambdaTells(t *testing.T) {
	t.Parallel()
	deadline := time.Now().Add(time.Minute)
	const (
		requestID = "7f3a1c52-0000-4000-8000-000000000001"
		trace     = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
		alias     = "arn:aws:lambda:us-east-1:000000000000:function:voxkv:live"
		locale    = `{"env":{"locale":"en"}}`
	)
	p := start(t, "serve")
	result, err := p.Invoke(t.Context(), runtimetest.Invocation{
		Deadline: deadline, RequestID: requestID, TraceID: trace, FunctionARN: alias, ClientContext: locale,
	})
	if err != nil || result.FunctionError != nil {
		t.Fatalf("Invoke = %+v, %v; want a response", result, err)
	}
	var got reply
	if err := json.Unmarshal(result.Payload, &got); err != nil {
		t.Fatal(err)
	}
	want := reply{
		RequestID: requestID, FunctionARN: alias, TraceID: trace, DeadlineMS: deadline.UnixMilli(), Locale: "en",
	}
	if got != want {
		t.Errorf("the handler saw %+v; want %+v", got, want)
	}
	if result.Duration <= 0 {
		t.Errorf("Duration = %v; want more than nothing", result.Duration)
	}
	if err := p.Violations(); err != nil {
		t.Errorf("Violations() = %v; want none", err)
	}
}

func TestInvokeFillsInDefaults(t *testing.T) {
	t.Parallel()
	p := start(t, "serve")
	before := time.Now()
	var got reply
	result, err := p.Invoke(t.Context(), runtimetest.Invocation{})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(result.Payload, &got); err != nil {
		t.Fatal(err)
	}
	earliest := before.Add(10 * time.Second).UnixMilli()
	latest := time.Now().Add(10 * time.Second).UnixMilli()
	if got.DeadlineMS < earliest || got.DeadlineMS > latest {
		t.Errorf("deadline = %d; want %d to %d", got.DeadlineMS, earliest, latest)
	}
	if got.RequestID == "" || got.TraceID == "" || got.FunctionARN == "" || got.Locale != "" {
		t.Errorf("the handler saw %+v; want an id, a trace, an ARN and no client context", got)
	}
}

func TestWhatTheCallerSendsAlongReachesTheRuntime(t *testing.T) {
	t.Parallel()
	p := start(t, "serve")
	for _, test := range []struct {
		name       string
		invocation runtimetest.Invocation
		want       string
	}{
		{"no payload at all", runtimetest.Invocation{Payload: []byte{}}, "EOF"},
		{"a client context that is none", runtimetest.Invocation{ClientContext: `"text"`}, "client context"},
		{"an identity that is none", runtimetest.Invocation{CognitoIdentity: `[]`}, "cognito identity"},
	} {
		result, err := p.Invoke(t.Context(), test.invocation)
		if err != nil || result.FunctionError == nil || !strings.Contains(result.FunctionError.Message, test.want) {
			t.Errorf("%s: %v, %v; want a function error about %q", test.name, result.FunctionError, err, test.want)
		}
	}
}

func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, payload string
		want          runtimetest.FunctionError
		stack         bool
	}{
		{
			name: "an error keeps its type", payload: `{"Do":"fail"}`,
			want: runtimetest.FunctionError{Type: "brokenError", Message: "out of order"},
		},
		{
			name: "a panic comes with its stack", payload: `{"Do":"panic"}`, stack: true,
			want: runtimetest.FunctionError{Type: "errorString", Message: "at the disco"},
		},
		{
			name: "a response over the limit", payload: `{"Do":"fill","Size":6291555}`,
			want: runtimetest.FunctionError{
				Type:    "Function.ResponseSizeTooLarge",
				Message: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := invoke(t, start(t, "serve"), test.payload).FunctionError
			if got == nil {
				t.Fatal("the function answered with a response")
			}
			if got.Type != test.want.Type || got.Message != test.want.Message {
				t.Errorf("FunctionError = %v; want %v", got, &test.want)
			}
			if stack := len(got.StackTrace) > 0; stack != test.stack {
				t.Errorf("StackTrace = %s; want one: %t", got.StackTrace, test.stack)
			}
		})
	}
}

func TestResponseAtTheLimitPasses(t *testing.T) {
	t.Parallel()
	const quotes = 2
	p := start(t, "serve")
	result := invoke(t, p, `{"Do":"fill","Size":6291554}`)
	if got, want := len(result.Payload), 6291554+quotes; got != want || result.FunctionError != nil {
		t.Errorf("response of %d bytes, %v; want %d bytes", got, result.FunctionError, want)
	}
}

func TestProcessSurvivesAFunctionError(t *testing.T) {
	t.Parallel()
	p := start(t, "serve")
	if result := invoke(t, p, `{"Do":"fail"}`); result.FunctionError == nil {
		t.Errorf("first Invoke = %s; want a function error", result.Payload)
	}
	if result := invoke(t, p, `{}`); result.FunctionError != nil {
		t.Errorf("second Invoke: %v; want a response", result.FunctionError)
	}
}

func TestDeadlineEndsTheHandlersContext(t *testing.T) {
	t.Parallel()
	p := start(t, "serve")
	result, err := p.Invoke(t.Context(), runtimetest.Invocation{
		Payload: []byte(`{"Do":"wait"}`), Deadline: time.Now().Add(50 * time.Millisecond),
	})
	if err != nil || result.FunctionError == nil {
		t.Fatalf("Invoke = %s, %v; want a function error", result.Payload, err)
	}
	if got, want := result.FunctionError.Message, context.DeadlineExceeded.Error(); got != want {
		t.Errorf("message = %q; want %q", got, want)
	}
}

func TestInvokeAfterAPanicSaysThatTheProcessExited(t *testing.T) {
	t.Parallel()
	p := start(t, "serve")
	invoke(t, p, `{"Do":"panic"}`)
	_, err := p.Invoke(t.Context(), runtimetest.Invocation{})
	if err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("Invoke: %v; want exit status 1", err)
	}
}

func TestInvokeFailsWhenTheProcessExitsUnderIt(t *testing.T) {
	t.Parallel()
	p := start(t, "serve")
	_, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(`{"Do":"exit"}`)})
	if err == nil || !strings.Contains(err.Error(), "exit status 5") {
		t.Errorf("Invoke: %v; want exit status 5", err)
	}
}

func TestInvokeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := start(t, "serve")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := p.Invoke(ctx, runtimetest.Invocation{Payload: []byte(`{"Do":"hang"}`)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Invoke: %v; want %v", err, context.DeadlineExceeded)
	}
}

func TestWorkersRunAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", "AWS_LAMBDA_MAX_CONCURRENCY=3")
	var meetings sync.WaitGroup
	for range crowdSize {
		meetings.Go(func() {
			result, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(`{"Do":"meet"}`), Deadline: time.Now().Add(time.Hour)})
			if err != nil || result.FunctionError != nil {
				t.Errorf("Invoke: %v, %v; want a response", result.FunctionError, err)
			}
		})
	}
	meetings.Wait()
}

func TestExitDuringInit(t *testing.T) {
	t.Parallel()
	p := start(t, "exit")
	if err := p.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Ready: %v; want exit status 3", err)
	}
	if _, err := p.Invoke(t.Context(), runtimetest.Invocation{}); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Invoke: %v; want exit status 3", err)
	}
	var exit *exec.ExitError
	if err := p.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("Wait: %v; want exit status 3", err)
	}
	if got, want := p.Output(), "settings are wrong\n"; !strings.HasPrefix(got, want) {
		t.Errorf("Output() = %q; want %q first", got, want)
	}
	if got := p.InitDuration(); got != 0 {
		t.Errorf("InitDuration() = %v; want none", got)
	}
}

func TestReportedInitError(t *testing.T) {
	t.Parallel()
	p := start(t, "init error")
	var reported *runtimetest.FunctionError
	if err := p.Ready(t.Context()); !errors.As(err, &reported) || reported.Type != "Runtime.BadSettings" {
		t.Errorf("Ready: %v; want Runtime.BadSettings", err)
	}
	if _, err := p.Invoke(t.Context(), runtimetest.Invocation{}); !errors.As(err, &reported) {
		t.Errorf("Invoke: %v; want the init error", err)
	}
	if err := p.Violations(); err != nil {
		t.Errorf("Violations() = %v; want none", err)
	}
}

func TestInitIsMeasured(t *testing.T) {
	t.Parallel()
	before := time.Now()
	p := start(t, "serve")
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.InitDuration(); got <= 0 || got > time.Since(before) {
		t.Errorf("InitDuration() = %v; want more than nothing and at most %v", got, time.Since(before))
	}
}

func TestPeakRSS(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	const megabyte = 1 << 20
	p := start(t, "serve")
	invoke(t, p, `{}`)
	before, err := p.PeakRSS()
	if err != nil || before < megabyte {
		t.Errorf("PeakRSS() = %d, %v; want a megabyte at the least", before, err)
	}
	invoke(t, p, `{"Do":"fill","Size":6000000}`)
	after, err := p.PeakRSS()
	if err != nil || after < before+megabyte {
		t.Errorf("PeakRSS() = %d, %v after a large response; want well over %d", after, err, before)
	}
	p.Stop()
	if got, err := p.PeakRSS(); err == nil {
		t.Errorf("PeakRSS() = %d after the exit; want an error", got)
	}
}

func TestSignalReachesTheProcess(t *testing.T) {
	t.Parallel()
	p := start(t, "sigterm")
	invoke(t, p, `{}`)
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := p.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("Wait: %v; want exit status 4", err)
	}
	if err := p.Violations(); err != nil {
		t.Errorf("Violations() = %v; want none", err)
	}
}

func TestStopEndsAHangingProcess(t *testing.T) {
	t.Parallel()
	p := start(t, "serve")
	waiting := make(chan error, 1)
	go func() {
		_, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(`{"Do":"hang"}`)})
		waiting <- err
	}()
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	if err := <-waiting; err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("Invoke: %v; want signal: killed", err)
	}
	if err := p.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal after Stop: %v; want %v", err, os.ErrProcessDone)
	}
	p.Stop()
}

func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("RUNTIMETEST_LEAK", "1")
	executable, err := exec.LookPath("env")
	if err != nil {
		t.Skip(err)
	}
	p, err := runtimetest.Start(t.Context(), executable, []string{"AWS_REGION=eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := p.Output()
	for _, want := range []string{
		"AWS_REGION=eu-central-1\n", "AWS_LAMBDA_FUNCTION_NAME=voxkv\n", "AWS_LAMBDA_RUNTIME_API=" + p.Addr() + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("environment:\n%swant %s", got, want)
		}
	}
	if strings.Contains(got, "RUNTIMETEST_LEAK") || strings.Contains(got, "us-east-1") {
		t.Errorf("environment:\n%swant neither the caller's nor an overridden default", got)
	}
}

func TestStartOfNothing(t *testing.T) {
	t.Parallel()
	p, err := runtimetest.Start(t.Context(), t.TempDir()+"/bootstrap", nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Start = %v, %v; want %v", p, err, os.ErrNotExist)
	}
}
