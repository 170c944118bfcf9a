package scripts

import (
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"voxkv/test/tools"
)

// TestSmoke: how many checks there are depends on the item and on what is in front, and docs/deploy.md tells the numbers. What
// gateways are feared to do, smoke must notice.
func TestSmoke(t *testing.T) {
	t.Parallel()
	server, _ := tools.StartLocal(t, tools.BuildLocal(t), []string{"UPSTREAM_TIMEOUT=1m"})
	document := strings.Join(strings.Fields(string(read(t, "../docs/deploy.md"))), " ")
	nothing := func(*http.Response) {}
	for name, test := range map[string]struct {
		key   string
		spoil func(*http.Response)
		want  string
		said  string
	}{
		"an item":               {"order:1001", nothing, "20 passed, 0 failed", "`20 passed, 0 failed`"},
		"a plus":                {"a+b", nothing, "20 passed, 0 failed", ""},
		"a number sign":         {"a#b", nothing, "20 passed, 0 failed", ""},
		"a semicolon":           {"a;b", nothing, "20 passed, 0 failed", ""},
		"Cyrillic":              {"ключЁё", nothing, "20 passed, 0 failed", ""},
		"no item":               {"", nothing, "12 passed, 0 failed", "12 without an item"},
		"not for any cache":     {"order:1001", uncacheable, "19 passed, 0 failed", "19 for an item that no cache may keep"},
		"behind CloudFront":     {"order:1001", cloudFront, "18 passed, 0 failed", "18 checks behind CloudFront"},
		"CloudFront, no key":    {"", cloudFront, "10 passed, 0 failed", ""},
		"an item is missing":    {"order:missing", nothing, "FAIL  an item", ""},
		"HEAD without length":   {"order:1001", headWithoutLength, "FAIL  HEAD, length", ""},
		"HEAD without ETag":     {"order:1001", headWithoutETag, "FAIL  HEAD, headers", ""},
		"304 with another ETag": {"order:1001", otherETag, "FAIL  304", ""},
		"errors of its own":     {"order:1001", ownErrors, "FAIL  post", ""},
		"no CORS":               {"order:1001", func(r *http.Response) { r.Header.Del("Access-Control-Allow-Origin") }, "FAIL  CORS", ""},
		"caches cut off":        {"order:1001", func(r *http.Response) { r.Header.Set("Cache-Control", "max-age=60") }, "FAIL  an item, caching", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, err := smoke(t, spoiled(t, server, test.spoil), test.key)
			if (err != nil) != strings.HasPrefix(test.want, "FAIL") || !strings.Contains(output, test.want) {
				t.Errorf("%v; want %s\n%s", err, test.want, output)
			}
			if !strings.Contains(document, test.said) {
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

func headWithoutLength(r *http.Response) {
	if r.Request.Method == http.MethodHead {
		r.Header.Set("Content-Length", "0")
	}
}

func headWithoutETag(r *http.Response) {
	if r.Request.Method == http.MethodHead {
		r.Header.Del("ETag")
	}
}

func otherETag(r *http.Response) {
	if r.StatusCode == http.StatusNotModified {
		r.Header.Set("ETag", `"other"`)
	}
}

func ownErrors(r *http.Response) {
	if r.StatusCode == http.StatusMethodNotAllowed {
		r.Body = io.NopCloser(strings.NewReader(`{"message":"Not Found"}`))
		r.StatusCode, r.ContentLength = http.StatusNotFound, -1
		r.Header = http.Header{"Content-Type": {"application/json"}}
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
