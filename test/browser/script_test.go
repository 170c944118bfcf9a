package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

// runTimeout bounds a visit, which takes three quarters of a minute, and the start of
// the browsers before it.
const runTimeout = 8 * time.Minute

// A plan is what browser.mjs is told to do.
type plan struct {
	Reads     []string `json:"reads"`
	Confirmed string   `json:"confirmed"`
	Polls     []poll   `json:"polls"`
	Failures  []string `json:"failures"`
	Status    []poll   `json:"status"`
	Flags     []string `json:"flags"`
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
	Status    []polled `json:"status"`
	Flags     [][]int  `json:"flags"` // statuses
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
	First   int64 `json:"first"`   // Unix milliseconds; 0 if there was none below 500
	Last    int64 `json:"last"`    // Unix milliseconds
	Slowest int64 `json:"slowest"` // milliseconds
	Answers int   `json:"answers"`
	Reused  int   `json:"reused"`

	Values map[string]int64 `json:"values"` // when the last fetch started that was given each; Unix milliseconds
}

// A browser is one that the suite knows how to drive.
type browser struct {
	name    string
	engine  string // what Puppeteer calls it
	program string
}

func browsers() []browser {
	return []browser{{"Chromium", "chrome", "chromium"}, {"Firefox", "firefox", "firefox-esr"}}
}

// sent reports whether a request is one of the browser's.
func (b browser) sent(request http.Header) bool {
	agent := request.Get("User-Agent")
	return strings.Contains(agent, "Mozilla/") && strings.Contains(agent, "Firefox/") == (b.engine == "firefox")
}

// installed returns the browsers that are here.
func installed(t *testing.T) []browser {
	t.Helper()
	var found []browser
	for _, b := range browsers() {
		if _, err := exec.LookPath(b.program); err != nil {
			t.Run(b.name, func(t *testing.T) {
				t.Skipf("NOT CHECKED in %s: %v; test/caches/install.sh -browser installs it", b.name, err)
			})
		} else {
			found = append(found, b)
		}
	}
	return found
}

// A visitor is a page that waits to be told what to fetch.
type visitor struct {
	node *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// open returns when the page is there. It runs browser.mjs in dir.
func (b browser) open(t *testing.T, dir, page string) visitor {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	t.Cleanup(cancel)
	program, err := exec.LookPath(b.program)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(ctx, "node", "browser.mjs", b.engine, program, page)
	node.Dir, node.Stderr = dir, t.Output()
	// Puppeteer ends the browser on SIGTERM.
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
