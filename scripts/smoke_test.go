package scripts

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSmoke(t *testing.T) {
	server := local(t)
	t.Run("passes", func(t *testing.T) { passes(t, server) })
	t.Run("notices", func(t *testing.T) { notices(t, server) })
}

func passes(t *testing.T, server string) {
	for _, key := range []string{"order:1001", "a+b", "a#b", "a;b", "ключЁё"} {
		if output, err := smoke(t, server, key); err != nil || !strings.Contains(output, "20 passed, 0 failed") {
			t.Errorf("%s: %v\n%s", key, err, output)
		}
	}
	if output, err := smoke(t, server, "order:missing"); err == nil {
		t.Errorf("passes for an item that is not there:\n%s", output)
	}
}

// What gateways are feared to do, smoke must notice.
func notices(t *testing.T, server string) {
	for name, test := range map[string]struct {
		spoil func(*http.Response)
		fails string
	}{
		"HEAD without length": {func(r *http.Response) {
			if r.Request.Method == http.MethodHead {
				r.Header.Set("Content-Length", "0")
			}
		}, "HEAD, length"},
		"HEAD without ETag": {func(r *http.Response) {
			if r.Request.Method == http.MethodHead {
				r.Header.Del("ETag")
			}
		}, "HEAD, headers"},
		"304 with another ETag": {func(r *http.Response) {
			if r.StatusCode == http.StatusNotModified {
				r.Header.Set("ETag", `"other"`)
			}
		}, "304"},
		"errors of its own": {func(r *http.Response) {
			if r.StatusCode == http.StatusMethodNotAllowed {
				r.Body = io.NopCloser(strings.NewReader(`{"message":"Not Found"}`))
				r.StatusCode, r.ContentLength = http.StatusNotFound, -1
				r.Header = http.Header{"Content-Type": {"application/json"}}
			}
		}, "post"},
		"no CORS":        {func(r *http.Response) { r.Header.Del("Access-Control-Allow-Origin") }, "CORS"},
		"caches cut off": {func(r *http.Response) { r.Header.Set("Cache-Control", "max-age=60") }, "an item, caching"},
	} {
		t.Run(name, func(t *testing.T) {
			target, err := url.Parse(server)
			if err != nil {
				t.Fatal(err)
			}
			proxy := httputil.NewSingleHostReverseProxy(target)
			proxy.ModifyResponse = func(r *http.Response) error { test.spoil(r); return nil }
			spoiled := httptest.NewServer(proxy)
			defer spoiled.Close()
			if output, err := smoke(t, spoiled.URL, "order:1001"); err == nil || !strings.Contains(output, "FAIL  "+test.fails) {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

func smoke(t *testing.T, args ...string) (string, error) {
	t.Helper()
	for _, program := range []string{"sh", "curl", "awk"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	output, err := exec.CommandContext(t.Context(), "./smoke", args...).CombinedOutput()
	return string(output), err
}

// local starts cmd/local and returns where it is.
func local(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "local")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "voxkv/cmd/local").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, "-addr", "127.0.0.1:0")
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if _, server, ok := strings.Cut(lines.Text(), "voxkv is at "); ok {
			go io.Copy(io.Discard, stdout)
			return server
		}
	}
	t.Fatalf("it does not say where it is:\n%s", &stderr)
	return ""
}
