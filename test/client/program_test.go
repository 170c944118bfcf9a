package client

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"voxkv/test/tools"
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

// serve starts cmd/local, which serves any key, and returns where it is.
func serve(t *testing.T, binary string, environ ...string) string {
	t.Helper()
	url, _ := tools.StartLocal(t, binary, environ, "-allowed-keys", "*")
	return url
}
