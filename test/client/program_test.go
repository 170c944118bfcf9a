package client

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds one program. The browsers take two minutes; a busy machine more.
const patience = 6 * time.Minute

// A program is a command to run in dir, with environ, name=value, put over the test's own.
type program struct {
	dir     string
	environ []string
	command []string
}

func (p program) make(t *testing.T) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = p.dir, append(os.Environ(), p.environ...), t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // on which Puppeteer ends its browser
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run returns what the program prints.
func (p program) run(t *testing.T) ([]byte, error) {
	t.Helper()
	return p.make(t).Output()
}

// A process is a program that is running.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
}

func (p program) start(t *testing.T) process {
	t.Helper()
	cmd := p.make(t)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return process{cmd, bufio.NewReader(out)}
}

// line waits for the next line that the program prints.
func (p process) line(t *testing.T) string {
	t.Helper()
	line, err := p.lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", p.cmd, err)
	}
	return strings.TrimSpace(line)
}

// interrupt waits for the program to end after a Ctrl-C.
func (p process) interrupt(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%s: %v", p.cmd, err)
	}
}

// build returns cmd/local.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "local")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "voxkv/cmd/local").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// serve starts cmd/local until the test ends, and returns where it is.
func serve(t *testing.T, binary string, environ ...string) string {
	t.Helper()
	local := program{dir: t.TempDir(), environ: environ, command: []string{binary, "-addr", "127.0.0.1:0", "-allowed-keys", "*"}}
	process := local.start(t)
	t.Cleanup(func() {
		_ = process.cmd.Cancel() // it may have ended
		_ = process.cmd.Wait()
	})
	line := process.line(t)
	url, found := strings.CutPrefix(line, "voxkv is at ")
	if !found {
		t.Fatalf("cmd/local printed %q; want where it is", line)
	}
	return url
}
