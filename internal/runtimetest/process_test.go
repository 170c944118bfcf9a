package runtimetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"voxkv/internal/runtimetest"
)

// start runs the test binary as a bootstrap.
func start(t *testing.T, env ...string) *runtimetest.Process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := runtimetest.Start(t.Context(), executable, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if err := p.Violations(); err != nil {
			t.Errorf("Violations() = %v; want none", err)
		}
	})
	return p
}

// see returns what the handler saw of inv.
func see(t *testing.T, p *runtimetest.Process, inv runtimetest.Invocation) (got reply) {
	t.Helper()
	result, err := p.Invoke(t.Context(), inv)
	if err != nil || result.FunctionError != nil || result.Duration <= 0 {
		t.Fatalf("Invoke = %+v, %v; want a response", result, err)
	}
	if err := json.Unmarshal(result.Payload, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheHandlerIsToldWhatLambdaTells(t *testing.T) {
	t.Parallel()
	before := time.Now()
	p := start(t)
	want := reply{
		RequestID:   "7f3a1c52-0000-4000-8000-000000000001",
		TraceID:     "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
		FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:voxkv:live",
		Locale:      "en",
		DeadlineMS:  before.Add(time.Minute).UnixMilli(),
	}
	if got := see(t, p, runtimetest.Invocation{
		Deadline: time.UnixMilli(want.DeadlineMS), RequestID: want.RequestID, TraceID: want.TraceID,
		FunctionARN: want.FunctionARN, ClientContext: `{"env":{"locale":"en"}}`,
	}); got != want {
		t.Errorf("the handler saw %+v; want %+v", got, want)
	}
	got := see(t, p, runtimetest.Invocation{})
	if got.RequestID == "" || got.TraceID == "" || got.FunctionARN == "" || got.Locale != "" || got.DeadlineMS < before.Add(10*time.Second).UnixMilli() {
		t.Errorf("by default the handler saw %+v; want an id, a trace, an ARN, 10 s and no client context", got)
	}
	if took := p.InitDuration(); took <= 0 || took > time.Since(before) {
		t.Errorf("InitDuration() = %v; want more than nothing and at most %v", took, time.Since(before))
	}
}

// TestFunctionErrors: one process survives them all.
func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	p := start(t)
	do := func(what string) runtimetest.Invocation { return runtimetest.Invocation{Payload: []byte(what)} }
	for _, test := range []struct {
		name       string
		invocation runtimetest.Invocation
		typ, text  string
	}{
		{"an error", do(`{"Do":"fail"}`), "brokenError", "out of order"},
		{"the end of its time", runtimetest.Invocation{Payload: []byte(`{"Do":"wait"}`), Deadline: time.Now()}, "", context.DeadlineExceeded.Error()},
		{"no payload at all", do(""), "", "EOF"},
		{"a client context that is none", runtimetest.Invocation{ClientContext: `"text"`}, "", "client context"},
		{"an identity that is none", runtimetest.Invocation{CognitoIdentity: `[]`}, "", "cognito identity"},
	} {
		result, err := p.Invoke(t.Context(), test.invocation)
		failed := result.FunctionError
		if err != nil || failed == nil || test.typ != "" && failed.Type != test.typ || !strings.Contains(failed.Message, test.text) || len(failed.StackTrace) > 0 {
			t.Errorf("%s: %v, %v; want %s %s", test.name, failed, err, test.typ, test.text)
		}
	}
	result, err := p.Invoke(t.Context(), do(`{"Do":"fill","Size":6291554}`))
	if err != nil || result.FunctionError != nil || len(result.Payload) != 6<<20+100 {
		t.Errorf("a response of %d bytes, %v, %v; want the largest that Lambda accepts", len(result.Payload), result.FunctionError, err)
	}
}

// TestEnds: what ends the process ends the invocations, under way and to come.
func TestEnds(t *testing.T) {
	t.Parallel()
	for do, want := range map[string]string{"panic": "exit status 1", "exit": "exit status 5", "hang": "signal: killed"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			see(t, p, runtimetest.Invocation{})
			if do == "hang" {
				time.AfterFunc(50*time.Millisecond, p.Stop)
			}
			result, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(`{"Do":"` + do + `"}`)})
			if do == "panic" {
				if f := result.FunctionError; err != nil || f.Type != "errorString" || f.Message != "at the disco" || len(f.StackTrace) == 0 {
					t.Errorf("Invoke: %v, %v; want the panic with its stack", f, err)
				}
				_, err = p.Invoke(t.Context(), runtimetest.Invocation{})
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Invoke: %v; want %s", err, want)
			}
			if err := p.Wait(t.Context()); err == nil || err.Error() != want {
				t.Errorf("Wait: %v; want %s", err, want)
			}
			p.Stop()
			if err := p.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("Signal after Stop: %v; want %v", err, os.ErrProcessDone)
			}
		})
	}
}

func TestInvokeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := start(t).Invoke(ctx, runtimetest.Invocation{Payload: []byte(`{"Do":"hang"}`)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Invoke: %v; want %v", err, context.DeadlineExceeded)
	}
}

func TestExitDuringInit(t *testing.T) {
	t.Parallel()
	p := start(t, "EXIT_DURING_INIT=1")
	_, invoked := p.Invoke(t.Context(), runtimetest.Invocation{})
	for what, err := range map[string]error{"Ready": p.Ready(t.Context()), "Invoke": invoked, "Wait": p.Wait(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "exit status 3") {
			t.Errorf("%s: %v; want exit status 3", what, err)
		}
	}
	if got := p.Output(); !strings.HasPrefix(got, "settings are wrong\n") || p.InitDuration() != 0 {
		t.Errorf("Output() = %q, InitDuration() = %v; want what it wrote, and none", got, p.InitDuration())
	}
}

func TestPeakRSS(t *testing.T) {
	t.Parallel()
	p := start(t)
	see(t, p, runtimetest.Invocation{})
	before, err := p.PeakRSS()
	if err != nil {
		t.Skip(err) // no Linux
	}
	if _, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(`{"Do":"fill","Size":6000000}`)}); err != nil {
		t.Fatal(err)
	}
	if after, err := p.PeakRSS(); err != nil || after < before+1<<20 {
		t.Errorf("PeakRSS() = %d, %v after a large response; want well over %d", after, err, before)
	}
	p.Stop()
	if got, err := p.PeakRSS(); err == nil {
		t.Errorf("PeakRSS() = %d after the exit; want an error", got)
	}
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
