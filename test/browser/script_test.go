package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
	"voxkv/test/tools"
)

const runTimeout = time.Minute

// A plan is what browser.mjs is told to do.
type plan struct {
	Reads     []string `json:"reads"`
	Confirmed string   `json:"confirmed"`
	Polls     []poll   `json:"polls"`
	Failures  []string `json:"failures"`
}

// A poll is an item that the page fetches until after its end.
type poll struct {
	URL   string `json:"url"`
	Begin int64  `json:"begin"` // milliseconds after the script's start
	Until int64  `json:"until"` // Unix milliseconds
	front cachetest.Front
	end   time.Time
}

// A report is what the page saw of each part of the plan.
type report struct {
	Reads     []read   `json:"reads"`
	Confirmed []int    `json:"confirmed"` // statuses
	Polls     []polled `json:"polls"`
	Failures  []read   `json:"failures"`
}

// A read is one answer, or why the page got none.
type read struct {
	URL     string            `json:"url"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    struct {
		Value string `json:"value"` // of an item
		Code  string `json:"code"`  // of a problem
	} `json:"body"`
	Error string `json:"error"`
}

// A polled is what came of a poll.
type polled struct {
	Last    int64 `json:"last"` // Unix milliseconds
	Answers int   `json:"answers"`
	Reused  int   `json:"reused"`
}

// A script is browser.mjs with what it needs.
type script struct{ dir, chromium string }

// install makes the script ready in a directory of its own.
func install(t *testing.T) script {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skipf("NOT CHECKED in a browser: %v; test/caches/install.sh -browser installs chromium", err)
	}
	return script{dir: tools.NPM(t, "browser.mjs"), chromium: chromium}
}

// A visitor is a page that waits to be told what to fetch.
type visitor struct {
	node *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// open returns when the page is there.
func (s script) open(t *testing.T, page string) visitor {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	t.Cleanup(cancel)
	node := exec.CommandContext(ctx, "node", "browser.mjs", s.chromium, page)
	node.Dir, node.Stderr = s.dir, t.Output()
	// Playwright ends Chromium on SIGTERM.
	node.Cancel = func() error { return node.Process.Signal(syscall.SIGTERM) }
	node.WaitDelay = 5 * time.Second
	in, inErr := node.StdinPipe()
	out, outErr := node.StdoutPipe()
	if err := errors.Join(inErr, outErr, node.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Wait() })
	v := visitor{node, in, bufio.NewReader(out)}
	if line, err := v.out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("browser.mjs printed %q: %v", line, err)
	}
	return v
}

// follow makes the page carry out the plan and returns what it saw.
func (v visitor) follow(t *testing.T, p plan) report {
	t.Helper()
	if err := errors.Join(json.NewEncoder(v.in).Encode(p), v.in.Close()); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.NewDecoder(v.out).Decode(&r); err != nil {
		t.Fatalf("browser.mjs did not report: %v", err)
	}
	return r
}
