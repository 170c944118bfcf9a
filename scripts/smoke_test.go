package scripts

import (
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"voxkv/test/tools"
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

// What is no URL is told at once, and is not asked for.
func TestSmokeStopsWithoutURL(t *testing.T) {
	for _, args := range [][]string{{}, {""}, {"", "order:1001"}, {"/v1", "order:1001"}, {"https://", "order:1001"}, {"None", ""}} {
		output, err := smoke(t, args...)
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 || strings.Contains(output, "FAIL") {
			t.Errorf("%q: %v\n%s", args, err, output)
		}
	}
}

// TestSmokeCounts: how many checks there are hangs on the item and on what is in front, and docs/deploy.md tells the numbers.
func TestSmokeCounts(t *testing.T) {
	server := local(t)
	document, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key   string
		spoil func(*http.Response)
		count string
		said  string
	}{
		"an item":            {"order:1001", func(*http.Response) {}, "20 passed, 0 failed", "`20 passed, 0 failed`"},
		"no item":            {"", func(*http.Response) {}, "12 passed, 0 failed", "12 without an item"},
		"not for any cache":  {"order:1001", uncacheable, "19 passed, 0 failed", "19 for an item that no cache may keep"},
		"behind CloudFront":  {"order:1001", cloudFront, "18 passed, 0 failed", "18 checks behind CloudFront"},
		"CloudFront, no key": {"", cloudFront, "10 passed, 0 failed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if output, err := smoke(t, spoiled(t, server, test.spoil), test.key); err != nil || !strings.Contains(output, test.count) {
				t.Errorf("%v; want %s\n%s", err, test.count, output)
			}
			if !strings.Contains(strings.Join(strings.Fields(string(document)), " "), test.said) {
				t.Errorf("docs/deploy.md does not say %q", test.said)
			}
		})
	}
}

func uncacheable(r *http.Response) {
	if r.StatusCode == http.StatusOK || r.StatusCode == http.StatusNotModified {
		r.Header.Set("Cache-Control", "no-store")
		r.Header.Del("ETag")
	}
}

// cloudFront answers POST itself.
func cloudFront(r *http.Response) {
	r.Header.Set("X-Amz-Cf-Id", "stand-in")
	if r.Request.Method == http.MethodPost {
		r.StatusCode = http.StatusForbidden
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
			if output, err := smoke(t, spoiled(t, server, test.spoil), "order:1001"); err == nil || !strings.Contains(output, "FAIL  "+test.fails) {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// spoiled is the root of a server that changes what server answers.
func spoiled(t *testing.T, server string, spoil func(*http.Response)) string {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error { spoil(r); return nil }
	return serve(t, proxy)
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
	url, _ := tools.StartLocal(t, tools.BuildLocal(t), []string{"UPSTREAM_TIMEOUT=1m"})
	return url
}
