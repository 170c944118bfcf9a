package tools

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Start runs cmd until the test ends, and returns what it prints.
func Start(t *testing.T, cmd *exec.Cmd) io.Reader {
	t.Helper()
	cmd.Stderr = t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Cancel() // it may have ended
		_ = cmd.Wait()
	})
	return out
}

// BuildLocal builds cmd/local and returns its path.
func BuildLocal(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "local")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "voxkv/cmd/local").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// StartLocal runs a cmd/local until the test ends, on a free port and where there is no .env. environ, name=value, is put
// over the test's own. It returns where cmd/local is, and all that it prints at its start.
func StartLocal(t *testing.T, binary string, environ []string, args ...string) (url, printed string) {
	t.Helper()
	local := exec.CommandContext(t.Context(), binary, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	local.Dir, local.Env = t.TempDir(), append(os.Environ(), environ...)
	out := Start(t, local)
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "Ctrl-C ends it."; printed += lines.Text() + "\n" {
		if _, root, found := strings.Cut(lines.Text(), "voxkv is at "); found {
			url = root
		}
	}
	if url == "" {
		t.Fatalf("cmd/local does not say where it is:\n%s", printed)
	}
	go io.Copy(io.Discard, out) // a full pipe would stop it
	return url, printed
}
