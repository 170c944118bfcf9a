package main

import (
	"context"
	"encoding/json"
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
	"voxkv/internal/gatewaytest"
	"voxkv/internal/runtimetest"
	"voxkv/internal/voximplanttest"
)

// TestMain is the bootstrap itself where Lambda's Runtime API is: the tests start this executable again.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		main()
	}
	os.Exit(m.Run())
}

// sharedAccount spares each test the generation of a key.
var sharedAccount = sync.OnceValues(func() (*voximplanttest.ServiceAccount, error) {
	return voximplanttest.NewServiceAccount(e2etest.AccountID)
})

const itemValue = `{"courier":"+15550100"}`

// patience is more than any machine takes for an answer.
const patience = 5 * time.Minute

// itemsEnd is one for all worlds: their answers are compared, and the ETag of an item tells its end.
var itemsEnd = time.Now().Add(24 * time.Hour).Truncate(time.Second)

// newWorld has the items that events/ asks for.
func newWorld(t *testing.T) *e2etest.World {
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
	for _, key := range []string{"order:1001", "a+b", "a#b", "a;b", "ключЁё", ".", "secret:token"} {
		world.Voximplant.Put(key, itemValue, itemsEnd)
	}
	return world
}

// longAbsences lets every 404 be kept for long, so that none becomes no-store because the machine was slow.
const longAbsences = "NOT_FOUND_MAX_AGE=1h"

// A sandbox is a running function and the world around it.
type sandbox struct {
	*e2etest.World
	*runtimetest.Process
}

// newSandbox starts the function in this executable.
func newSandbox(t *testing.T, settings ...string) *sandbox {
	t.Helper()
	return startSandbox(t, executable(t), settings...)
}

// startSandbox starts bootstrap. When the test ends it looks for secrets, keys and values in all that the function wrote.
func startSandbox(t *testing.T, bootstrap string, settings ...string) *sandbox {
	t.Helper()
	s := &sandbox{World: newWorld(t)}
	var err error
	if s.Process, err = s.Start(t.Context(), bootstrap, settings...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		s.Leaks.Check(t, "the output", s.Output())
		for _, word := range []string{"+15550100", "order:1001", "DATA RACE"} {
			if strings.Contains(s.Output(), word) {
				t.Errorf("the output holds %s: %s", word, s.Output())
			}
		}
		if err := s.Violations(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func executable(t *testing.T) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *sandbox) invoke(t *testing.T, payload string) runtimetest.Result {
	t.Helper()
	result, err := s.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(payload), Deadline: time.Now().Add(patience)})
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Output())
	}
	s.Leaks.Check(t, "an answer", string(result.Payload))
	return result
}

// An answer is the function's output to any gateway.
type answer struct {
	StatusCode        int
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
	for _, name := range []string{"X-Request-Id", "Expires", "X-Accel-Expires"} {
		header.Del(name)
	}
	return header
}

// get asks for path through an HTTP API.
func (s *sandbox) get(t *testing.T, path string) (a answer) {
	t.Helper()
	g := gatewaytest.Gateway{Kind: gatewaytest.HTTPAPI, Invoke: func(_ context.Context, payload []byte) ([]byte, error) {
		a = s.http(t, string(payload))
		return []byte(`{"statusCode":200}`), nil
	}}
	g.Do(t.Context(), "GET", path)
	return a
}

func (s *sandbox) http(t *testing.T, payload string) (a answer) {
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

// events returns the sample events by the names of their files.
func events(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "events", "*.json"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d sample events, %v", len(files), err)
	}
	all := map[string]string{}
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = string(payload)
	}
	return all
}

// situations are the endings of the file names in events/, with the status of the answer.
var situations = map[string]int{
	"item": 200, "item-plus": 200, "item-hash": 200, "item-semicolon": 200, "item-cyrillic": 200, "query": 200,
	"head": 200, "conditional": 304, "not-found": 404, "out-of-scope": 404, "bad-key": 400,
	"method-not-allowed": 405, "preflight": 204, "health": 200, "health-check": 200, "unknown-path": 404,
}

