package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"voxkv/allowlist"
	"voxkv/internal/settingstest"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{})
	tests := []struct {
		key    string // as in a path
		status int
		text   string
	}{
		{"order:1001", 200, `"key":"order:1001"`},
		{"feature:dark-mode", 200, `"value":"on"`},
		{"promo:%D0%B2%D0%B5%D1%81%D0%BD%D0%B0", 200, `"value":"-15%"`},
		{"a+b", 200, `"value":"plus"`},
		{"a%2Bb", 200, `"value":"plus"`},
		{"a%23b", 200, `"value":"hash"`},
		{"a;b", 200, `"value":"semicolon"`},
		{"%D0%BA%D0%BB%D1%8E%D1%87%D0%81%D1%91", 200, `"value":"Cyrillic"`},
		{"order:missing", 404, `"code":"not_found"`},
		{"secret:token", 404, `"code":"not_found"`},
		{"a%20b", 400, `"code":"invalid_key"`},
	}
	for _, tt := range tests {
		check(t, "GET", root+"/v1/items/"+tt.key, "", tt.status, tt.text)
	}
	check(t, "GET", root+"/v1/health", "", 200, "ok")
	check(t, "DELETE", root+"/v1/items/order:1001", "", 405, `"code":"method_not_allowed"`)
}

func TestEmbeddedNotModified(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{})
	res, _ := send(t, "GET", root+"/v1/items/feature:dark-mode", "")
	etag := res.Header.Get("ETag")
	if etag == "" {
		t.Fatalf("GET = %d without an ETag", res.StatusCode)
	}
	if res, body := send(t, "GET", root+"/v1/items/feature:dark-mode", "", "If-None-Match", etag); res.StatusCode != 304 || body != "" {
		t.Errorf("GET with If-None-Match = %d %q; want 304 and no body", res.StatusCode, body)
	}
}

func TestEmbeddedScope(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		environ       map[string]string
		args          []string
		order, secret int
	}{
		{"by flag", map[string]string{}, []string{"-allowed-keys", "secret:*"}, 404, 200},
		{"by environment", map[string]string{"ALLOWED_KEYS": "secret:*"}, nil, 404, 200},
		{"by flag first", map[string]string{"ALLOWED_KEYS": "order:*"}, []string{"-allowed-keys", "secret:*"}, 404, 200},
		{"despite the settings of a real account", map[string]string{
			"VOXIMPLANT_SECRET_ID": "x", "VOXIMPLANT_APPLICATION_ID": "99", "VOXIMPLANT_APPLICATION_NAME": "name", "VOXIMPLANT_API_URL": "https://api.test",
		}, nil, 200, 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root, _ := start(t, tt.environ, tt.args...)
			check(t, "GET", root+"/v1/items/order:1001", "", tt.order, "")
			check(t, "GET", root+"/v1/items/secret:token", "", tt.secret, "")
		})
	}
}

// TestStorage writes, reads and deletes. LOCAL_MAX_AGE=0s shows each change at once.
func TestStorage(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{"LOCAL_MAX_AGE": "0s"})
	tests := []struct {
		query string
		life  time.Duration
	}{
		{"?ttl=90s", 90 * time.Second},
		{"?ttl=2160h", 90 * 24 * time.Hour},
		{"?ttl=", 30 * 24 * time.Hour},
		{"", 30 * 24 * time.Hour},
	}
	for _, tt := range tests {
		before := time.Now()
		check(t, "PUT", root+"/storage/order:2000"+tt.query, "on its way"+tt.query, 204, "")
		after := time.Now()
		res, body := send(t, "GET", root+"/v1/items/order:2000", "")
		var item struct {
			Value     string `json:"value"`
			ExpiresAt int64  `json:"expires_at"`
		}
		if err := json.Unmarshal([]byte(body), &item); err != nil || res.StatusCode != 200 || item.Value != "on its way"+tt.query {
			t.Errorf("GET after PUT %s = %d %s; want what was put", tt.query, res.StatusCode, body)
		}
		if least, most := before.Add(tt.life).Unix(), after.Add(tt.life).Unix(); item.ExpiresAt < least || item.ExpiresAt > most {
			t.Errorf("GET after PUT %s: expires at %d; want %d to %d, %v after the PUT", tt.query, item.ExpiresAt, least, most, tt.life)
		}
	}
	check(t, "DELETE", root+"/storage/order:2000", "", 204, "")
	check(t, "GET", root+"/v1/items/order:2000", "", 404, "not_found")
	check(t, "DELETE", root+"/storage/order:2000", "", 204, "")

	check(t, "PUT", root+"/storage/order:2000?ttl=0s", "v", 204, "")
	check(t, "GET", root+"/v1/items/order:2000", "", 404, "not_found")
}

