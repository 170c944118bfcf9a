package function

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/auth"
	"voxkv/internal/settingstest"
)

// TestSettingsReachTheHandler: the caller sees what is set, less the second that the way to the API began.
func TestSettingsReachTheHandler(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		changes []string
		key     string
		status  int
		control string // the beginning of Cache-Control
		allow   string
	}{
		{"defaults", nil, "greeting", 200, "public, max-age=59, s-maxage=59,", "*"},
		{"application by name", []string{"VOXIMPLANT_APPLICATION_ID", "", "VOXIMPLANT_APPLICATION_NAME", "app.example"}, "greeting", 200, "public, max-age=59, s-maxage=59,", "*"},
		{"another application", []string{"VOXIMPLANT_APPLICATION_ID", "43"}, "greeting", 500, "no-store", "*"},
		{"private", []string{"CACHE_SCOPE", "private"}, "greeting", 200, "private, max-age=59,", "*"},
		{"another age", []string{"CACHE_MAX_AGE", "7m"}, "greeting", 200, "public, max-age=419, s-maxage=419,", "*"},
		{"no caching", []string{"CACHE_MAX_AGE", "0s"}, "greeting", 200, "no-store", "*"},
		{"absent", []string{"NOT_FOUND_MAX_AGE", "9m"}, "status:none", 404, "public, max-age=0, s-maxage=539,", "*"},
		{"out of scope", []string{"ALLOWED_KEYS", "status:*"}, "greeting", 404, "public, max-age=0, s-maxage=4,", "*"},
		{"one origin", []string{"CORS_ORIGINS", "https://a.example"}, "greeting", 200, "public, max-age=59, s-maxage=59,", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nearby(), tt.changes...)
				answer := w.get(t, tt.key)
				if control := answer.Header().Get("Cache-Control"); answer.Code != tt.status || !strings.HasPrefix(control, tt.control) {
					t.Errorf("GET = %d, Cache-Control %q; want %d, %q…", answer.Code, control, tt.status, tt.control)
				}
				if got := answer.Header().Get("Access-Control-Allow-Origin"); got != tt.allow {
					t.Errorf("Access-Control-Allow-Origin = %q; want %q", got, tt.allow)
				}
			})
		})
	}
}

func TestMaxKeysReachesTheHandler(t *testing.T) {
	t.Parallel()
	f := newFunction(t, settingstest.Environ("MAX_KEYS", "1"), nil, io.Discard)
	answer := httptest.NewRecorder()
	f.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/items?key=a&key=b", nil))
	if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), "too_many_keys") {
		t.Errorf("GET of two keys = %d %s; want 400 too_many_keys", answer.Code, answer.Body)
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
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nearby(), tt.changes...)
				for range 2 {
					w.get(t, "greeting")
					w.get(t, "status:none")
				}
				if got := w.storage.Calls("GetKeyValueItem"); got != tt.calls {
					t.Errorf("%d calls of the API; want %d", got, tt.calls)
				}
				w.storage.Intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
				if answer := w.get(t, "greeting"); answer.Code != tt.down {
					t.Errorf("API down: GET = %d; want %d", answer.Code, tt.down)
				}
			})
		})
	}
}

// TestWarmFails lets the first request do what Warm could not. The value of a panic is
// not told, because it may be a secret.
func TestWarmFails(t *testing.T) {
	t.Parallel()
	for reason, fail := range map[string]func() error{
		"no secret today":               func() error { return errors.New("no secret today") },
		"panic: a value of type string": func() error { panic("a private key") },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nearby())
			tokens := w.client.Tokens.(*auth.TokenSource)
			read := tokens.Key
			tokens.Key = func(context.Context) (*auth.ServiceAccountKey, error) { return nil, fail() }
			w.Warm(t.Context())
			log := lines(t, w.output.String())
			if len(log) != 1 || log[0]["level"] != "WARN" || log[0]["message"] != "no token yet" || log[0]["error"] != reason {
				t.Errorf("log = %s; want one warning, with %q", &w.output, reason)
			}
			tokens.Key = read
			if answer := w.get(t, "greeting"); answer.Code != http.StatusOK {
				t.Errorf("GET = %d; want 200", answer.Code)
			}
		})
	}
}

// TestPreconnectPanics is the same for the connection.
func TestPreconnectPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nearby())
		network := w.client.Transport
		w.client.Transport = panicking{}
		w.Warm(t.Context())
		log := lines(t, w.output.String())
		if len(log) != 1 || log[0]["message"] != "no connection yet" || log[0]["error"] != "panic: a value of type string" {
			t.Errorf("log = %s; want one warning, without the value of the panic", &w.output)
		}
		w.client.Transport = network
		if answer := w.get(t, "greeting"); answer.Code != http.StatusOK {
			t.Errorf("GET = %d; want 200", answer.Code)
		}
	})
}

// panicking is a transport whose panics hold a secret.
type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("a token") }

// TestNewLog: lines have the names that Lambda's own have, from LOG_LEVEL on.
func TestNewLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := NewLog(&out, settingstest.Read(t, settingstest.Environ("LOG_LEVEL", "warn")))
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		log.Log(t.Context(), level, "text", "member", 1)
	}
	levels := ""
	for _, members := range lines(t, out.String()) {
		levels += members["level"].(string) + " "
		if _, err := time.Parse(time.RFC3339Nano, members["timestamp"].(string)); err != nil {
			t.Errorf("timestamp: %v", err)
		}
		if len(members) != 4 || members["message"] != "text" || members["member"] != 1.0 {
			t.Errorf("line = %v; want timestamp, level, message and member", members)
		}
	}
	if levels != "WARN ERROR " {
		t.Errorf("LOG_LEVEL=warn: lines of %s; want WARN and ERROR", levels)
	}
}
