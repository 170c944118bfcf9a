package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Context ends a minute before go test gives up, which would leave browsers behind. No limit is shorter: how long a program
// takes is the machine's business.
func Context(t *testing.T) context.Context {
	t.Helper()
	deadline, ok := t.Deadline()
	if !ok {
		return t.Context()
	}
	ctx, cancel := context.WithDeadline(t.Context(), deadline.Add(-time.Minute))
	t.Cleanup(cancel)
	return ctx
}

// A Program is a command to run in Dir, with Environ, name=value, put over the test's own, and with Input to read.
type Program struct {
	Dir     string
	Environ []string
	Input   []byte
	Command []string
}

// Run returns what the program prints, and its exit code.
func (p Program) Run(t *testing.T) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.CommandContext(Context(t), p.Command[0], p.Command[1:]...)
	cmd.Dir, cmd.Env = p.Dir, append(os.Environ(), p.Environ...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(p.Input), &out, &err
	// Puppeteer and Playwright end their browsers on SIGTERM.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); errors.Is(err, exec.ErrNotFound) {
		t.Skipf("NOT CHECKED: %v", err)
	} else if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), strings.TrimSpace(err.String()), cmd.ProcessState.ExitCode()
}

// Output returns what the program prints. It must succeed.
func (p Program) Output(t *testing.T) string {
	t.Helper()
	stdout, stderr, code := p.Run(t)
	if code != 0 {
		t.Fatalf("%.300q: exit code %d\n%s%s", p.Command, code, stdout, stderr)
	}
	if stderr != "" {
		t.Log(stderr)
	}
	return stdout
}

// Report has the program print JSON into report.
func (p Program) Report(t *testing.T, report any) {
	t.Helper()
	if out := p.Output(t); json.Unmarshal([]byte(out), report) != nil {
		t.Fatalf("%.300q printed %q", p.Command, out)
	}
}

// Visit runs script in dir, which visits pages in a browser as plan says. It prints lists of complaints, by visit.
func Visit(t *testing.T, dir, script string, plan map[string]any) {
	t.Helper()
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var complaints map[string][]string
	Program{Dir: dir, Command: []string{"node", script, string(text)}}.Report(t, &complaints)
	if len(complaints) == 0 {
		t.Fatalf("%s made no visit", script)
	}
	for _, name := range slices.Sorted(maps.Keys(complaints)) {
		t.Run(name, func(t *testing.T) {
			for _, complaint := range complaints[name] {
				t.Error(complaint)
			}
		})
	}
}

// A Browser is one that is installed.
type Browser struct {
	Name       string
	Engine     string // what Puppeteer calls it
	Executable string
}

// Browsers returns those that are here. For each other a subtest is skipped, which says so.
func Browsers(t *testing.T) []Browser {
	t.Helper()
	var found []Browser
	for _, b := range []Browser{{"Chromium", "chrome", "chromium"}, {"Firefox", "firefox", "firefox-esr"}} {
		path, err := exec.LookPath(b.Executable)
		if err != nil {
			t.Run(b.Name, func(t *testing.T) {
				t.Skipf("NOT CHECKED in %s: %v; test/caches/install.sh -browser installs it", b.Name, err)
			})
			continue
		}
		b.Executable = path
		found = append(found, b)
	}
	return found
}

// Pictures returns the directories for pictures of pages: one of the test's own, and VOXKV_SCREENSHOTS if that is set.
func Pictures(t *testing.T) []string {
	t.Helper()
	dirs := []string{t.TempDir()}
	if dir := os.Getenv("VOXKV_SCREENSHOTS"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// SameJSON compares the meaning of two JSON texts. An empty one stands for none.
func SameJSON(t *testing.T, got, want string) bool {
	t.Helper()
	if got == "" || want == "" {
		return got == want
	}
	var g, w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	return json.Unmarshal([]byte(got), &g) == nil && reflect.DeepEqual(g, w)
}
