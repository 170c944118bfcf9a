package livepage

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"voxkv/test/tools"
)

// testRefusals: where the command cannot do what it is for, it says why and what to do, and ends.
func testRefusals(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args    []string
		environ []string
		want    string
	}{
		"port in use":          {[]string{"--port", port}, nil, "port " + port + " is in use; choose another"},
		"no port":              {[]string{"--port", "http"}, nil, "--port http: accepted is a number"},
		"no such option":       {[]string{"--prot", "1"}, nil, "--scenario FILE"},
		"no such scenario":     {[]string{"--scenario", "absent.js"}, nil, "--scenario absent.js: there is no such file"},
		"no URL":               {[]string{"--url", "kv.example.com"}, nil, "--url kv.example.com: accepted is one like https://"},
		"no Go":                {[]string{"--port", "0"}, []string{"PATH=" + t.TempDir()}, "go is missing; https://go.dev/dl has it"},
		"Go cannot build":      {[]string{"--port", "0"}, []string{"GOFLAGS=-mod=absent"}, "-mod=absent"},
		"voxkv does not start": {[]string{"--port", "0"}, []string{"UPSTREAM_TIMEOUT=soon"}, "cmd/local does not start: local: UPSTREAM_TIMEOUT"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := tools.Program{Environ: test.environ, Command: append([]string{node, command}, test.args...)}.Run(t)
			if code != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, stderr %q; want 1 and %q", code, stderr, test.want)
			}
		})
	}
}

// testScenarios: a scenario that fails is told to who calls, and harms no other.
func testScenarios(t *testing.T) {
	const order = `{"order":"1","customer":"you"}`
	scenario := filepath.Join(t.TempDir(), "scenario.js")
	write := func(t *testing.T, text string) {
		t.Helper()
		if err := os.WriteFile(scenario, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(t, "")
	page := start(t, "--scenario", scenario).page
	for name, test := range map[string]struct{ scenario, body, want string }{
		"is no JavaScript":     {"VoxEngine.", order, "The scenario has failed: Unexpected end of input"},
		"throws":               {"throw new Error('broken')", order, "The scenario has failed: broken"},
		"throws at the start":  {"VoxEngine.addEventListener(AppEvents.Started, () => missing())", order, "The scenario has failed: missing is not defined"},
		"has no module":        {"ApplicationStorage.put('a', 'b', 1)", order, "The scenario has failed: ApplicationStorage is not required"},
		"ends before the call": {"VoxEngine.addEventListener(AppEvents.Started, () => VoxEngine.terminate())", order, "has ended the session before the call began"},
		"is asked for nothing": {"", "{}", "accepted: order of up to 10 digits"},
		"is asked for no JSON": {"", "order", "accepted: JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, test.scenario)
			if status, body := tools.Send(t, http.MethodPost, page+"/call", test.body, "Content-Type", "application/json"); status != http.StatusConflict || !strings.Contains(body, test.want) {
				t.Errorf("%d %s; want 409 and %q", status, body, test.want)
			}
			if status, body := tools.Get(t, page); status != http.StatusOK || !strings.Contains(body, "<!doctype html>") {
				t.Errorf("afterwards: %d %s; want the page", status, body)
			}
		})
	}
}

// testEnd: Ctrl-C ends voxkv too, and leaves nothing behind.
func testEnd(t *testing.T) {
	temporary := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "node", command, "--port", "0")
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	voxkv := running{"", bufio.NewReader(tools.Start(t, cmd))}.after(t, "voxkv is at http://")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(temporary, "voxkv-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	for {
		connection, err := net.Dial("tcp", voxkv)
		if err != nil {
			return
		}
		connection.Close()
		time.Sleep(100 * time.Millisecond) // it has been told to end
	}
}
