package tools

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"voxkv/auth"
	"voxkv/internal/function"
	"voxkv/internal/settings"
	"voxkv/internal/voximplanttest"
)

// A Storage is a Management API that runs until the test ends, and a service account for it.
type Storage struct {
	*voximplanttest.Server
	Account *voximplanttest.ServiceAccount
	URL     string // without /platform_api
}

// account is the service account of every storage; making one takes a while.
var account = sync.OnceValues(func() (*voximplanttest.ServiceAccount, error) {
	return voximplanttest.NewServiceAccount(1234567)
})

// NewStorage starts api.
func NewStorage(t testing.TB, api *voximplanttest.Server) Storage {
	t.Helper()
	a, err := account()
	if err != nil {
		t.Fatal(err)
	}
	api.AccountID = a.AccountID
	api.AddKey(a.KeyID, &a.PrivateKey.PublicKey)
	return Storage{api, a, Serve(t, api)}
}

// Serve returns the root of a server that runs until the test ends.
func Serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// Key is the service account's key, read from its document.
func (s Storage) Key(context.Context) (*auth.ServiceAccountKey, error) {
	return auth.ParseServiceAccountKey(s.Account.Credentials())
}

// CredentialsFile returns the path of the service account's document.
func (s Storage) CredentialsFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, s.Account.Credentials(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Function is the function in front of the storage, with variables put over its own.
func (s Storage) Function(t testing.TB, variables map[string]string) *function.Function {
	t.Helper()
	environ := map[string]string{
		"VOXIMPLANT_SECRET_ID":      "embedded",
		"VOXIMPLANT_APPLICATION_ID": strconv.FormatInt(s.ApplicationID, 10),
		"VOXIMPLANT_API_URL":        s.URL + "/platform_api",
		"ALLOWED_KEYS":              "*",
	}
	maps.Copy(environ, variables)
	read, err := settings.Read(environ)
	if err != nil {
		t.Fatal(err)
	}
	f, err := function.New(read, s.Key, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Get returns the answer to a GET.
func Get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	return Send(t, http.MethodGet, url, "")
}

// Send makes a request as Do does, for callers that do not look at the header of the response.
func Send(t *testing.T, method, url, content string, header ...string) (status int, body string) {
	t.Helper()
	res, body := Do(t, method, url, content, header...)
	return res.StatusCode, body
}

// Do makes a request, whose header may hold Host, and returns the response and its body.
func Do(t *testing.T, method, url, content string, header ...string) (res *http.Response, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	res, err = http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// Put stores an item in the embedded storage of a cmd/local at root.
func Put(t *testing.T, root, key, value, ttl string) {
	t.Helper()
	if status, body := Send(t, http.MethodPut, root+"/storage/"+key+"?ttl="+ttl, value); status != http.StatusNoContent {
		t.Fatalf("PUT %s: %d %s", key, status, body)
	}
}
