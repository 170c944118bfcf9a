package tools

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Moto returns the URL of a moto, an AWS in memory, that runs until the test ends. python is the interpreter of an
// environment that has it; environ, name=value, is put over the test's own.
func Moto(t *testing.T, python string, environ ...string) string {
	t.Helper()
	moto := exec.CommandContext(t.Context(), python, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
	moto.Env = append(os.Environ(), environ...)
	// The server writes its log, and with it the port it chose, to standard error.
	log, err := moto.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := moto.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = moto.Process.Kill()
		_ = moto.Wait()
	})
	url := announced(t, log)
	go io.Copy(io.Discard, log)
	return url
}

// announced reads the log up to the line that says where the server accepts connections.
func announced(t *testing.T, log io.Reader) string {
	t.Helper()
	var seen strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); seen.WriteString(lines.Text() + "\n") {
		if _, url, ok := strings.Cut(lines.Text(), "Running on "); ok {
			return strings.TrimSpace(url)
		}
	}
	t.Fatalf("moto did not start:\n%s", &seen)
	return ""
}