func TestStorageRefuses(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{"LOCAL_MAX_AGE": "0s"})
	const badTTL = "ttl must be a duration from 0s to 2160h, such as 90s"
	tests := []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"PUT", "order:1?ttl=90", "v", 400, badTTL},
		{"PUT", "order:1?ttl=-1s", "v", 400, badTTL},
		{"PUT", "order:1?ttl=2160h1s", "v", 400, badTTL},
		{"PUT", "order:1?ttl=soon", "v", 400, badTTL},
		{"PUT", "", "v", 400, "the key is empty"},
		{"PUT", "a%20b", "v", 400, "the key has a character outside"},
		{"PUT", "a/b", "v", 400, "the key has a character outside"},
		{"DELETE", "a%2Fb", "", 400, "the key has a character outside"},
		{"PUT", strings.Repeat("a", 201), "v", 400, "more than 200 characters"},
		{"PUT", "order:1", strings.Repeat("я", 2001), 413, "at most 2000 characters"},
		{"PUT", "order:1", strings.Repeat("v", 2001), 413, "at most 2000 characters"},
		{"GET", "order:1", "", 405, "only PUT and DELETE"},
		{"POST", "order:1", "v", 405, "only PUT and DELETE"},
	}
	for _, tt := range tests {
		check(t, tt.method, root+"/storage/"+tt.path, tt.body, tt.status, tt.text)
	}
	// Without a network: a client that still sends when it is refused may lose the answer.
	w := httptest.NewRecorder()
	new(embeddedAPI).serveStorage(w, httptest.NewRequestWithContext(t.Context(), "PUT", "/storage/order:1", endless{}))
	if w.Code != 413 {
		t.Errorf("PUT of a value without an end = %d %s; want 413", w.Code, w.Body)
	}
	check(t, "GET", root+"/v1/items/order:1", "", 404, "not_found")
	longest := strings.Repeat("\U0001f4de", 2000)
	check(t, "PUT", root+"/storage/order:1", longest, 204, "")
	check(t, "GET", root+"/v1/items/order:1", "", 200, longest)
	if res, _ := send(t, "GET", root+"/storage/order:1", ""); res.Header.Get("Allow") != "PUT, DELETE" {
		t.Errorf("Allow = %q; want PUT, DELETE", res.Header.Get("Allow"))
	}
}

// endless is a text without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "v"), nil }

// TestDemoItemsAreInScope has every demo item served but the one that shows the scope.
func TestDemoItemsAreInScope(t *testing.T) {
	t.Parallel()
	root, examples := start(t, map[string]string{})
	if !strings.Contains(examples, root+"/v1/items/order:1001") {
		t.Errorf("printed %s; want %s in the command lines", examples, root)
	}
	s := settingstest.Read(t, settingstest.Environ("ALLOWED_KEYS", demoKeys))
	for _, item := range demoItems() { // not asked for over HTTP: one of them lives for 30 s
		if allowed := s.AllowedKeys.Decide(item.key, allowlist.Caller{}).Allowed; allowed != (item.key != "secret:token") {
			t.Errorf("%s is allowed: %v", item.key, allowed)
		}
	}
}
