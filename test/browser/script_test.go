package browser

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
	"voxkv/test/tools"
)

// A plan is what browser.mjs is told to do.
type plan struct {
	Reads     []string `json:"reads"`
	Confirmed string   `json:"confirmed"`
	Flag      string   `json:"flag"`
	Polls     []poll   `json:"polls"`
	Failures  []string `json:"failures"`
	Status    []poll   `json:"status"`
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
	Flag      []int    `json:"flag"`      // statuses
	Polls     []polled `json:"polls"`
	Failures  []read   `json:"failures"`
	Status    []polled `json:"status"`
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

// sent reports whether a request is one of the browser's.
func sent(b tools.Browser, request http.Header) bool {
	agent := request.Get("User-Agent")
	return strings.Contains(agent, "Mozilla/") && strings.Contains(agent, "Firefox/") == (b.Engine == "firefox")
}

// A visitor is a page that waits to be told what to fetch.
type visitor struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// open returns when the page is there. It runs browser.mjs in dir.
func open(t *testing.T, b tools.Browser, dir, page string) visitor {
	t.Helper()
	node := exec.CommandContext(tools.Context(t), "node", "browser.mjs", b.Engine, b.Executable, page)
	node.Dir = dir
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	v := visitor{in, bufio.NewReader(tools.Start(t, node))}
	if line, err := v.out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("browser.mjs printed %q: %v", line, err)
	}
	return v
}

// follow makes the page carry out the plan and returns what it saw.
func (v visitor) follow(t *testing.T, p plan) report {
	t.Helper()
	var r report
	if err := errors.Join(json.NewEncoder(v.in).Encode(p), v.in.Close(), json.NewDecoder(v.out).Decode(&r)); err != nil {
		t.Errorf("browser.mjs did not report: %v", err)
	}
	return r
}
