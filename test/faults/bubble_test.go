//go:build linux

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/auth"
	"voxkv/internal/function"
	"voxkv/internal/gateway"
	"voxkv/internal/runtimetest"
	"voxkv/internal/settings"
	"voxkv/internal/transport"
)

// margin is what the function keeps free at the end of an invocation.
const margin = 500 * time.Millisecond

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

// A bubble is what cmd/lambda makes of the function, without a process and
// without sockets: by the clock of testing/synctest, which stands still while
// anybody works. What it answers does not depend on the machine.
type bubble struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	output  runtimetest.Output
	gateway *gateway.Gateway
}

// start does what cmd/lambda does.
func (b *bubble) start(ctx context.Context, environment []string) error {
	environ := map[string]string{}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		environ[name] = value
	}
	s, wrong := settings.Read(environ)
	log := function.NewLog(&b.output, s)
	client, err := function.SecretsManager(environ)
	if err := errors.Join(wrong, err); err != nil {
		log.Error("cannot start: " + err.Error())
		return err
	}
	secret := &auth.Secret{ID: s.SecretID, GetSecretValue: client.GetSecretValue}
	f, err := function.New(s, secret.Key, "bubble", log)
	if err != nil {
		return err
	}
	settings.LogStart(log, "bubble", s)
	f.Warm(transport.WithDial(ctx, b.dial))
	b.gateway = f.Gateway()
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

func (b *bubble) Output() string { return b.output.String() }

func (b *bubble) Violations() error { return nil }
