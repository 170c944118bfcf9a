// Package voximplanttest is an in-memory Voximplant Management API that holds the
// key-value storage of one application. Unlike a canned answer it verifies what it
// receives: tokens are checked as strictly as the documentation allows, parameters are
// held to the documented limits, and errors carry the codes of the real API.
//
// Where the documentation is silent, the choice made here is a guess and says so.
package voximplanttest

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	root = "/platform_api"

	// maxBody is far above what a key and a value at their limits can take.
	maxBody = 1 << 20
)

// A Server is an [http.Handler] that answers the five key-value methods under
// /platform_api for one account and one application. AccountID and ApplicationID are
// required, and at least one key must be added before a call can succeed.
//
// The exported fields must not change once the server is in use. The methods may be
// called at any time by any number of goroutines.
type Server struct {
	// AccountID is the issuer of every accepted token.
	AccountID int64

	// ApplicationID is the only application the account has.
	ApplicationID int64

	// ApplicationName may be sent instead of the id. If empty, every name is refused.
	ApplicationName string

	// NotFound is the JSON body that answers GetKeyValueItem for an absent or expired
	// item. If empty, it is {"result":{}}, which is a guess: no document says what the
	// real API answers. The guess leans on the official Node client, which fails to
	// decode a null result but not an empty object.
	NotFound string

	// Lists reports whether the list for pattern, which is not empty, has key. The
	// documents can mean ByNamespace, which the newest show, ByNamespacePrefix or
	// ByPrefix. If nil, ByNamespace is used.
	Lists func(pattern, key string) bool

	// AnswersBefore makes SetKeyValueItem answer with the item that was stored before,
	// even if that has expired. If there was none, or AnswersBefore is false, it answers
	// with the new item. An older document says the one, a newer document the other.
	AnswersBefore bool

	// Now reports the current time, by which items and tokens expire and which the
	// Date header shows. It is called from many goroutines. If nil, time.Now is used.
	Now func() time.Time

	mu        sync.Mutex // guards everything below
	keys      map[string]*rsa.PublicKey
	items     map[string]Item
	calls     map[string]int
	intercept func(w http.ResponseWriter, r *http.Request) bool
}

// Calls returns how many requests named method, whatever came of them.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Intercept makes f see every request before the server does anything but count it.
// If f returns true, it has answered; otherwise the server goes on. The parameters of
// the request are in r.Form, whichever way they came; its body is spent. A nil f ends
// the interception.
func (s *Server) Intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// ServeHTTP answers one call of the Management API. The method stands in the path or,
// when that is only /platform_api, in the cmd parameter. Parameters are taken from the
// query and from an urlencoded or multipart body alike. A refused call is answered with
// status 200 and an error object, as users report of the real API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Now != nil {
		w.Header().Set("Date", s.Now().UTC().Format(http.TimeFormat))
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	parseErr := parseForm(r)
	method, ok := methodName(r)
	if intercept := s.count(method); intercept != nil && intercept(w, r) {
		return
	}
	switch {
	case !ok:
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case parseErr != nil:
		writeJSON(w, failure(newError(101, "Invalid arguments")))
	default:
		writeJSON(w, s.answer(r.Header.Get("Authorization"), method, r.Form))
	}
}

// count counts a request for method. It returns the interceptor instead of calling it,
// so that the interceptor runs without the lock and may block.
func (s *Server) count(method string) func(http.ResponseWriter, *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = make(map[string]int)
	}
	s.calls[method]++
	return s.intercept
}

// answer returns the body that answers a call. It is a guess that the API checks the
// token before the method.
func (s *Server) answer(authorization, method string, form url.Values) any {
	if apiErr := s.authorize(authorization); apiErr != nil {
		return failure(apiErr)
	}
	body, apiErr := s.call(method, form)
	if apiErr != nil {
		return failure(apiErr)
	}
	return body
}

func (s *Server) call(method string, form url.Values) (any, *apiError) {
	var f func(url.Values) (any, *apiError)
	switch method {
	case "SetKeyValueItem":
		f = s.setKeyValueItem
	case "GetKeyValueItem":
		f = s.getKeyValueItem
	case "GetKeyValueItems":
		f = s.getKeyValueItems
	case "GetKeyValueKeys":
		f = s.getKeyValueKeys
	case "DelKeyValueItem":
		f = s.delKeyValueItem
	case "":
		return nil, newError(102, "Missing 'cmd' parameter")
	default:
		return nil, newError(103, "Unknown command")
	}
	if apiErr := s.checkApplication(form); apiErr != nil {
		return nil, apiErr
	}
	return f(form)
}

// checkApplication returns an error if form does not name the application. It is a guess
// that the name without the id is enough, and that both together are an error.
func (s *Server) checkApplication(form url.Values) *apiError {
	id, name := form.Get("application_id"), form.Get("application_name")
	switch {
	case id == "" && name == "":
		return missing("application_id")
	case id != "" && name != "":
		return newError(458, "Specify only one of the following parameters: application_id, application_name")
	case id != "" && id != fmt.Sprint(s.ApplicationID):
		return newError(116, "The 'application_id' parameter is invalid")
	case name != "" && name != s.ApplicationName:
		return newError(107, "Invalid application name")
	}
	return nil
}

func (s *Server) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// parseForm fills r.Form. It calls ParseForm first, because ParseMultipartForm loses the
// error of a malformed query or urlencoded body.
func parseForm(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	err := r.ParseMultipartForm(maxBody)
	if errors.Is(err, http.ErrNotMultipart) {
		return nil
	}
	return err
}

// methodName reports whether r is a call of the API at all, and of which method.
func methodName(r *http.Request) (string, bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, root)
	name, slash := strings.CutPrefix(rest, "/")
	switch {
	case !ok || rest != "" && !slash:
		return "", false
	case name == "":
		return r.Form.Get("cmd"), true
	}
	return name, true
}

func writeJSON(w http.ResponseWriter, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // a caller that has gone away is no concern of the server
}
