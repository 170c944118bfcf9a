package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/internal/relaytest"
)

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	real := slices.Clip(realFlags(t))
	noFile := filepath.Join(t.TempDir(), "none.json")
	const (
		flags       = "; accepted: -addr, -allowed-keys, -application-id, -claims, -credentials, -fault, -function-name, -json and -version, see -help"
		freeAddress = "; accepted: a host:port that is free, such as localhost:8080"
		keyFile     = "; accepted: the JSON file that Voximplant issues for a service account"
	)
	tests := []struct {
		name    string
		args    []string
		environ map[string]string
		want    []string
	}{
		{"an unknown flag", []string{"-port", "80"}, nil, []string{"-port", flags}},
		{"a flag without its value", []string{"-addr"}, nil, []string{"-addr", flags}},
		{"an argument", []string{"serve"}, nil, []string{`unexpected argument "serve"`, flags}},
		{"an address without a colon", []string{"-addr", "8080"}, nil, []string{`-addr "8080": `, "missing port", freeAddress}},
		{"an id without credentials", []string{"-application-id", "42"}, nil, []string{"-application-id needs -credentials"}},
		{"a fault with credentials", append(real, "-fault", "slow"), nil, []string{"-fault goes without -credentials"}},
		{"a fault that is none", []string{"-fault", "explode"}, nil, []string{`-fault "explode"; accepted: off, throttled, unavailable, slow, hang, garbage, refused`}},
		{"a function name that is none", []string{"-function-name", "a b"}, nil, []string{`-function-name "a b"; accepted: 1 to 64 letters, digits, - and _`}},
		{"claims that are no JSON", []string{"-claims", "sub=secret"}, nil, []string{"-claims: the claims are no JSON object", `accepted: claims such as {"sub":"42"}`}},
		{"claims with credentials for everybody", append(real, "-claims", `{"sub":"42"}`, "-addr", "0.0.0.0:0"), nil, []string{"-claims and -credentials go together at an address of this machine only", `-addr "0.0.0.0:0"`}},
		{"claims with credentials at any address", append(real, "-claims", `{"sub":"42"}`, "-addr", ":0"), nil, []string{"-claims and -credentials go together", `-addr ":0"`}},
		{"a file that is not there", append(real, "-credentials", noFile), nil, []string{"-credentials: ", noFile, "no such file", keyFile}},
		{"a file that is no key", append(real, "-credentials", file(t, "x", []byte("secret"))), nil, []string{"-credentials: ", "not a JSON object", keyFile}},
		{"an application that is no number", append(real, "-application-id", "app"), nil, []string{`-application-id is "app"; accepted: `}},
		{"keys that are none", []string{"-allowed-keys", "a b"}, nil, []string{"-allowed-keys is not accepted: pattern 1"}},
		{"keys of the environment that are none", nil, map[string]string{"ALLOWED_KEYS": "a b"}, []string{"ALLOWED_KEYS is not accepted: pattern 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := refusal(t, tt.environ, tt.args...)
			if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
				t.Fatalf("run(%q) = %v; want an error of one line that shows no secret", tt.args, err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("run(%q) = %v; want %q in it", tt.args, err, part)
				}
			}
		})
	}
}

// TestRunTellsAllThatIsWrong at once, and not the next thing only when one is mended.
func TestRunTellsAllThatIsWrong(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	err = refusal(t, map[string]string{"CACHE_MAX_AGE": "60"}, "-addr", addr, "-function-name", "a b", "-fault", "explode", "-credentials", t.TempDir())
	want := []string{
		"-function-name ", "-fault ", "-credentials: ", "-credentials needs -allowed-keys, ", "CACHE_MAX_AGE is ", "-credentials needs -application-id, ", fmt.Sprintf("-addr %q: bind: ", addr),
	}
	lines := strings.Split(fmt.Sprint(err), "\n")
	for i, line := range lines {
		if len(lines) != len(want) || !strings.HasPrefix(line, want[i]) {
			t.Fatalf("run = %v; want lines that begin with %q", err, want)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, []string{"-help"}, map[string]string{}, noWriter{t, cancel}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("run(-help) = %v; want flag.ErrHelp", err)
	}
	for _, part := range []string{
		"  -addr host:port", "  -credentials file", "  -application-id id", "  -allowed-keys keys", "  -function-name name", "  -fault mode", "  -claims claims", "  -json", "  -version",
		"  go run ./cmd/local -credentials credentials.json -application-id 12345 -allowed-keys 'order:*'\n",
		"  CACHE_MAX_AGE\n    \ta duration such as 60s; 0s forbids caching (default 60s)\n", "  LOCAL_MAX_AGE\n", "  ALLOW_WRITES\n",
	} {
		if strings.Count(out.String(), part) != 1 {
			t.Errorf("run(-help) printed %s; want %q once", out.String(), part)
		}
	}
	if strings.Contains(out.String(), "VOXIMPLANT_SECRET_ID") {
		t.Errorf("run(-help) printed %s; want nothing of the secret, which -credentials replaces", out.String())
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-version"}, map[string]string{}, &out, io.Discard); err != nil {
		t.Errorf("run(-version) = %v; want nil", err)
	}
	if !strings.HasPrefix(out.String(), "voxkv local ") || !strings.HasSuffix(out.String(), ", "+runtime.Version()+"\n") {
		t.Errorf("run(-version) printed %q; want the version, and Go's", out.String())
	}
}

func TestRunWithAnEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"-addr", "127.0.0.1:0"}, map[string]string{}, io.Discard, io.Discard); err != nil {
		t.Errorf("run = %v; want nil", err)
	}
}

func TestServeLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		work, want time.Duration
	}{
		{"none under way", 0, 0},
		{"a short one", time.Second, time.Second},
		{"one that hangs", time.Hour, 3 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				network := relaytest.NewMemory()
				ended := make(chan error)
				go func() {
					ended <- serve(ctx, network, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(tt.work) }), io.Discard)
				}()
				if tt.work > 0 {
					client, err := network.Dial()
					if err != nil {
						t.Fatal(err)
					}
					defer client.Close()
					io.WriteString(client, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
					go io.Copy(io.Discard, client)
				}
				synctest.Wait()
				start := time.Now()
				cancel()
				err := <-ended
				if took := time.Since(start).Round(time.Second); err != nil || took != tt.want {
					t.Errorf("serve = %v, %v after its context ended; want nil, %v", err, took, tt.want)
				}
				time.Sleep(tt.work) // the bubble ends with its last goroutine
			})
		})
	}
}

// TestStandardLogIsRedacted has a process of its own that meets a server which sends more than it says. net/http's client
// logs that on the standard library's log, which main has set.
func TestStandardLogIsRedacted(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}a value of somebody's")
	}))
	t.Cleanup(server.Close)
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMainProcess$")
	command.Env = append(os.Environ(), "VOXKV_TEST_SERVER="+server.URL)
	stderr, err := command.StderrPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "Unsolicited response") {
	}
	if line := lines.Text(); line == "" || strings.Contains(line, "somebody") {
		t.Errorf("the log has %q; want it to tell of what came unasked, without a quotation", line)
	}
	command.Process.Kill()
	command.Wait()
}

// TestMainProcess is the process of TestStandardLogIsRedacted, which ends it.
func TestMainProcess(t *testing.T) {
	server := os.Getenv("VOXKV_TEST_SERVER")
	if server == "" {
		t.Skip("for TestStandardLogIsRedacted alone")
	}
	os.Args = []string{"local", "-version"}
	main()
	for { // a busy client drops the connection without a word, or takes what comes unasked for the next answer
		if res, err := http.Get(server); err == nil {
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}
}

// TestServerLogIsRedacted: what net/http logs of a request shows nothing of it.
func TestServerLogIsRedacted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ended := make(chan error)
	go func() {
		ended <- serve(ctx, listener, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a value") }), &log)
	}()
	if _, err := http.Get("http://" + listener.Addr().String()); err == nil {
		t.Error("a panic is answered; want the connection closed")
	}
	cancel()
	<-ended
	if got := log.String(); !strings.Contains(got, "http: panic serving a request\ngoroutine ") || strings.Contains(got, "a value") {
		t.Errorf("the log is %s; want it to tell of the panic without its value", got)
	}
}

func TestServeTellsWhyItEnded(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := serve(t.Context(), listener, http.NotFoundHandler(), io.Discard); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serve = %v; want %v", err, net.ErrClosed)
	}
}

func TestRoot(t *testing.T) {
	t.Parallel()
	listening := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	for asked, want := range map[string]string{
		"localhost:0":    "http://localhost:8080",
		":0":             "http://localhost:8080",
		"0.0.0.0:0":      "http://localhost:8080",
		"[::]:0":         "http://localhost:8080",
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		"[::1]:8080":     "http://[::1]:8080",
	} {
		if got := root(asked, listening); got != want {
			t.Errorf("root(%q) = %s; want %s", asked, got, want)
		}
	}
}
