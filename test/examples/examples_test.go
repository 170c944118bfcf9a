// Package examples runs what examples/ shows, against the real function. It needs node, npm, python3, Chromium and, once,
// their registries, and so runs only when VOXKV_EXAMPLES is set. What is missing is said, and skipped.
package examples

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/internal/function"
	"voxkv/internal/settings"
	"voxkv/internal/voximplanttest"
)

// patience bounds one run of a program; they take up to 10 seconds.
const patience = 2 * time.Minute

func gated(t *testing.T) {
	t.Helper()
	if os.Getenv("VOXKV_EXAMPLES") == "" {
		t.Skip("VOXKV_EXAMPLES is not set")
	}
}

// A storage is the Management API with the items that the examples read, and a service account for it.
type storage struct {
	*voximplanttest.Server
	account *voximplanttest.ServiceAccount
	url     string
}

// newStorage fails in its own way for every key that says so.
func newStorage(t *testing.T) storage {
	t.Helper()
	account, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		t.Fatal(err)
	}
	s := storage{&voximplanttest.Server{AccountID: 1, ApplicationID: 1}, account, ""}
	s.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	s.Intercept(fail)
	for _, key := range []string{"order:1001", "a+b", "a#b", "a;b", "ключЁё", ".", "..", "я:1"} {
		s.Put(key, "value of "+key, time.Now().Add(time.Hour))
	}
	server := httptest.NewServer(s.Server)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func fail(w http.ResponseWriter, r *http.Request) bool {
	switch r.Form.Get("key") {
	case "fails:busy":
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	case "fails:unavailable":
		w.WriteHeader(http.StatusServiceUnavailable)
	case "fails:failure":
		io.WriteString(w, "<html>")
	case "fails:timeout":
		<-r.Context().Done()
	default:
		return false
	}
	return true
}

// newFunction is the function before s, with variables put over its own.
func newFunction(t *testing.T, s storage, variables map[string]string) *function.Function {
	t.Helper()
	environ := map[string]string{
		"VOXIMPLANT_SECRET_ID":      "embedded",
		"VOXIMPLANT_APPLICATION_ID": "1",
		"VOXIMPLANT_API_URL":        s.url + "/platform_api",
		"ALLOWED_KEYS":              "*",
		"UPSTREAM_TIMEOUT":          "5s",
	}
	maps.Copy(environ, variables)
	read, err := settings.Read(environ)
	if err != nil {
		t.Fatal(err)
	}
	key := func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey(s.account.Credentials())
	}
	f, err := function.New(read, key, "examples", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// serve returns the root of a server that runs until the test ends.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// A program is a command to run in dir, with environ, name=value, put over the test's own.
type program struct {
	dir     string
	environ []string
	command []string
}

// run returns what the program prints and its exit code.
func (p program) run(t *testing.T) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, err bytes.Buffer
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), p.environ...)
	cmd.Stdout, cmd.Stderr = &out, &err
	// Playwright ends Chromium on SIGTERM.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), strings.TrimSpace(err.String()), cmd.ProcessState.ExitCode()
}

// output returns what the program prints. It must succeed.
func (p program) output(t *testing.T) string {
	t.Helper()
	stdout, stderr, code := p.run(t)
	if code != 0 {
		t.Fatalf("%q: exit code %d\n%s%s", p.command, code, stdout, stderr)
	}
	return stdout
}

// need returns the path of a program, or skips the test.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("NOT CHECKED: %v", err)
	}
	return path
}
