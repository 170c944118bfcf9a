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
	// The server writes its log, and with it the port it chose, to standard error.
	moto := exec.CommandContext(t.Context(), "sh", "-c", `exec "$0" -m moto.server -H 127.0.0.1 -p 0 2>&1`, python)
	moto.Env = append(os.Environ(), environ...)
	log := Start(t, moto)
	var seen strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); seen.WriteString(lines.Text() + "\n") {
		if _, url, ok := strings.Cut(lines.Text(), "Running on "); ok {
			go io.Copy(io.Discard, log) // a full pipe would stop it
			return strings.TrimSpace(url)
		}
	}
	t.Fatalf("moto did not start:\n%s", &seen)
	return ""
}
