// Package examples runs what examples/ shows, against the real function. It needs node, npm, python3, Chromium and, once,
// their registries, and so runs only when VOXKV_EXAMPLES is set. What is missing is said, and skipped.
package examples

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"voxkv/internal/voximplanttest"
	"voxkv/test/tools"
)

// newStorage has the items that the examples read, and fails in its own way for every key that says so.
func newStorage(t *testing.T) tools.Storage {
	t.Helper()
	s := tools.NewStorage(t, &voximplanttest.Server{ApplicationID: 1})
	s.Intercept(fail)
	for _, key := range []string{"order:1001", "a+b", "a#b", "a;b", "ключЁё", ".", "..", "я:1"} {
		s.Put(key, "value of "+key, time.Now().Add(time.Hour))
	}
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

// with is p with more variables and arguments.
func with(p tools.Program, environ []string, args ...string) tools.Program {
	p.Environ, p.Command = slices.Concat(p.Environ, environ), slices.Concat(p.Command, args)
	return p
}

// goInModule runs the go command in the module of an example. It is one of its own, and go.work, if there is one, not its
// business.
func goInModule(t *testing.T, dir string, args ...string) {
	t.Helper()
	p := tools.Program{Dir: dir, Environ: []string{"GOWORK=off", "GOFLAGS=-mod=readonly"}, Command: []string{"go"}}
	switch stdout, stderr, code := with(p, nil, args...).Run(t); {
	case code != 0 && (strings.Contains(stderr, "dial tcp") || strings.Contains(stderr, "GOPROXY=off")):
		t.Skipf("NOT CHECKED: the Go module proxy cannot be reached: %s", stderr)
	case code != 0:
		t.Fatalf("go %s: exit code %d\n%s%s", args[0], code, stdout, stderr)
	}
}
