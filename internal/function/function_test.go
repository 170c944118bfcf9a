package function_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/internal/function"
	"voxkv/internal/settings"
	"voxkv/internal/settingstest"
	"voxkv/internal/voximplanttest"
)

const accountID = 1234567

// sharedAccount spares each test the generation of a key.
var sharedAccount = sync.OnceValues(func() (*voximplanttest.ServiceAccount, error) {
	return voximplanttest.NewServiceAccount(accountID)
})

// An api is the Management API on loopback, and how often it was connected to.
type api struct {
	voximplanttest.Server
	URL         string
	connections atomic.Int32
	requests    atomic.Int32
	key         func(context.Context) (*auth.ServiceAccountKey, error)
}

func newAPI(t *testing.T) *api {
	t.Helper()
	account, err := sharedAccount()
	if err != nil {
		t.Fatal(err)
	}
	a := &api{Server: voximplanttest.Server{AccountID: accountID, ApplicationID: 42, ApplicationName: "app.example"}}
	a.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	a.key = func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey(account.Credentials())
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		a.ServeHTTP(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			a.connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	a.URL = server.URL + "/platform_api"
	return a
}

// newFunction builds a Function from an environment, whose log lines go to log.
func newFunction(t *testing.T, e map[string]string, key func(context.Context) (*auth.ServiceAccountKey, error), log io.Writer) *function.Function {
	t.Helper()
	s := settingstest.Read(t, e)
	f, err := function.New(s, key, "test", function.NewLog(log, s))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// get serves GET /v1/items/{key}.
func get(t *testing.T, f *function.Function, key string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/items/"+key, nil))
	return w.Result()
}

// lines returns the members of each log line.
func lines(t *testing.T, log *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(log.String()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		all = append(all, members)
	}
	return all
}

func messages(lines []map[string]any) []string {
	var all []string
	for _, members := range lines {
		all = append(all, members["level"].(string)+" "+members["message"].(string))
	}
	slices.Sort(all)
	return all
}

// TestFirstRequestAfterWarm counts what the first request still has to do.
func TestFirstRequestAfterWarm(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Put("greeting", "hello", time.Now().Add(time.Hour))
	var agent string
	a.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		agent = r.UserAgent()
		return false
	})
	var keys int
	var log bytes.Buffer
	f := newFunction(t, settingstest.Environ("VOXIMPLANT_API_URL", a.URL), func(ctx context.Context) (*auth.ServiceAccountKey, error) {
		keys++
		return a.key(ctx)
	}, &log)
	f.Warm(t.Context())
	if keys != 1 || a.requests.Load() != 0 || log.Len() != 0 {
		t.Fatalf("Warm: %d keys, %d requests, log %q; want a key, no request and no word", keys, a.requests.Load(), log.String())
	}
	res := get(t, f, "greeting")
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"value":"hello"`)) {
		t.Errorf("GET = %d %s; want 200 and hello", res.StatusCode, body)
	}
	if got := a.Calls("GetKeyValueItem"); got != 1 || a.requests.Load() != 1 {
		t.Errorf("the first request made %d calls of %d requests; want 1 call and nothing else", got, a.requests.Load())
	}
	if keys != 1 {
		t.Errorf("after the first request: %d keys read; want none more than Warm's", keys)
	}
	if agent != "voxkv/test" {
		t.Errorf("User-Agent = %q; want voxkv/test", agent)
	}
}

var positive = regexp.MustCompile("[1-9][0-9]*")

func TestSettingsReachTheHandler(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Put("greeting", "hello", time.Now().Add(time.Hour))
	tests := []struct {
		name    string
		changes []string
		key     string
		status  int
		control string // N stands for seconds
		seconds int    // at most, and more than half of it, however long the answer took
		allow   string
	}{
		{"defaults", nil, "greeting", 200, "public, max-age=N, s-maxage=N,", 60, "*"},
		{"application by name", []string{"VOXIMPLANT_APPLICATION_ID", "", "VOXIMPLANT_APPLICATION_NAME", "app.example"}, "greeting", 200, "public, max-age=N, s-maxage=N,", 60, "*"},
		{"another application", []string{"VOXIMPLANT_APPLICATION_ID", "43"}, "greeting", 500, "no-store", 0, "*"},
		{"private", []string{"CACHE_SCOPE", "private"}, "greeting", 200, "private, max-age=N,", 60, "*"},
		{"another age", []string{"CACHE_MAX_AGE", "7m"}, "greeting", 200, "public, max-age=N, s-maxage=N,", 420, "*"},
		{"no caching", []string{"CACHE_MAX_AGE", "0s"}, "greeting", 200, "no-store", 0, "*"},
		{"absent", []string{"NOT_FOUND_MAX_AGE", "9m"}, "status:none", 404, "public, max-age=0, s-maxage=N,", 540, "*"},
		{"out of scope", []string{"ALLOWED_KEYS", "status:*"}, "greeting", 404, "public, max-age=0, s-maxage=N,", 5, "*"},
		{"one origin", []string{"CORS_ORIGINS", "https://a.example"}, "greeting", 200, "public, max-age=N, s-maxage=N,", 60, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFunction(t, settingstest.Environ(append(tt.changes, "VOXIMPLANT_API_URL", a.URL)...), a.key, io.Discard)
			res := get(t, f, tt.key)
			control := res.Header.Get("Cache-Control")
			seconds, _ := strconv.Atoi(positive.FindString(control))
			if res.StatusCode != tt.status || !strings.HasPrefix(positive.ReplaceAllString(control, "N"), tt.control) ||
				seconds > tt.seconds || seconds*2 < tt.seconds {
				t.Errorf("GET = %d, Cache-Control %q; want %d, %q… of about %d s", res.StatusCode, control, tt.status, tt.control, tt.seconds)
			}
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != tt.allow {
				t.Errorf("Access-Control-Allow-Origin = %q; want %q", got, tt.allow)
			}
		})
	}
}

// TestSettingsReachTheLookup asks twice, for an item and for none, and a third
// time for the item with the API down.
func TestSettingsReachTheLookup(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		changes []string
		calls   int // of four requests
		down    int // status of the fifth
	}{
		{"defaults", nil, 2, 200},
		{"no local copies of either", []string{"LOCAL_MAX_AGE", "0s"}, 4, 200},
		{"no memory of absence", []string{"NOT_FOUND_MAX_AGE", "0s"}, 3, 200},
		{"nothing in place of the API", []string{"LOCAL_MAX_AGE", "0s", "STALE_MAX_AGE", "0s"}, 4, 503},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.Put("greeting", "hello", time.Now().Add(time.Hour))
			f := newFunction(t, settingstest.Environ(append(tt.changes, "VOXIMPLANT_API_URL", a.URL)...), a.key, io.Discard)
			for range 2 {
				get(t, f, "greeting")
				get(t, f, "status:none")
			}
			if got := a.Calls("GetKeyValueItem"); got != tt.calls {
				t.Errorf("%d calls of the API; want %d", got, tt.calls)
			}
			a.Intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
			if res := get(t, f, "greeting"); res.StatusCode != tt.down {
				t.Errorf("API down: GET = %d; want %d", res.StatusCode, tt.down)
			}
		})
	}
}

// TestWarmFails lets the first request do what Warm could not. The value of a panic is
// not told, because it may be a secret.
func TestWarmFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"no secret today":               func() error { return errors.New("no secret today") },
		"panic: a value of type string": func() error { panic("a private key") },
	} {
		t.Run(name, func(t *testing.T) { testWarmFails(t, fail, name) })
	}
}

func testWarmFails(t *testing.T, fail func() error, reason string) {
	t.Parallel()
	a := newAPI(t)
	a.Put("greeting", "hello", time.Now().Add(time.Hour))
	a.Intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	down := true
	var log bytes.Buffer
	f := newFunction(t, settingstest.Environ("VOXIMPLANT_API_URL", a.URL), func(ctx context.Context) (*auth.ServiceAccountKey, error) {
		if down {
			return nil, fail()
		}
		return a.key(ctx)
	}, &log)
	f.Warm(t.Context())
	if got, want := messages(lines(t, &log)), []string{"WARN no token yet"}; !slices.Equal(got, want) {
		t.Errorf("log = %q; want %q", got, want)
	}
	if !strings.Contains(log.String(), reason) || strings.Contains(log.String(), "private key") {
		t.Errorf("log = %s; want %q", log.String(), reason)
	}
	down = false
	a.Intercept(nil)
	if res := get(t, f, "greeting"); res.StatusCode != http.StatusOK {
		t.Errorf("GET = %d; want 200", res.StatusCode)
	}
}

func TestNewLog(t *testing.T) {
	t.Parallel()
	for level, want := range map[string][]string{
		"debug": {"DEBUG", "INFO", "WARN", "ERROR"},
		"info":  {"INFO", "WARN", "ERROR"},
		"warn":  {"WARN", "ERROR"},
		"error": {"ERROR"},
	} {
		var out bytes.Buffer
		log := function.NewLog(&out, settingstest.Read(t, settingstest.Environ("LOG_LEVEL", level)))
		for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			log.Log(t.Context(), l, "text", "member", 1)
		}
		var got []string
		for _, members := range lines(t, &out) {
			got = append(got, members["level"].(string))
			if _, err := time.Parse(time.RFC3339Nano, members["timestamp"].(string)); err != nil {
				t.Errorf("timestamp: %v", err)
			}
			if len(members) != 4 || members["message"] != "text" || members["member"] != 1.0 {
				t.Errorf("line = %v; want timestamp, level, message and member", members)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("LOG_LEVEL=%s: lines of %v; want %v", level, got, want)
		}
	}
}

// TestNewLogOfWrongSettings is how cmd/lambda tells why it cannot start.
func TestNewLogOfWrongSettings(t *testing.T) {
	t.Parallel()
	s, err := settings.Read(nil)
	if err == nil {
		t.Fatal("settings.Read(nil) = _, nil; want an error")
	}
	var out bytes.Buffer
	function.NewLog(&out, s).Error("cannot start")
	if got := messages(lines(t, &out)); len(got) != 1 || got[0] != "ERROR cannot start" {
		t.Errorf("log = %q; want one line", got)
	}
}

func TestKeysInLogs(t *testing.T) {
	t.Parallel()
	const key = "status:+15550100"
	logged := func(f *function.Function, log *bytes.Buffer) string {
		t.Helper()
		log.Reset()
		get(t, f, key)
		all := lines(t, log)
		if len(all) != 1 {
			t.Fatalf("log = %q; want one line", log.String())
		}
		return all[0]["key"].(string)
	}
	build := func(plain string) (*function.Function, *bytes.Buffer) {
		a, log := newAPI(t), new(bytes.Buffer)
		return newFunction(t, settingstest.Environ("VOXIMPLANT_API_URL", a.URL, "LOG_KEYS", plain), a.key, log), log
	}
	f, log := build("false")
	hash := logged(f, log)
	if len(hash) != 16 || strings.Contains(log.String(), "15550100") {
		t.Errorf("log = %s; want a hash of 16 digits and no key", log.String())
	}
	if again := logged(f, log); again != hash {
		t.Errorf("hashes %s and %s of one key in one process; want the same", hash, again)
	}
	if other := f.Log.HashKey("status:1"); other == hash {
		t.Errorf("hash %s of two keys", hash)
	}
	if other, _ := build("false"); other.Log.HashKey(key) == hash {
		t.Errorf("hash %s in two processes; want a secret of each", hash)
	}
	if f, log := build("true"); logged(f, log) != key {
		t.Errorf("LOG_KEYS=true: log = %s; want the key", log.String())
	}
}
