package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"voxkv/bench/floor"
)

// A load is requests per second over HTTP, as wrk or hey counts them.
type load struct {
	Tool         string
	Local, Floor float64 // cmd/local, and a net/http server that does nothing
}

// connections is how many wrk and hey hold open.
const connections = "16"

// measureLoad needs wrk or hey.
func measureLoad(ctx context.Context, b builder, length time.Duration) (load, error) {
	tool, err := loadTool()
	if err != nil {
		return load{}, err
	}
	l := load{Tool: filepath.Base(tool)}
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"key":"order:1001","value":%q,"expires_at":1795451572}`, floor.Value)
	}))
	defer bare.Close()
	if l.Floor, err = perSecond(ctx, tool, bare.URL, length); err != nil {
		return load{}, err
	}
	root, stop, err := serveLocal(ctx, b)
	if err != nil {
		return load{}, err
	}
	defer stop()
	l.Local, err = perSecond(ctx, tool, root+"/v1/items/order:1001", length)
	return l, err
}

func loadTool() (string, error) {
	for _, name := range []string{"wrk", "hey"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("requests per second: neither wrk nor hey is installed (apt-get install wrk)")
}

// serveLocal runs cmd/local on a free port.
func serveLocal(ctx context.Context, b builder) (root string, stop func(), err error) {
	binary := filepath.Join(b.dir, "local")
	if _, err := b.run(ctx, b.root, []string{"CGO_ENABLED=0"}, "go", "build", "-o", binary, "./cmd/local"); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "-addr", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill() // it may be gone already
		_ = cmd.Wait()         // the error says that it was killed
	}
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	_, root, found := strings.Cut(strings.TrimSpace(line), "voxkv is at ")
	if !found {
		stop()
		return "", nil, fmt.Errorf("cmd/local said %q, %w", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
	return root, stop, nil
}

var requestsPerSecond = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)

func perSecond(ctx context.Context, tool, url string, length time.Duration) (float64, error) {
	seconds := strconv.Itoa(max(int(length.Seconds()), 1)) + "s"
	args := []string{"-t", "1", "-c", connections, "-d", seconds, url}
	if filepath.Base(tool) == "hey" {
		args = []string{"-c", connections, "-z", seconds, url}
	}
	out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", tool, err, out)
	}
	found := requestsPerSecond.FindSubmatch(out)
	if found == nil || strings.Contains(string(out), "Non-2xx") {
		return 0, fmt.Errorf("%s %s: %s", tool, url, out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
