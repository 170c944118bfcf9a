package examples

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"voxkv/test/tools"
)

const functionName = "voxkv"

// A lambdaAPI stands before the Invoke of cmd/local. It refuses what is not signed, counts, and does what only the real
// Lambda can.
type lambdaAPI struct {
	local   http.Handler
	busy    atomic.Int64 // so many invocations fail with UpstreamBusy first
	invoked atomic.Int64

	mu      sync.Mutex // guards payload
	payload string     // of the last invocation
}

func newLambdaAPI(t *testing.T, s tools.Storage) *lambdaAPI {
	t.Helper()
	root, err := url.Parse(startLocal(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return &lambdaAPI{local: httputil.NewSingleHostReverseProxy(root)}
}

// startLocal runs cmd/local before s until the test ends, and returns its root.
func startLocal(t *testing.T, s tools.Storage) (root string) {
	t.Helper()
	root, _ = runLocal(t, []string{"VOXIMPLANT_API_URL=" + s.URL + "/platform_api", "UPSTREAM_TIMEOUT=5s", "ALLOW_WRITES=true"},
		"-credentials", s.CredentialsFile(t), "-application-id", "1", "-allowed-keys", "*")
	return root
}

// runLocal returns the root of a cmd/local, and the command line that it prints to invoke it.
func runLocal(t *testing.T, environ []string, args ...string) (root, invoke string) {
	t.Helper()
	root, printed := tools.StartLocal(t, tools.BuildLocal(t), environ, args...)
	for line := range strings.Lines(printed) {
		if strings.Contains(line, "aws lambda invoke") {
			return root, strings.TrimSpace(line)
		}
	}
	t.Fatalf("cmd/local prints no command line to invoke it:\n%s", printed)
	return "", ""
}

// ServeHTTP knows functions that are named by what befalls them.
func (l *lambdaAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	l.invoked.Add(1)
	l.mu.Lock()
	l.payload = string(payload)
	l.mu.Unlock()
	_, name, _ := strings.Cut(r.URL.Path, "/functions/")
	switch name, _, _ = strings.Cut(name, "/"); {
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") || !strings.Contains(r.Header.Get("Authorization"), "/lambda/aws4_request"):
		refuse(w, http.StatusForbidden, "MissingAuthenticationTokenException")
	case name == "throttled":
		refuse(w, http.StatusTooManyRequests, "TooManyRequestsException")
	case name == "breaks":
		panic(http.ErrAbortHandler)
	case name == "hangs":
		<-r.Context().Done()
	case name == "killed":
		fail200(w, `{"errorMessage":"2026-11-23T15:33:58Z 8f5c3a52 Task timed out after 3.00 seconds"}`)
	case name == "another":
		io.WriteString(w, `{"statusCode":200,"body":"Hello"}`)
	case name == "empty":
	case l.busy.Add(-1) >= 0:
		fail200(w, `{"errorMessage":"The storage is busy.","errorType":"UpstreamBusy"}`)
	default:
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(payload))), int64(len(payload))
		l.local.ServeHTTP(w, r)
	}
}

// lastClaims is the member claims of the last payload, "" if there is none.
func (l *lambdaAPI) lastClaims(t *testing.T) string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var payload struct{ Claims json.RawMessage }
	if err := json.Unmarshal([]byte(l.payload), &payload); err != nil {
		t.Fatalf("the payload is %s: %v", l.payload, err)
	}
	return string(payload.Claims)
}

// fail200 answers with a function error.
func fail200(w http.ResponseWriter, body string) {
	w.Header().Set("X-Amz-Function-Error", "Unhandled")
	io.WriteString(w, body)
}

func refuse(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(status)
	io.WriteString(w, `{"Type":"User","message":"refused"}`)
}
