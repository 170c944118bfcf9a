package voximplanttest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"voxkv/internal/voximplanttest"
)

const (
	accountID     = 1234567
	applicationID = 42
	start         = 1_800_000_000 // the Unix second at which every test begins
)

// sharedAccount spares each test the generation of a key.
var sharedAccount = sync.OnceValues(func() (*voximplanttest.ServiceAccount, error) {
	return voximplanttest.NewServiceAccount(accountID)
})

func serviceAccount(t *testing.T) *voximplanttest.ServiceAccount {
	t.Helper()
	account, err := sharedAccount()
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// newServer returns a server that stands at start and knows the shared account.
func newServer(t *testing.T) *voximplanttest.Server {
	t.Helper()
	account := serviceAccount(t)
	s := &voximplanttest.Server{
		AccountID:       accountID,
		ApplicationID:   applicationID,
		ApplicationName: "app.example",
		Now:             func() time.Time { return time.Unix(start, 0) },
	}
	s.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	return s
}

// bearer returns the Authorization header of a good token, after edit has spoiled it.
func bearer(t *testing.T, edit func(token *jwt.Token, claims jwt.MapClaims)) string {
	t.Helper()
	return signedAfter(t, edit, jwt.SigningMethodRS256, serviceAccount(t).PrivateKey)
}

// signed returns a token that is good but for its method and key.
func signed(t *testing.T, method jwt.SigningMethod, key any) string {
	t.Helper()
	return signedAfter(t, nil, method, key)
}

func signedAfter(t *testing.T, edit func(*jwt.Token, jwt.MapClaims), method jwt.SigningMethod, key any) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": accountID, "iat": start - 10, "exp": start + 900}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = serviceAccount(t).KeyID
	if edit != nil {
		edit(token, claims)
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + text
}

// An answer is what the API may send back; Result is kept as it came.
type answer struct {
	Result json.RawMessage `json:"result"`
	Error  apiError        `json:"error"`
	Errors []apiError      `json:"errors"`
}

type apiError struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
}

// serve decodes the answer to r.
func serve(t *testing.T, s *voximplanttest.Server, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s: status %d; want 200", r.Method, r.URL, w.Code)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q; want application/json", got)
	}
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	return a
}

// send serves r with a good token.
func send(t *testing.T, s *voximplanttest.Server, r *http.Request) answer {
	t.Helper()
	r.Header.Set("Authorization", bearer(t, nil))
	return serve(t, s, r)
}

// call sends method with an urlencoded body that names the application.
func call(t *testing.T, s *voximplanttest.Server, method, form string) answer {
	t.Helper()
	return send(t, s, post(t, "/platform_api/"+method, "application_id=42&"+form))
}

func post(t *testing.T, target, form string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// checkCode compares the code of a refusal; 0 stands for none.
func checkCode(t *testing.T, a answer, want int) {
	t.Helper()
	if a.Error.Code != want {
		t.Fatalf("error = %+v, result = %s; want code %d", a.Error, a.Result, want)
	}
	if want == 0 {
		return
	}
	if a.Error.Msg == "" || a.Result != nil {
		t.Errorf("error = %+v, result = %s; want a message and no result", a.Error, a.Result)
	}
	if len(a.Errors) != 1 || a.Errors[0] != a.Error {
		t.Errorf("errors = %+v; want only %+v", a.Errors, a.Error)
	}
}

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}
