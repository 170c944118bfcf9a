package main_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/runtimetest"
	"voxkv/internal/voximplanttest"
)

// bootstrap is the real binary.
var bootstrap string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "voxkv-bootstrap-")
	if err == nil {
		defer os.RemoveAll(dir)
		bootstrap, err = e2etest.Build(context.Background(), dir, "voxkv/cmd/lambda")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// sharedAccount spares each test the generation of a key.
var sharedAccount = sync.OnceValues(func() (*voximplanttest.ServiceAccount, error) {
	return voximplanttest.NewServiceAccount(e2etest.AccountID)
})

// A sandbox is a running function and the world around it.
type sandbox struct {
	*e2etest.World
	*runtimetest.Process
}

const itemValue = `{"courier":"+15550100"}`

// patience is more than any machine takes for an answer.
const patience = 5 * time.Minute

// newSandbox starts the function with the items that events/ asks for. When
// the test ends it looks for secrets in all that the function wrote.
func newSandbox(t *testing.T, settings ...string) *sandbox {
	t.Helper()
	account, err := sharedAccount()
	if err != nil {
		t.Fatal(err)
	}
	world, err := e2etest.NewFor(account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	for _, key := range []string{"order:1001", "a+b", "a#b", "a;b", "ключЁё", ".", "secret:token", strings.Repeat("я", 200)} {
		world.Voximplant.Put(key, itemValue, time.Now().Add(time.Hour))
	}
	s := &sandbox{World: world}
	s.Process, err = world.Start(t.Context(), bootstrap, settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		s.checkSecrets(t, "the output", s.Output())
		if strings.Contains(s.Output(), "+15550100") {
			t.Errorf("the output holds a value: %s", s.Output())
		}
		if err := s.Violations(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// checkSecrets looks for everything that must be in no log and no answer.
func (s *sandbox) checkSecrets(t *testing.T, where, text string) {
	t.Helper()
	var document struct {
		PrivateKey string `json:"private_key"`
	}
	if err := json.Unmarshal(s.Account.Credentials(), &document); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(document.PrivateKey))
	secrets := []string{
		fmt.Sprint(e2etest.AccountID), "Bearer ", "eyJ", "PRIVATE KEY",
		base64.StdEncoding.EncodeToString(block.Bytes)[64:128], fmt.Sprintf("%x", block.Bytes)[64:128],
		s.Account.PrivateKey.D.String()[:40],
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds %q", where, secret)
		}
	}
}

// An answer is the function's output to any gateway.
type answer struct {
	StatusCode        int
	StatusDescription string
	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Body              string
	IsBase64Encoded   bool
}

// header returns the headers, which come in one of two forms, without the request id and the time.
func (a answer) header() http.Header {
	header := http.Header{}
	for name, value := range a.Headers {
		header.Set(name, value)
	}
	for name, values := range a.MultiValueHeaders {
		header.Set(name, strings.Join(values, ", "))
	}
	header.Del("X-Request-Id")
	header.Del("Expires")
	header.Del("X-Accel-Expires")
	return header
}

func (s *sandbox) invoke(t *testing.T, payload []byte) runtimetest.Result {
	t.Helper()
	result, err := s.Invoke(t.Context(), runtimetest.Invocation{Payload: payload, Deadline: time.Now().Add(patience)})
	if err != nil {
		t.Fatal(err)
	}
	s.checkSecrets(t, "an answer", string(result.Payload))
	return result
}

func (s *sandbox) event(t *testing.T, name string) answer {
	t.Helper()
	payload, err := os.ReadFile(filepath.Join("..", "..", "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return s.http(t, payload)
}

func (s *sandbox) http(t *testing.T, payload []byte) (a answer) {
	t.Helper()
	result := s.invoke(t, payload)
	if result.FunctionError != nil {
		t.Fatalf("function error %v", result.FunctionError)
	}
	if err := json.Unmarshal(result.Payload, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// situations are the endings of the file names in events/, with the status of the answer.
var situations = map[string]int{
	"item": 200, "item-plus": 200, "item-hash": 200, "item-semicolon": 200, "item-cyrillic": 200, "query": 200,
	"head": 200, "conditional": 304, "not-found": 404, "out-of-scope": 404, "bad-key": 400,
	"method-not-allowed": 405, "preflight": 204, "health": 200, "health-check": 200, "unknown-path": 404,
}

// TestEvents sends every sample event to the real binary: the answer depends on the situation and not on the sender.
// It is E5-15 of docs/http-statements.md.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "BASE_PATH=kv", "LOCAL_MAX_AGE=0s") // each answer is as fresh as the others
	files, err := filepath.Glob(filepath.Join("..", "..", "events", "*.json"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d sample events, %v", len(files), err)
	}
	first := map[string]answer{} // by situation
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		situation, status := situationOf(name)
		if status == 0 {
			continue // no HTTP event; the gateway's tests see to it that there are no others
		}
		got := s.event(t, name)
		if got.StatusCode != status || got.IsBase64Encoded {
			t.Errorf("%s: status %d; want %d", name, got.StatusCode, status)
		}
		want, seen := first[situation]
		if !seen {
			first[situation] = got
			continue
		}
		if !same(got, want) {
			t.Errorf("%s: %v %s; another sender got %v %s", name, got.header(), got.Body, want.header(), want.Body)
		}
	}
	for _, situation := range []string{"item", "head"} {
		if got := first[situation].Body; !strings.HasPrefix(got, `{"key":"order:1001","value":"{\"courier\"`) {
			t.Errorf("%s: body %s", situation, got)
		}
	}
}

// same reports whether two answers differ in nothing but request id and time.
func same(a, b answer) bool {
	return a.StatusCode == b.StatusCode && withoutAge(a) == withoutAge(b) && withoutID(a.Body) == withoutID(b.Body)
}

var seconds = regexp.MustCompile("(max-age|s-maxage)=[1-9][0-9]*")

// withoutAge is a's header without what depends on how long the answer took.
// lookup.TestOutOfScopeAges tests that the age is the same.
func withoutAge(a answer) string {
	return seconds.ReplaceAllString(fmt.Sprint(a.header()), "$1")
}

// situationOf returns the longest situation that name ends with.
func situationOf(name string) (string, int) {
	var situation string
	for ending := range situations {
		if strings.HasSuffix(name, "-"+ending) && len(ending) > len(situation) {
			situation = ending
		}
	}
	if strings.HasPrefix(name, "direct-") {
		return "", 0
	}
	return situation, situations[situation]
}

// withoutID is a body without its request id.
func withoutID(body string) string {
	var document map[string]any
	if json.Unmarshal([]byte(body), &document) != nil {
		return body
	}
	delete(document, "request_id")
	text, _ := json.Marshal(document)
	return string(text)
}

// TestAbsenceLooksTheSame is E5-14: a missing item, an expired one and one out of scope get the same answer, and the API is
// never asked for a key out of scope.
// It is B3-4 of docs/http-statements.md.
func TestAbsenceLooksTheSame(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.Voximplant.Put("order:expired", itemValue, time.Now().Add(-time.Second))
	missing := s.event(t, "http-api-not-found")
	calls := s.Voximplant.Calls("GetKeyValueItem")
	outside := s.event(t, "http-api-out-of-scope")
	if n := s.Voximplant.Calls("GetKeyValueItem"); n != calls {
		t.Errorf("a key out of scope made %d calls", n-calls)
	}
	payload, err := os.ReadFile(filepath.Join("..", "..", "events", "http-api-not-found.json"))
	if err != nil {
		t.Fatal(err)
	}
	expired := s.http(t, []byte(strings.ReplaceAll(string(payload), "order:missing", "order:expired")))
	for name, got := range map[string]answer{"out of scope": outside, "expired": expired} {
		if got.StatusCode != 404 || !same(got, missing) {
			t.Errorf("%s: %d %v %s; missing: %d %v %s", name, got.StatusCode, got.header(), got.Body, missing.StatusCode, missing.header(), missing.Body)
		}
	}
}

// TestFailureTellsTheAllowList: while Voximplant fails, a key out of scope is still 404, because Voximplant is not asked for
// it, and a missing key is 503. The threat model says so.
func TestFailureTellsTheAllowList(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.Voximplant.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "3600") // no second try
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	for name, want := range map[string]int{"http-api-out-of-scope": 404, "http-api-not-found": 503} {
		calls := s.Voximplant.Calls("GetKeyValueItem")
		if got := s.event(t, name); got.StatusCode != want || (s.Voximplant.Calls("GetKeyValueItem") > calls) != (want == 503) {
			t.Errorf("%s: %d after %d calls; want %d", name, got.StatusCode, s.Voximplant.Calls("GetKeyValueItem")-calls, want)
		}
	}
}

func TestDirectInvocation(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	var item struct {
		Key, Value string
		MaxAge     int `json:"max_age"`
	}
	if err := json.Unmarshal(s.invoke(t, []byte(`{"key":"order:1001"}`)).Payload, &item); err != nil || item.Value != itemValue || item.MaxAge < 1 || item.MaxAge > 60 {
		t.Errorf("direct invocation: %+v, %v", item, err)
	}
	if got := s.invoke(t, []byte(`{"key":"secret:token"}`)); string(got.Payload) != "null" || got.FunctionError != nil {
		t.Errorf("out of scope: %s, %v; want null", got.Payload, got.FunctionError)
	}
	for _, payload := range []string{`{"key":"a b"}`, `{}`, `null`, `42`, `"text"`, `[]`, `{"Records":[{"eventSource":"aws:sqs"}]}`} {
		got := s.invoke(t, []byte(payload))
		if got.FunctionError == nil || got.FunctionError.Type != "InvalidRequest" || !strings.Contains(got.FunctionError.Message, "key") {
			t.Errorf("%s: %s, %v; want InvalidRequest that says what is accepted", payload, got.Payload, got.FunctionError)
		}
	}
}

// TestInitDoesTheWork: after Init, the first request makes one call to the API and does not read the secret.
func TestInitDoesTheWork(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "LOCAL_MAX_AGE=60s")
	for strings.Contains(s.Output(), "no token yet") || strings.Contains(s.Output(), "no connection yet") {
		s = newSandbox(t, "LOCAL_MAX_AGE=60s") // Init is bounded, and the machine was too slow for it
	}
	if n := s.Secrets.Calls(); n != 1 || !slices.Equal(s.Secrets.Stages(), []string{"AWSCURRENT"}) {
		t.Errorf("Init read the secret %d times, stages %q", n, s.Secrets.Stages())
	}
	for range 5 {
		s.event(t, "http-api-item")
	}
	if n := s.Voximplant.Calls("GetKeyValueItem"); n != 1 {
		t.Errorf("5 requests for one item made %d calls; want 1", n)
	}
	if n := s.Secrets.Calls(); n != 1 {
		t.Errorf("after 5 requests the secret was read %d times; want 1", n)
	}
}

// TestLogLine: the log line of a request has what somebody on call needs, and not the key.
func TestLogLine(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.event(t, "http-api-item")
	s.Stop()
	var line map[string]any
	for text := range strings.Lines(s.Output()) {
		var candidate map[string]any
		if json.Unmarshal([]byte(text), &candidate) == nil && candidate["message"] == "request" {
			line = candidate
		}
	}
	for _, name := range []string{"timestamp", "level", "request_id", "trace_id", "route", "status", "ms", "upstream_ms", "cache", "cold_start", "function_version", "key"} {
		if line[name] == nil {
			t.Errorf("the log line %v lacks %s", line, name)
		}
	}
	if strings.Contains(s.Output(), "order:1001") {
		t.Errorf("the output holds a key: %s", s.Output())
	}
}

// TestWrongSettings: all invalid settings are reported together, and the function does not start.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	p, err := runtimetest.Start(t.Context(), bootstrap, []string{
		"VOXIMPLANT_SECRET_ID=" + `{"private_key":"-----BEGIN PRIVATE KEY-----"}`, "CACHE_MAX_AGE=a while", "CORS_ORIGINS=null",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Wait(ctx); err == nil {
		t.Error("the function started, or exited with status 0")
	}
	for _, want := range []string{"VOXIMPLANT_SECRET_ID", "VOXIMPLANT_APPLICATION_ID", "ALLOWED_KEYS", `CACHE_MAX_AGE is \"a while\"; accepted: a duration`, "CORS_ORIGINS"} {
		if !strings.Contains(p.Output(), want) {
			t.Errorf("the output does not tell of %s: %s", want, p.Output())
		}
	}
	if strings.Contains(p.Output(), "BEGIN") {
		t.Errorf("the output shows the secret: %s", p.Output())
	}
}
