package main

import (
	"context"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/internal/voximplanttest"
	"voxkv/test/tools"
)

// printed is a writer that passes on each write.
type printed chan string

func (p printed) Write(text []byte) (int, error) {
	p <- string(text)
	return len(text), nil
}

// with returns the first text that has part in it. Others may come before: a slow machine may have something to say at its
// start.
func (p printed) with(t *testing.T, part string) string {
	t.Helper()
	for {
		select {
		case text := <-p:
			if strings.Contains(text, part) {
				return text
			}
		case <-time.After(time.Minute):
			t.Fatalf("nothing is printed that has %q in it", part)
		}
	}
}

// start runs the command on a free port until the test ends, which must be
// without an error. It returns the server's root and what the command printed
// below it.
func start(t *testing.T, environ map[string]string, args ...string) (root, examples string) {
	t.Helper()
	return startLogging(t, io.Discard, environ, args...)
}

// startReal is start with a real account, which has order:1 and, outside the allow-list, secret.
func startReal(t *testing.T, environ map[string]string, args ...string) (root, examples string) {
	t.Helper()
	all := map[string]string{"VOXIMPLANT_API_URL": newAPI(t)}
	maps.Copy(all, environ)
	return start(t, all, append(realFlags(t), args...)...)
}

// startLogging is start with a place for the log.
func startLogging(t *testing.T, log io.Writer, environ map[string]string, args ...string) (root, examples string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(printed, 2), make(chan error, 1)
	all := map[string]string{"UPSTREAM_TIMEOUT": "1m"} // however slow the machine is
	maps.Copy(all, environ)
	go func() {
		ended <- run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), all, out, log)
	}()
	select {
	case line := <-out:
		root = strings.TrimSpace(strings.TrimPrefix(line, "voxkv is at "))
	case err := <-ended:
		t.Fatalf("run(%q) = %v; want it to serve", args, err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run(%q) = %v after its context ended; want nil", args, err)
		}
	})
	return root, <-out
}

// refusal runs the command, which must print nothing and not serve, and returns its error.
func refusal(t *testing.T, environ map[string]string, args ...string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	nothing := noWriter{t, cancel}
	return run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), environ, nothing, nothing)
}

// check makes a request whose answer must have status and contain text.
func check(t *testing.T, method, url, body string, status int, text string) {
	t.Helper()
	res, got := tools.Do(t, method, url, body)
	if res.StatusCode != status || !strings.Contains(got, text) {
		t.Errorf("%s %s = %d %s; want %d and %q in it", method, url, res.StatusCode, got, status, text)
	}
}

// sharedAccount spares each test the generation of a key.
var sharedAccount = sync.OnceValues(func() (*voximplanttest.ServiceAccount, error) {
	return voximplanttest.NewServiceAccount(1234567)
})

// newAPI returns the root of a Management API that knows the shared account.
func newAPI(t *testing.T) string {
	t.Helper()
	account, err := sharedAccount()
	if err != nil {
		t.Fatal(err)
	}
	api := &voximplanttest.Server{AccountID: account.AccountID, ApplicationID: 42}
	api.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	api.Put("order:1", "for real", time.Now().Add(time.Hour))
	api.Put("secret", "not for callers", time.Now().Add(time.Hour))
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server.URL + "/platform_api"
}

// realFlags are the flags for the API of newAPI. The name of the credentials file has a space.
func realFlags(t *testing.T) []string {
	t.Helper()
	account, err := sharedAccount()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"-credentials", file(t, "my credentials.json", account.Credentials()), "-application-id", "42", "-allowed-keys", "order:*"}
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A noWriter fails the test that writes to it, and ends the command that does.
type noWriter struct {
	t   *testing.T
	end context.CancelFunc
}

func (w noWriter) Write(text []byte) (int, error) {
	w.t.Errorf("printed %q; want nothing", text)
	w.end()
	return len(text), nil
}
