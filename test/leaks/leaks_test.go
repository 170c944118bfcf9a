// Package leaks makes the function say everything it can say, and looks for
// secrets in all of it.
package leaks_test

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/gatewaytest"
	"voxkv/internal/runtimetest"
	"voxkv/internal/voximplanttest"
)

var (
	// bootstrap is the real binary.
	bootstrap string

	// accounts are the one whose key the secret holds, and one to come.
	accounts [2]*voximplanttest.ServiceAccount
)

// What follows nobody may see but the callers that ask for the item.
var (
	value     = "courier " + rand.Text()
	secretKey = "AWS " + rand.Text() + rand.Text()
	session   = "session " + rand.Text() + rand.Text()
	itemKey   = "order:leak-" + rand.Text()
)

func TestMain(m *testing.M) {
	// The tests mostly wait. Given on the command line, -parallel wins.
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "voxkv-leaks-")
	if err == nil {
		defer os.RemoveAll(dir)
		bootstrap, err = e2etest.Build(context.Background(), dir, "voxkv/cmd/lambda")
	}
	for i := range accounts {
		if err == nil {
			accounts[i], err = voximplanttest.NewServiceAccount(e2etest.AccountID)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// A listener hears everything that the function says to anyone.
type listener struct {
	mu     sync.Mutex
	texts  []text
	tokens map[string]bool // that were sent, guarded by mu
	seen   map[string]bool // statuses and error types, guarded by mu
}

// A text is something that was said. To some the value may be told.
type text struct {
	where, text string
	told        bool
}

func (l *listener) hear(where, said string, told bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts = append(l.texts, text{where, said, told})
}

func (l *listener) see(what any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[fmt.Sprint(what)] = true
}

// overhear notes the token of a call of the API and returns it.
func (l *listener) overhear(r *http.Request) string {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	l.mu.Lock()
	defer l.mu.Unlock()
	if token != "" {
		l.tokens[token] = true
	}
	return token
}

// finders know all secrets, and all but the value.
func (l *listener) finders() (all, others *e2etest.LeakFinder) {
	all, others = new(e2etest.LeakFinder), new(e2etest.LeakFinder)
	for _, f := range []*e2etest.LeakFinder{all, others} {
		for _, account := range accounts {
			f.AddAccount(account)
		}
		for token := range l.tokens {
			f.AddToken(token)
		}
		f.Add("the secret access key", secretKey)
		f.Add("the session token", session)
	}
	all.Add("the value", value)
	return all, others
}

// check looks for secrets in all that was heard.
func (l *listener) check(t *testing.T) {
	t.Helper()
	all, others := l.finders()
	for _, said := range l.texts {
		finder := all
		if said.told {
			finder = others
		}
		if found := finder.Find(said.text); len(found) > 0 {
			t.Errorf("%s holds %q: %.3000s", said.where, found, said.text)
		}
	}
	l.checkHearing(t, all)
}

// checkHearing plants each secret in what was heard: a check that finds none
// would be passed by everything.
func (l *listener) checkHearing(t *testing.T, finder *e2etest.LeakFinder) {
	t.Helper()
	if len(l.texts) == 0 || len(l.tokens) == 0 {
		t.Fatalf("%d texts and %d tokens were heard", len(l.texts), len(l.tokens))
	}
	plants := []string{string(accounts[0].Credentials()), string(accounts[1].Credentials()), value, secretKey, session, fmt.Sprint(e2etest.AccountID)}
	for token := range l.tokens {
		plants = append(plants, strings.Split(token, ".")...)
	}
	for _, plant := range plants {
		if said := l.texts[0].text; len(finder.Find(said+plant+said)) == 0 {
			t.Errorf("a planted secret of %d bytes was not found", len(plant))
		}
	}
}

// A subject is the function that is made to talk.
type subject struct {
	*listener
	t       *testing.T
	process *runtimetest.Process
	name    string
}

// start starts the function in w, which it may fail to do.
func (l *listener) start(t *testing.T, w *e2etest.World, settings ...string) *subject {
	t.Helper()
	p, err := runtimetest.Start(t.Context(), bootstrap, w.Environment(append([]string{
		"AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_SESSION_TOKEN=" + session,
		"ALLOWED_KEYS=order:*", "UPSTREAM_TIMEOUT=400ms", "LOCAL_MAX_AGE=0s", "LOG_LEVEL=debug",
		"METRICS=true", "RAW_VALUES=true", "ALLOW_WRITES=true",
	}, settings...)...))
	if err != nil {
		t.Fatal(err)
	}
	s := &subject{l, t, p, t.Name()}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := p.Ready(ctx); err != nil {
		l.see("start failure")
		l.hear(s.name+": the error of Init", err.Error(), false)
	}
	return s
}

// stop ends the function and hears what it wrote.
func (s *subject) stop() {
	s.process.Stop()
	s.hear(s.name+": the output", s.process.Output(), false)
	if strings.Contains(s.process.Output(), itemKey) {
		s.t.Errorf("%s: the output holds a key: %s", s.name, s.process.Output())
	}
}

// http sends a request through a gateway.
func (s *subject) http(method, target string, header ...string) {
	r, err := http.NewRequestWithContext(s.t.Context(), method, "https://api.example.com"+target, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:40000"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := &status{header: http.Header{}}
	var answer []byte
	gateway := gatewaytest.Gateway{Kind: gatewaytest.HTTPAPI, Invoke: func(_ context.Context, payload []byte) ([]byte, error) {
		answer = s.invoke(payload)
		return answer, nil
	}}
	gateway.ServeHTTP(w, r)
	s.see(w.code)
	s.hear(s.name+": the answer to "+method+" "+target, string(answer), w.code == http.StatusOK)
}

// A status keeps that of an answer.
type status struct {
	header http.Header
	code   int
}

func (s *status) Header() http.Header         { return s.header }
func (s *status) WriteHeader(code int)        { s.code = code }
func (s *status) Write(p []byte) (int, error) { return len(p), nil }

func (s *subject) invoke(payload []byte) []byte {
	result, err := s.process.Invoke(s.t.Context(), runtimetest.Invocation{Payload: payload, Deadline: time.Now().Add(5 * time.Minute)})
	if err != nil {
		s.t.Fatalf("%s: %s: %v", s.name, payload, err)
	}
	if result.FunctionError != nil {
		s.see(result.FunctionError.Type)
	}
	return result.Payload
}

// direct invokes the function directly. Its caller may see values.
func (s *subject) direct(payload string) {
	answer := s.invoke([]byte(payload))
	s.hear(s.name+": the answer to "+payload, string(answer), strings.Contains(string(answer), `"value":`))
}

// talk asks for everything that can be asked for.
func (s *subject) talk() {
	path := "/v1/items/" + itemKey
	s.http("GET", path)
	s.direct(`{"key":"` + itemKey + `"}`) // before a failing API is left alone
	s.http("HEAD", path)
	s.http("GET", path, "If-None-Match", "*", "Origin", "https://example.com")
	s.http("OPTIONS", path, "Origin", "https://example.com", "Access-Control-Request-Method", "GET")
	s.http("GET", "/v1/items?key="+itemKey)
	s.http("GET", "/v1/items?key="+itemKey+"&key=order:none&key=secret:token")
	s.http("GET", "/v1/values/"+itemKey)
	s.http("GET", "/v1/parsed/"+itemKey)
	s.http("GET", "/v1/items/order:none")
	s.http("GET", "/v1/items/secret:token")
	s.http("GET", "/v1/items/a%20b")
	s.http("POST", path)
	s.http("GET", "/v1/nothing")
	s.http("GET", "/v1/health")
	s.direct(`{"key":"order:none"}`)
	s.direct(`{"keys":["` + itemKey + `","order:none"]}`)
	s.direct(`{"operation":"set","key":"order:set","value":"` + value + `","ttl":60}`)
	s.direct(`{"operation":"set","key":"order:set","value":"` + value + `","ttl":-60}`)
	s.direct(`{"operation":"list","prefix":"order:"}`)
	s.direct(`{"operation":"keys","prefix":"order:"}`)
	s.direct(`{"operation":"delete","key":"order:set"}`)
	s.direct(`{"key":7,"private_key":"x"}`)
	s.direct(`{"Records":[]}`)
}

// TestNothingLeaks: no answer, header or output holds a private key, a token,
// an Authorization header, the account or, but for those who ask for it, a value.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	l := &listener{tokens: map[string]bool{}, seen: map[string]bool{}}
	t.Run("talk", func(t *testing.T) {
		l.faults(t)
		l.secrets(t)
		t.Run("rotation", l.rotation)
	})
	t.Run("settings", l.settings)
	t.Run("panics", l.panics)
	l.check(t)
	for _, what := range []string{"200", "204", "304", "400", "404", "405", "500", "502", "503", "504", "InvalidRequest",
		"UpstreamBusy", "UpstreamUnavailable", "UpstreamTimeout", "UpstreamFailure", "InternalError", "start failure"} {
		if !l.seen[what] {
			t.Errorf("the function was not made to say %s", what)
		}
	}
	t.Logf("%d texts, %d tokens", len(l.texts), len(l.tokens))
}

// newWorld has one item to see and one to hide.
func newWorld(t *testing.T) *e2etest.World {
	t.Helper()
	w, err := e2etest.NewFor(accounts[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	for _, key := range []string{itemKey, "secret:token"} {
		w.Voximplant.Put(key, value, time.Now().Add(time.Hour))
	}
	return w
}

// settings puts secrets where they do not belong. The function starts or does
// not; neither tells them.
func (l *listener) settings(t *testing.T) {
	document := string(accounts[0].Credentials())
	_, block, _ := strings.Cut(strings.TrimSuffix(document, `"}`), `"private_key":"`)
	misplaced := map[string]string{
		"the document":           document,
		"the document, indented": " " + strings.ReplaceAll(document, ",", ",\n  "),
		"the key":                strings.ReplaceAll(block, `\n`, "\n"),
		"the key on one line":    block,
		"the key's base64":       strings.Join(strings.Split(block, `\n`)[1:27], ""),
	}
	for token := range l.tokens {
		misplaced["a token"] = token
		misplaced["a token in a URL"] = "https://127.0.0.1:1/?token=" + token
		misplaced["a password in a URL"] = "https://user:" + token + "@127.0.0.1:1/"
		break
	}
	w := newWorld(t)
	t.Run("all", func(t *testing.T) {
		for _, variable := range variables {
			for what, secret := range misplaced {
				t.Run(variable+" holds "+what, func(t *testing.T) {
					t.Parallel()
					settings := []string{"VOXIMPLANT_API_URL=https://api.voximplant.invalid", "HTTPS_PROXY=http://127.0.0.1:1", variable + "=" + secret}
					if variable == "VOXIMPLANT_APPLICATION_NAME" {
						settings = append(settings, "VOXIMPLANT_APPLICATION_ID=")
					}
					s := l.start(t, w, settings...)
					defer s.stop()
				})
			}
		}
	})
}

// variables are all that the function reads and that may be mixed up.
var variables = []string{
	"VOXIMPLANT_SECRET_ID", "VOXIMPLANT_APPLICATION_ID", "VOXIMPLANT_APPLICATION_NAME", "VOXIMPLANT_API_URL", "ALLOWED_KEYS", "BASE_PATH",
	"CACHE_MAX_AGE", "CACHE_SCOPE", "NOT_FOUND_MAX_AGE", "LOCAL_MAX_AGE", "STALE_MAX_AGE", "LOCAL_MAX_ITEMS", "UPSTREAM_TIMEOUT", "MAX_KEYS",
	"CORS_ORIGINS", "CORS_HEADERS", "LOG_LEVEL", "LOG_KEYS", "AWS_LAMBDA_LOG_LEVEL", "METRICS", "RAW_VALUES", "ALLOW_WRITES", "NOT_FOUND_CODES",
	"AWS_REGION", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_USE_FIPS_ENDPOINT",
}