// TestEvents sends every sample event to the function: the answer depends on the situation and not on the sender.
// It is E5-15 of docs/http-statements.md.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "BASE_PATH=kv", "LOCAL_MAX_AGE=0s", longAbsences) // each answer is as fresh as the others
	first := map[string]answer{}                                         // by situation
	for name, payload := range events(t) {
		situation, status := situationOf(name)
		if status == 0 {
			continue // no HTTP event; the gateway's tests see to it that there are no others
		}
		got := s.http(t, payload)
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

// situationOf returns the longest situation that name ends with.
func situationOf(name string) (situation string, status int) {
	if strings.HasPrefix(name, "direct-") {
		return "", 0
	}
	for ending := range situations {
		if strings.HasSuffix(name, "-"+ending) && len(ending) > len(situation) {
			situation = ending
		}
	}
	return situation, situations[situation]
}

// same reports whether two answers differ in nothing but request id and time.
func same(a, b answer) bool {
	return a.StatusCode == b.StatusCode && withoutAge(a) == withoutAge(b) && withoutID(a.Body) == withoutID(b.Body)
}

var (
	ages = regexp.MustCompile("(max-age|s-maxage)=[1-9][0-9]*")
	ids  = regexp.MustCompile(`"request_id":"[^"]*"`)
)

// withoutAge is a's header without what depends on how long the answer took.
// lookup.TestAbsenceAgesAlike tests that the age is the same.
func withoutAge(a answer) string { return ages.ReplaceAllString(fmt.Sprint(a.header()), "$1") }

func withoutID(body string) string { return ids.ReplaceAllString(body, "") }

// TestAbsenceLooksTheSame is E5-14: a missing item, an expired one and one out of scope get the same answer, and the API is
// never asked for a key out of scope.
// It is B3-4 of docs/http-statements.md.
func TestAbsenceLooksTheSame(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, longAbsences)
	s.Voximplant.Put("order:expired", itemValue, time.Now().Add(-time.Second))
	missing := s.get(t, "/v1/items/order:missing")
	for path, calls := range map[string]int{"/v1/items/secret:token": 0, "/v1/items/order:expired": 1} {
		before := s.Voximplant.Calls("GetKeyValueItem")
		if got := s.get(t, path); got.StatusCode != 404 || !same(got, missing) {
			t.Errorf("%s: %d %v %s; missing: %d %v %s", path, got.StatusCode, got.header(), got.Body, missing.StatusCode, missing.header(), missing.Body)
		}
		if n := s.Voximplant.Calls("GetKeyValueItem") - before; n != calls {
			t.Errorf("%s made %d calls; want %d", path, n, calls)
		}
	}
}

// TestOperations: a read after a write gets what was written, whatever copies there were, and nothing outside the allow-list
// is shown or changed.
func TestOperations(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "ALLOW_WRITES=true")
	end := time.Now().Add(time.Hour).Unix()
	item := fmt.Sprintf(`{"key":"order:1001","value":"on its way","expires_at":%d`, end)
	for _, step := range []struct{ payload, want string }{
		{`{"key":"order:1001"}`, `"value":"{\"courier\"`},
		{strings.TrimSuffix(strings.Replace(item, `{`, `{"operation":"set",`, 1), "}") + "}", item + "}"},
		{`{"key":"order:1001"}`, item + `,"max_age":`},
		{`{"operation":"list","prefix":"order:"}`, `{"items":[` + item + `}],"next_offset":null}`},
		{`{"operation":"delete","key":"order:1001"}`, "null"},
		{`{"key":"order:1001"}`, "null"},
		{`{"operation":"keys","prefix":"secret:"}`, "InvalidRequest"},
		{`{"operation":"set","key":"secret:token","value":"v","ttl":60}`, "outside ALLOWED_KEYS"},
	} {
		if got := string(s.invoke(t, step.payload).Payload); !strings.Contains(got, step.want) || strings.Contains(got, "courier") != strings.Contains(step.want, "courier") {
			t.Errorf("%s: %s; want %s", step.payload, got, step.want)
		}
	}
	if len(s.Voximplant.Items()) != 6 {
		t.Errorf("the storage holds %v", s.Voximplant.Items())
	}
}

// TestInit: Init reads the secret and makes no call to the API. The first request makes one, the next ones make none, and by default
// writes are off.
func TestInit(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "CACHE_MAX_AGE=1h", "LOCAL_MAX_AGE=1h")
	initReads := s.Secrets.Calls()
	for range 5 {
		s.get(t, "/v1/items/order:1001")
	}
	slow := strings.Contains(s.Output(), "no token yet") // Init is bounded, and the machine was too slow for it
	calls, reads := s.Voximplant.Calls("GetKeyValueItem"), s.Secrets.Calls()
	if calls != 1 || !slow && (initReads != 1 || reads != 1) {
		t.Errorf("Init read the secret %d times, and with 5 requests for one item %d times, which made %d calls; want each once", initReads, reads, calls)
	}
	if stages := slices.Compact(s.Secrets.Stages()); !slices.Equal(stages, []string{"AWSCURRENT"}) {
		t.Errorf("the secret was read in the stages %q; want AWSCURRENT alone", stages)
	}
	got := s.invoke(t, `{"operation":"set","key":"order:1001","value":"v","ttl":60}`).FunctionError
	if got == nil || got.Type != "InvalidRequest" || !strings.Contains(got.Message, "Writes are off; ALLOW_WRITES=true") {
		t.Errorf("a write by default: %v; want InvalidRequest", got)
	}
}

// TestWrongSettings: all invalid settings are reported together, and the function does not start.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	p, err := runtimetest.Start(t.Context(), executable(t), []string{
		"VOXIMPLANT_SECRET_ID=" + `{"private_key":"-----BEGIN PRIVATE KEY-----"}`, "CACHE_MAX_AGE=a while", "CORS_ORIGINS=null",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Wait(ctx); err == nil || err.Error() != "exit status 1" {
		t.Errorf("Wait: %v; want exit status 1", err)
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
