package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/bench/floor"
	"voxkv/handler"
	"voxkv/internal/function"
	"voxkv/internal/gateway"
	"voxkv/internal/settings"
	"voxkv/internal/voximplanttest"
)

// invoke is the method of a lambda.Handler: event bytes in, response bytes out.
type invoke func(ctx context.Context, payload []byte) ([]byte, error)

// A local is the function in this process, as cmd/lambda puts it together,
// with a storage on loopback behind it.
type local struct {
	invoke
	storage *voximplanttest.Server
	server  *httptest.Server
}

func newLocal() (*local, error) {
	account, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		return nil, err
	}
	storage := &voximplanttest.Server{AccountID: 1, ApplicationID: 1}
	storage.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	server := httptest.NewServer(storage)
	key := func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey(account.Credentials())
	}
	s, err := settings.Read(map[string]string{
		"VOXIMPLANT_SECRET_ID":      "not-read",
		"VOXIMPLANT_APPLICATION_ID": "1",
		"VOXIMPLANT_API_URL":        server.URL + "/platform_api",
		"ALLOWED_KEYS":              "order:*",
		"LOCAL_MAX_AGE":             "60s", // longer than a benchmark runs
	})
	if err != nil {
		return nil, err
	}
	// The log lines are made, and go nowhere.
	f, err := function.New(s, key, "bench", slog.New(slog.NewJSONHandler(nowhere{}, nil)))
	if err != nil {
		return nil, err
	}
	g := &gateway.Gateway{HTTP: f, Direct: f.Direct, Headers: handler.RequestHeaders()}
	return &local{invoke: g.Invoke, storage: storage, server: server}, nil
}

// nowhere is not io.Discard, for which log/slog makes no line at all.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// orderKey is the key of the i-th item.
func orderKey(i int) string { return "order:" + strconv.Itoa(i) }

// putItems stores the items 0 to n-1, which live for an hour.
func putItems(storage *voximplanttest.Server, n int) {
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	for i := range n {
		storage.Put(orderKey(i), floor.Value, expires)
	}
}

// A template is an HTTP API's event, to be filled in.
type template map[string]any

func readTemplate(root string) (template, error) {
	b, err := os.ReadFile(filepath.Join(root, "events", "http-api-item.json"))
	if err != nil {
		return nil, err
	}
	var t template
	return t, json.Unmarshal(b, &t)
}

// event is a GET of the item under key; etag, if not empty, makes it conditional.
func (t template) event(key, etag string) []byte {
	t["rawPath"] = "/v1/items/" + key
	headers := t["headers"].(map[string]any)
	delete(headers, "if-none-match")
	if etag != "" {
		headers["if-none-match"] = etag
	}
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // it was JSON just now
	}
	return b
}

// An answer is what all contenders return.
type answer struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

// read decodes an answer and reports whether its status is one that was asked for.
func read(payload []byte) (answer, bool) {
	var a answer
	err := json.Unmarshal(payload, &a)
	return a, err == nil && (a.StatusCode == http.StatusOK || a.StatusCode == http.StatusNotModified)
}

// repeat is a benchmark of one event, whose answer the first call made sure of.
func repeat(f invoke, payload []byte) func(*testing.B) {
	return func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f(b.Context(), payload); err != nil {
				b.Fatal(err)
			}
		}
	}
}
