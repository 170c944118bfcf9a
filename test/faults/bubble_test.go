//go:build linux

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/auth"
	"voxkv/handler"
	"voxkv/internal/e2etest"
	"voxkv/internal/function"
	"voxkv/internal/gateway"
	"voxkv/internal/runtimetest"
	"voxkv/internal/settings"
	"voxkv/internal/transport"
)

// margin is that of cmd/lambda.
const margin = 500 * time.Millisecond

// A bubble is what cmd/lambda makes of the function, without a process and
// without sockets: by the clock of testing/synctest, which stands still while
// anybody works. What it answers does not depend on the machine.
type bubble struct {
	gateway *gateway.Gateway
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	log     log
}

// inBubble lets f run in a bubble whose clock is near ours. What f leaves behind
// has more time than anything takes to end.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)))
		t.Cleanup(func() { time.Sleep(time.Hour) })
		f(t)
	})
}

// newBubbleWorld is newWorld for startInside.
func newBubbleWorld(t *testing.T) *sandbox {
	t.Helper()
	toAPI, toSecrets := e2etest.NewPipes(), e2etest.NewPipes()
	world, err := e2etest.NewPiped(accounts[0], toAPI, toSecrets)
	if err != nil {
		t.Fatal(err)
	}
	s := newSandboxIn(t, world)
	s.api = newLine(t, &hatch{address: "127.0.0.1:443"}, toAPI.Dial)
	s.secrets = newLine(t, &hatch{address: "127.0.0.1:80"}, toSecrets.Dial)
	return s
}

// newBubble starts the world, and the function in it, in a bubble.
func newBubble(t *testing.T, settings ...string) *sandbox {
	t.Helper()
	s := newBubbleWorld(t)
	s.startInside(t, settings...)
	return s
}

// dial is the way from the function to the lines.
func (s *sandbox) dial(ctx context.Context, _, address string) (net.Conn, error) {
	for _, l := range []*line{s.api, s.secrets} {
		if l.addr() == address {
			return l.door.(*hatch).dial(ctx)
		}
	}
	s.strays.Add(1)
	return nil, fmt.Errorf("nobody is at %s", address)
}

// startInside starts the function in this process.
func (s *sandbox) startInside(t *testing.T, settings ...string) {
	t.Helper()
	s.watch(t, func(settings []string) (process, error) {
		environ := map[string]string{}
		for _, variable := range s.Environment(append([]string{"UPSTREAM_TIMEOUT="}, settings...)...) { // the default
			name, value, _ := strings.Cut(variable, "=")
			environ[name] = value
		}
		b := &bubble{dial: s.dial}
		return b, b.build(transport.WithDial(t.Context(), b.dial), environ)
	}, settings)
}

// build does what cmd/lambda does.
func (b *bubble) build(ctx context.Context, environ map[string]string) error {
	s, wrong := settings.Read(environ)
	client, err := function.SecretsManager(environ)
	if err := errors.Join(wrong, err); err != nil {
		return err
	}
	secret := &auth.Secret{ID: s.SecretID, GetSecretValue: client.GetSecretValue}
	log := function.NewLog(&b.log, s)
	f, err := function.New(s, secret.Key, "bubble", log)
	if err != nil {
		return err
	}
	f.Warm(ctx)
	b.gateway = &gateway.Gateway{HTTP: f, Headers: handler.RequestHeaders(), Direct: f.Direct, Margin: margin, Log: log}
	return nil
}

// Invoke does what the runtime of aws-lambda-go does.
func (b *bubble) Invoke(ctx context.Context, inv runtimetest.Invocation) (runtimetest.Result, error) {
	ctx, cancel := context.WithDeadline(transport.WithDial(ctx, b.dial), inv.Deadline)
	defer cancel()
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: fmt.Sprintf("%016x", rand.Uint64())})
	payload, err := b.gateway.Invoke(ctx, inv.Payload)
	if err == nil {
		return runtimetest.Result{Payload: payload}, nil
	}
	failed, ok := errors.AsType[messages.InvokeResponse_Error](err)
	if !ok {
		return runtimetest.Result{}, err
	}
	document, err := json.Marshal(failed)
	return runtimetest.Result{Payload: document, FunctionError: &runtimetest.FunctionError{Type: failed.Type, Message: failed.Message}}, err
}

// Stop does nothing: the bubble ends with its last goroutine.
func (b *bubble) Stop() {}

func (b *bubble) Output() string { return b.log.String() }

func (b *bubble) Violations() error { return nil }

// A log is written and read by any number of goroutines.
type log struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
