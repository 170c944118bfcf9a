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
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/internal/voximplanttest"
)

// newAPI returns the root of a Management API that knows the shared account.
func newAPI(t *testing.T) string {
	t.Helper()
	account, err := sharedAccount()
	if err != nil {
		t.Fatal(err)
	}
	api := &voximplanttest.Server{AccountID: account.AccountID, ApplicationID: 42, ApplicationName: "app.example"}
	api.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	api.Put("order:1", "for real", time.Now().Add(time.Hour))
	api.Put("secret", "not for callers", time.Now().Add(time.Hour))
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server.URL + "/platform_api"
}

func TestRealAPI(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ map[string]string
		args    []string
	}{
		{"by flags", map[string]string{}, []string{"-application-id", "42", "-allowed-keys", "order:*"}},
		{"by environment", map[string]string{"VOXIMPLANT_APPLICATION_ID": "42", "ALLOWED_KEYS": "order:*"}, nil},
		{"by name", map[string]string{"VOXIMPLANT_APPLICATION_NAME": "app.example"}, []string{"-allowed-keys", "order:*"}},
		{"by flags first", map[string]string{
			"VOXIMPLANT_APPLICATION_ID": "43", "VOXIMPLANT_APPLICATION_NAME": "other", "ALLOWED_KEYS": "*", "VOXIMPLANT_SECRET_ID": "my secret",
		}, []string{"-application-id", "42", "-allowed-keys", "order:*"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.environ["VOXIMPLANT_API_URL"] = newAPI(t)
			root, _ := start(t, tt.environ, append(tt.args, "-credentials", credentialsFile(t))...)
			check(t, "GET", root+"/v1/items/order:1", "", 200, "for real")
			check(t, "GET", root+"/v1/items/secret", "", 404, "not_found")
			check(t, "PUT", root+"/storage/order:1", "v", 404, "no_route")
		})
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	credentials := credentialsFile(t)
	noFile := filepath.Join(t.TempDir(), "none.json")
	const (
		accepted    = "; accepted: -addr, -allowed-keys, -application-id, -claims, -credentials, -fault, -function-name, -json and -version, see -help"
		freeAddress = "; accepted: a host:port that is free, such as localhost:8080"
		keyFile     = "; accepted: the JSON file that Voximplant issues for a service account"
	)
	tests := []struct {
		name    string
		args    []string
		environ map[string]string
		want    []string
	}{
		{"an unknown flag", []string{"-port", "80"}, nil, []string{"-port", accepted}},
		{"a flag without its value", []string{"-addr"}, nil, []string{"-addr", accepted}},
		{"an argument", []string{"serve"}, nil, []string{`unexpected argument "serve"`, accepted}},
		{"a port in use", []string{"-addr", taken.Addr().String()}, nil, []string{`-addr "` + taken.Addr().String() + `": bind: `, freeAddress}},
		{"an address without a colon", []string{"-addr", "8080"}, nil, []string{`-addr "8080": `, "missing port", freeAddress}},
		{"a port that is none", []string{"-addr", "localhost:99999"}, nil, []string{`-addr "localhost:99999": `, freeAddress}},
		{"another machine's address", []string{"-addr", "192.0.2.1:0"}, nil, []string{`-addr "192.0.2.1:0": `, freeAddress}},
		{"an id without credentials", []string{"-application-id", "42"}, nil, []string{"-application-id needs -credentials"}},
		{"a fault with credentials", []string{"-fault", "slow", "-credentials", credentials, "-application-id", "42", "-allowed-keys", "*"}, nil, []string{"-fault goes without -credentials"}},
		{"a function name that is none", []string{"-function-name", "a b"}, nil, []string{`-function-name "a b"; accepted: 1 to 64 letters, digits, - and _`}},
		{"a fault that is none", []string{"-fault", "explode"}, nil, []string{`-fault "explode"; accepted: off, throttled, unavailable, slow, hang, garbage, refused`}},
		{"claims that are no JSON", []string{"-claims", "sub=secret"}, nil, []string{"-claims", "no JSON object", `accepted: claims such as {"sub":"42"}`}},
		{"claims that are a list", []string{"-claims", `["secret"]`}, nil, []string{"-claims", "no JSON object"}},
		{"a claim twice", []string{"-claims", `{"sub":"secret","sub":"42"}`}, nil, []string{"-claims", "no JSON object without repeated names"}},
		{"claims with credentials for everybody", []string{"-addr", "0.0.0.0:0", "-claims", `{"sub":"42"}`, "-credentials", credentials, "-application-id", "42", "-allowed-keys", "*"}, nil, []string{"-claims and -credentials go together at an address of this machine only", `-addr "0.0.0.0:0"`}},
		{"claims with credentials at any address", []string{"-addr", ":0", "-claims", `{"sub":"42"}`, "-credentials", credentials, "-application-id", "42", "-allowed-keys", "*"}, nil, []string{"-claims and -credentials go together"}},
		{"a file that is not there", []string{"-credentials", noFile, "-application-id", "42", "-allowed-keys", "*"}, nil, []string{"-credentials: ", noFile, "no such file", keyFile}},
		{"a directory", []string{"-credentials", filepath.Dir(noFile), "-application-id", "42", "-allowed-keys", "*"}, nil, []string{"-credentials: ", filepath.Dir(noFile), keyFile}},
		{"a file that is no key", []string{"-credentials", file(t, "x", []byte("secret")), "-application-id", "42", "-allowed-keys", "*"}, nil, []string{"-credentials: ", "not a JSON object", keyFile}},
		{"a file without a key", []string{"-credentials", file(t, "x", []byte(`{"account_id":1,"key_id":"secret"}`)), "-application-id", "42", "-allowed-keys", "*"}, nil, []string{"-credentials: ", "private_key is missing", keyFile}},
		{"no application", []string{"-credentials", credentials, "-allowed-keys", "*"}, nil, []string{"-credentials needs -application-id, the number of the application"}},
		{"no keys", []string{"-credentials", credentials, "-application-id", "42"}, nil, []string{"-credentials needs -allowed-keys, the keys and prefix* patterns"}},
		{"an application that is no number", []string{"-credentials", credentials, "-application-id", "app", "-allowed-keys", "*"}, nil, []string{`-application-id is "app"; accepted: `}},
		{"keys that are none", []string{"-allowed-keys", "a b"}, nil, []string{"-allowed-keys is not accepted: pattern 1"}},
		{"keys of the environment that are none", nil, map[string]string{"ALLOWED_KEYS": "a b"}, []string{"ALLOWED_KEYS is not accepted: pattern 1"}},
		{"a malformed setting", nil, map[string]string{"CACHE_MAX_AGE": "60"}, []string{`CACHE_MAX_AGE is "60"; accepted: `}},
		{"a malformed setting for the real API", []string{"-credentials", credentials, "-application-id", "42", "-allowed-keys", "*"}, map[string]string{"LOG_LEVEL": "loud"}, []string{`LOG_LEVEL is "loud"; accepted: `}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.environ == nil {
				tt.environ = map[string]string{}
			}
			args := tt.args
			if len(args) == 0 || args[0] != "-addr" {
				args = append([]string{"-addr", "127.0.0.1:0"}, args...)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := run(ctx, args, tt.environ, noWriter{t, cancel}, noWriter{t, cancel})
			if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
				t.Fatalf("run(%q) = %v; want an error of one line that shows no secret", args, err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("run(%q) = %v; want %q in it", args, err, part)
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
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	args := []string{"-addr", taken.Addr().String(), "-function-name", "a b", "-fault", "explode", "-credentials", filepath.Join(t.TempDir(), "none.json")}
	err = run(ctx, args, map[string]string{"CACHE_MAX_AGE": "60"}, noWriter{t, cancel}, noWriter{t, cancel})
	want := []string{
		"-function-name ", "-fault ", "-credentials: auth: open ", "-credentials needs -allowed-keys, ", "CACHE_MAX_AGE is ", "-credentials needs -application-id, ", "-addr ",
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

// A pipeListener hands out connections that have no socket, so that a test can
// run in a synctest bubble.
type pipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

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
				listener := pipeListener{make(chan net.Conn), make(chan struct{})}
				if tt.work > 0 {
					client, server := net.Pipe()
					defer client.Close()
					go func() {
						listener.accepted <- server
						io.WriteString(client, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
						io.Copy(io.Discard, client)
					}()
				}
				ended := make(chan error)
				go func() {
					ended <- serve(ctx, listener, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(tt.work) }), io.Discard)
				}()
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
