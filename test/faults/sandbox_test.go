//go:build linux

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/relaytest"
	"voxkv/internal/runtimetest"
)

const (
	// itemValue is what items hold. It may be told to nobody but who asks for one.
	itemValue = "courier +15550100 at the door"

	// secretKey is the key of an item. It may stand in no log.
	secretKey = "order:for-nobody-else"
)

// A sandbox is a function, the world around it, and the ways there.
type sandbox struct {
	*e2etest.World
	process
	inside       bool // the function runs in a bubble
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

// newBubble starts a world, and the function in it, in a bubble.
func newBubble(t *testing.T, settings ...string) *sandbox {
	t.Helper()
	s := newBubbleWorld(t)
	s.start(t, settings...)
	return s
}

// newWorld starts the world for the real binary.
func newWorld(t *testing.T) *sandbox {
	t.Helper()
	world, err := e2etest.NewFor(accounts[0])
	s := fill(t, world, err)
	s.api = newLine(t, newPort(t), dialTCP(hostOf(t, world.APIURL())))
	s.secrets = newLine(t, newPort(t), dialTCP(hostOf(t, world.SecretsURL())))
	return s
}

// newBubbleWorld starts the world for a function in a bubble.
func newBubbleWorld(t *testing.T) *sandbox {
	t.Helper()
	toAPI, toSecrets := relaytest.NewMemory(), relaytest.NewMemory()
	world, err := e2etest.NewInMemory(accounts[0], toAPI, toSecrets)
	s := fill(t, world, err)
	s.inside = true
	s.api = newLine(t, &hatch{address: "127.0.0.1:443"}, toAPI.Dial)
	s.secrets = newLine(t, &hatch{address: "127.0.0.1:80"}, toSecrets.Dial)
	return s
}

// fill puts items into world: order:1 to order:9, one with a key that is looked
// for in logs, and one outside the allow-list.
func fill(t *testing.T, world *e2etest.World, err error) *sandbox {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	world.Leaks.Add("a value", itemValue)
	world.Leaks.Add("a key", secretKey)
	keys := []string{secretKey, "secret:token"}
	for i := range 9 {
		keys = append(keys, fmt.Sprint("order:", i+1))
	}
	for _, key := range keys {
		world.Voximplant.Put(key, itemValue, time.Now().Add(time.Hour))
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

// dial is the way from a function in a bubble to the lines.
func (s *sandbox) dial(ctx context.Context, _, address string) (net.Conn, error) {
	for _, l := range []*line{s.api, s.secrets} {
		if l.addr() == address {
			return l.door.(*hatch).dial(ctx)
		}
	}
	s.strays.Add(1)
	return nil, fmt.Errorf("nobody is at %s", address)
}

// patience is for answers of the real binary, of which no machine takes so long.
const patience = 5 * time.Minute

// start starts the function.
func (s *sandbox) start(t *testing.T, settings ...string) {
	t.Helper()
	if err := s.tryStart(t, settings...); err != nil {
		t.Fatal(err)
	}
}

// tryStart starts the function. When the test ends, all that it wrote is looked
// through for secrets.
func (s *sandbox) tryStart(t *testing.T, settings ...string) (err error) {
	t.Helper()
	settings = append([]string{
		"VOXIMPLANT_API_URL=https://" + s.api.addr() + "/platform_api",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=http://" + s.secrets.addr(),
	}, settings...)
	if s.inside {
		b := &bubble{dial: s.dial}
		s.process = b
		err = b.start(t.Context(), s.Environment(append([]string{"UPSTREAM_TIMEOUT="}, settings...)...)) // the default
	} else if s.process, err = s.Start(t.Context(), bootstrap, settings...); err != nil {
		return err // which holds the output
	}
	t.Cleanup(func() { s.check(t) })
	return err
}

// check ends the function and looks at what it wrote.
func (s *sandbox) check(t *testing.T) {
	t.Helper()
	s.Stop()
	s.Leaks.Check(t, "the output", s.Output())
	checkWords(t, "the output", s.Output(), upstreamWords, "DATA RACE", "panic:")
	if err := s.Violations(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Logf("output:\n%s", s.Output())
	}
}

const (
	// upstreamWords are in all that Voximplant says of its own accord, and in
	// secrets that are none. They must get neither into answers nor into logs.
	upstreamWords = "Xyzzy says"

	// gossip is the worst that Voximplant could say. TOKEN stands for that of the call.
	gossip = upstreamWords + " TOKEN of account 7734015923: " + itemValue

	// refusalWords are in all that Secrets Manager says. Whoever reads the logs
	// needs to know why it refuses.
	refusalWords = "Plugh says"
)

// inside are words that tell of what is behind the function.
var inside = []string{
	upstreamWords, refusalWords, "127.0.0.1", "voximplant", "secret", "aws", "tls", "x509", "dial", "context", "EOF", "deadline", "token",
}

func checkWords(t *testing.T, where, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
			t.Errorf("%s holds %q: %.3000s", where, word, text)
		}
	}
}

// invoke hands payload to the function, which has wait to answer. Its answer may
// hold a value where it is an item, and no other secret.
func (s *sandbox) invoke(t *testing.T, payload string, wait time.Duration) runtimetest.Result {
	t.Helper()
	result, err := s.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(payload), Deadline: time.Now().Add(wait)})
	if err != nil {
		t.Errorf("%.300s: %v", payload, err)
	}
	told := []string{"a key"}
	if bytes.Contains(result.Payload, []byte(`"statusCode":200`)) || bytes.Contains(result.Payload, []byte(`"value":`)) {
		told = append(told, "a value")
	}
	s.Leaks.Check(t, fmt.Sprintf("the answer to %.300s", payload), string(result.Payload), told...)
	return result
}

// An answer is what the function's caller gets.
type answer struct {
	StatusCode int
	Headers    map[string]string
	Body       string

	code  string        // of a problem
	value string        // of an item
	left  time.Duration // of the invocation's time when it was there
}

// get asks for the item stored under key as an HTTP API does, for at most wait.
func (s *sandbox) get(t *testing.T, key string, wait time.Duration) answer {
	t.Helper()
	event, err := os.ReadFile(filepath.Join("..", "..", "events", "http-api-item.json"))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(wait)
	result := s.invoke(t, strings.ReplaceAll(string(event), "order:1001", key), wait)
	a := answer{left: time.Until(deadline)}
	if result.FunctionError != nil || json.Unmarshal(result.Payload, &a) != nil {
		t.Errorf("GET %s: %s is no HTTP answer", key, result.Payload)
	}
	a.check(t, key, string(result.Payload))
	return a
}

// check holds a to what is true of every answer: it is the item that was asked
// for, with its key and value as they are, or a problem that tells nothing.
func (a *answer) check(t *testing.T, key, payload string) {
	t.Helper()
	var body struct{ Key, Value, Code, Detail string }
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Errorf("GET %s: the body %q: %v", key, a.Body, err)
	}
	a.code, a.value = body.Code, body.Value
	switch {
	case a.StatusCode != 200:
		// Of the random letters of an id, three may well be such a word.
		checkWords(t, "a problem", strings.ReplaceAll(payload, a.Headers["X-Request-Id"], "…"), inside...)
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
