//go:build linux

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/runtimetest"
)

// itemValue is what all items hold but those that say who they are.
const itemValue = `{"courier":"+15550100"}`

// A sandbox is a running function, the world around it, and the ways there.
type sandbox struct {
	*e2etest.World
	process
	real         *runtimetest.Process // the process if it is the real binary, else nil
	api, secrets *line
	strays       atomic.Int32 // connections to elsewhere, where the function dials in a bubble
	afterwards   func()       // what a fault has to look at when the answer is there; may be nil
}

// A process is the function under a Runtime API: a *runtimetest.Process or a *bubble.
type process interface {
	Invoke(ctx context.Context, inv runtimetest.Invocation) (runtimetest.Result, error)
	Stop()
	Output() string
	Violations() error
}

// newSandbox starts the world, and the real binary in it.
func newSandbox(t *testing.T, settings ...string) *sandbox {
	t.Helper()
	s := newWorld(t)
	s.start(t, bootstrap, settings...)
	return s
}

// newWorld starts a world with the items order:1 to order:9.
func newWorld(t *testing.T) *sandbox {
	t.Helper()
	world, err := e2etest.NewFor(accounts[0])
	if err != nil {
		t.Fatal(err)
	}
	s := newSandboxIn(t, world)
	s.api = newLine(t, newPort(t), dialTCP(hostOf(t, world.APIURL())))
	s.secrets = newLine(t, newPort(t), dialTCP(hostOf(t, world.SecretsURL())))
	return s
}

// newSandboxIn fills world.
func newSandboxIn(t *testing.T, world *e2etest.World) *sandbox {
	t.Helper()
	t.Cleanup(world.Close)
	for i := range 9 {
		world.Voximplant.Put(fmt.Sprint("order:", i+1), itemValue, time.Now().Add(time.Hour))
	}
	return &sandbox{World: world}
}

func hostOf(t *testing.T, root string) string {
	t.Helper()
	u, err := url.Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// patience is for answers of the real binary, of which no machine takes so long.
const patience = 5 * time.Minute

// start starts the real binary.
func (s *sandbox) start(t *testing.T, bootstrap string, settings ...string) {
	t.Helper()
	s.watch(t, func(settings []string) (_ process, err error) {
		s.real, err = s.Start(t.Context(), bootstrap, settings...)
		return s.real, err
	}, settings)
}

// watch starts the function with run. When the test ends, all that it wrote is
// looked through for secrets.
func (s *sandbox) watch(t *testing.T, run func(settings []string) (process, error), settings []string) {
	t.Helper()
	settings = append([]string{
		"VOXIMPLANT_API_URL=https://" + s.api.addr() + "/platform_api",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=http://" + s.secrets.addr(),
	}, settings...)
	var err error
	if s.process, err = run(settings); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		checkInside(t, "the output", s.Output(), upstreamWords, "DATA RACE", "panic")
		if err := s.Violations(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("output:\n%s", s.Output())
		}
	})
}

const (
	// upstreamWords are in all that Voximplant says of its own accord, and in
	// secrets that are none. They must get neither into answers nor into logs.
	upstreamWords = "Xyzzy says"

	// refusalWords are in all that Secrets Manager says. Whoever reads the logs
	// needs to know why it refuses.
	refusalWords = "Plugh says"
)

// checkInside looks for what must not get out: secrets, and words.
func checkInside(t *testing.T, where, text string, words ...string) {
	t.Helper()
	for _, secret := range leaks.Find(text) {
		t.Errorf("%s holds %s", where, secret)
	}
	for _, word := range words {
		if strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
			t.Errorf("%s holds %q", where, word)
		}
	}
}

// inside are words that tell of what is behind the function.
var inside = []string{
	upstreamWords, refusalWords, "127.0.0.1", "voximplant", "secret", "aws", "tls", "x509", "dial", "context", "EOF", "deadline", "token",
}

// An answer is what the function's caller gets.
type answer struct {
	StatusCode int
	Headers    map[string]string
	Body       string

	code    string        // of a problem
	value   string        // of an item
	left    time.Duration // of the invocation's time when it was there
	payload string
}

// get asks for the item stored under key as an HTTP API does, for at most wait.
func (s *sandbox) get(t *testing.T, key string, wait time.Duration) answer {
	t.Helper()
	event, err := os.ReadFile(filepath.Join("..", "..", "events", "http-api-item.json"))
	if err != nil {
		t.Fatal(err)
	}
	payload := strings.ReplaceAll(string(event), "order:1001", key)
	deadline := time.Now().Add(wait)
	result, err := s.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(payload), Deadline: deadline})
	if err != nil {
		t.Errorf("GET %s: %v", key, err)
		return answer{}
	}
	a := answer{left: time.Until(deadline), payload: string(result.Payload)}
	if result.FunctionError != nil || json.Unmarshal(result.Payload, &a) != nil {
		t.Errorf("GET %s: %s is no HTTP answer", key, result.Payload)
	}
	a.check(t, key)
	return a
}

// check holds a to what is true of every answer: it is the item that was asked
// for, with its key and value as they are, or a problem that tells nothing.
func (a *answer) check(t *testing.T, key string) {
	t.Helper()
	var body struct{ Key, Value, Code, Detail string }
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Errorf("GET %s: the body %q: %v", key, a.Body, err)
	}
	a.code, a.value = body.Code, body.Value
	switch {
	case a.StatusCode != 200:
		checkInside(t, "a problem", a.payload, inside...)
		if body.Key+body.Value != "" || a.code == "" || body.Detail == "" || a.Headers["Content-Type"] != "application/problem+json" {
			t.Errorf("GET %s: %d %s is no problem", key, a.StatusCode, a.Body)
		}
	case body.Key != key:
		t.Errorf("GET %s: the item %s", key, a.Body)
	}
}

// want fails unless a has status.
func (a answer) want(t *testing.T, when string, status int) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s: %d %s; want %d", when, a.StatusCode, a.Body, status)
	}
}

// checkInTime fails if a did not leave margin to the invocation. It goes by the
// clock of a bubble alone: any other depends on the machine.
func (a answer) checkInTime(t *testing.T) {
	t.Helper()
	if a.left < margin {
		t.Errorf("the answer came %v before the end of the invocation; want %v", a.left, margin)
	}
}

// logged returns the level of the line about a request. The function must have
// been stopped.
func (s *sandbox) logged(a answer) string {
	for text := range strings.Lines(s.Output()) {
		var line struct {
			Message, Level string
			RequestID      string `json:"request_id"`
		}
		if json.Unmarshal([]byte(text), &line) == nil && line.Message == "request" && line.RequestID == a.Headers["X-Request-Id"] {
			return line.Level
		}
	}
	return "nothing"
}

// nextSecond waits until the clock shows another second: in the second in which
// a token was signed, no other one can be.
func nextSecond() {
	for start := time.Now().Unix(); time.Now().Unix() == start; {
		time.Sleep(20 * time.Millisecond)
	}
}
