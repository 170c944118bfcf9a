package direct_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/allowlist"
	"voxkv/auth"
	"voxkv/direct"
	"voxkv/internal/lookuptest"
	"voxkv/internal/requestlogtest"
	"voxkv/internal/voximplanttest"
	"voxkv/lookup"
	"voxkv/voximplant"
)

var account = sync.OnceValue(func() *voximplanttest.ServiceAccount {
	account, err := voximplanttest.NewServiceAccount(1234567)
	if err != nil {
		panic(err)
	}
	return account
})

func tokens() *auth.TokenSource {
	return &auth.TokenSource{Key: func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey(account().Credentials())
	}}
}

// newAPI starts an in-memory API.
func newAPI(t *testing.T) (*voximplanttest.Server, *voximplant.Client) {
	t.Helper()
	api := &voximplanttest.Server{AccountID: 1234567, ApplicationID: 42}
	api.AddKey(account().KeyID, &account().PrivateKey.PublicKey)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return api, &voximplant.Client{
		Tokens: tokens(), ApplicationID: 42, BaseURL: server.URL + "/platform_api", Transport: server.Client().Transport,
	}
}

// A site is a handler of direct invocations, and its log.
type site struct {
	*direct.Handler
	log    *requestlogtest.Lines
	api    *voximplanttest.Server // nil for one without operations
	forgot []string               // the keys written
}

func newSite(find lookup.Func) *site {
	log, lines := requestlogtest.New()
	return &site{Handler: &direct.Handler{Lookup: find, MaxAge: time.Minute, Log: log}, log: lines}
}

// newItemsSite is a site of the keys that rules allow, which may be written. Its timeouts are so long that no test reaches them.
func newItemsSite(t *testing.T, rules string) *site {
	t.Helper()
	api, client := newAPI(t)
	scope, err := allowlist.Parse(rules)
	if err != nil {
		t.Fatal(err)
	}
	found, err := lookup.New(lookup.Config{
		Scope: scope, Fetch: client.GetKeyValueItem, LocalMaxAge: time.Hour, NotFoundMaxAge: time.Hour, MaxItems: 10, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(found.Item)
	s.api = api
	forget := func(key string) {
		s.forgot = append(s.forgot, key)
		found.Forget(key)
	}
	s.Items = &direct.Items{Client: client, Scope: scope, Forget: forget, Writable: true, Timeout: time.Minute}
	return s
}

// answers has the API answer every call so.
func (s *site) answers(status int, body string) {
	s.api.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "3600") // no second try within the deadline
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return true
	})
}

// check makes a direct invocation and compares its answer.
func (s *site) check(t *testing.T, payload, want string) {
	t.Helper()
	got, err := s.Invoke(t.Context(), []byte(payload))
	if err != nil || string(got) != want {
		t.Errorf("Invoke(%s) = %s, %v; want %s", payload, got, err, want)
	}
	if log := s.log.String(); strings.Contains(log, lookuptest.Value) || strings.Contains(log, "order:") {
		t.Errorf("Invoke(%s): the log holds a key or value: %s", payload, log)
	}
}

// checkRefused makes a direct invocation that must fail as errorType, with text in the message.
func (s *site) checkRefused(t *testing.T, payload, errorType, text string) {
	t.Helper()
	got, err := s.Invoke(t.Context(), []byte(payload))
	if got != nil || err == nil {
		t.Errorf("Invoke(%.200s) = %s, %v; want an error alone", payload, got, err)
		return
	}
	checkError(t, err, errorType)
	if !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "order:") {
		t.Errorf("Invoke(%.200s): %v; want %q in it, and nothing of the payload", payload, err, text)
	}
}

// checkError checks the errorType of the function error.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	failed, ok := errors.AsType[*direct.Error](err)
	if !ok || failed.ErrorType() != want {
		t.Errorf("error = %v; want errorType %s", err, want)
	} else if strings.Contains(err.Error(), "+1555") {
		t.Errorf("the function error tells the cause: %v", err)
	}
}

var methods = []string{"SetKeyValueItem", "DelKeyValueItem", "GetKeyValueItem", "GetKeyValueItems", "GetKeyValueKeys"}

// checkCalls compares how often the API was called, by all methods.
func (s *site) checkCalls(t *testing.T, want int) {
	t.Helper()
	n := 0
	for _, method := range methods {
		n += s.api.Calls(method)
	}
	if n != want {
		t.Errorf("the API was called %d times; want %d", n, want)
	}
}

// A page is the answer to a list.
type page struct {
	Items      []itemBody
	NextOffset *int `json:"next_offset"`
}

func (p page) keys() (keys []string) {
	for _, item := range p.Items {
		keys = append(keys, item.Key)
	}
	return keys
}

// list asks for one page, with members such as "prefix":"order:". Each item that the API has holds v.
func (s *site) list(t *testing.T, operation, members string) page {
	t.Helper()
	got, err := s.Invoke(t.Context(), fmt.Appendf(nil, `{"operation":%q,%s}`, operation, members))
	if err != nil {
		t.Fatalf("%s of %s: %v", operation, members, err)
	}
	p := decode[page](t, got)
	for _, item := range p.Items {
		if (item.Value == "v") != (operation == "list") {
			t.Errorf("%s of %s has %+v; want the value in a list alone", operation, members, item)
		}
	}
	return p
}

type itemBody struct {
	Key, Value string
	ExpiresAt  *int64 `json:"expires_at"`
	MaxAge     *int64 `json:"max_age"`
}

// decode reads the JSON of an answer strictly.
func decode[Body any](t *testing.T, text []byte) (body Body) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		t.Fatalf("%s is not what is expected: %v", text, err)
	}
	return body
}
