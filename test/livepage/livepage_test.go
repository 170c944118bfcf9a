// Package livepage starts examples/live by its one command, and uses its page in Chromium and Firefox as people do. It needs
// node, npm, the browsers and, once, the npm registry, and so runs only when VOXKV_CLIENT is set. Pictures of the page are
// left in the directory VOXKV_SCREENSHOTS, if that is set.
package livepage

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"voxkv/test/tools"
)

// patience bounds what one browser does, which takes three minutes.
const patience = 8 * time.Minute

const command = "../../examples/live/start.mjs"

func TestLivePage(t *testing.T) {
	if os.Getenv("VOXKV_CLIENT") == "" {
		t.Skip("VOXKV_CLIENT is not set")
	}
	installClient(t)
	dir := tools.NPM(t, "livepage.mjs")
	deployed := start(t, "--url", voxkv(t)).page
	for _, b := range []struct{ name, engine, program string }{{"Chromium", "chrome", "chromium"}, {"Firefox", "firefox", "firefox-esr"}} {
		// Each has its own, since it takes voxkv down.
		page := start(t).page
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			executable, err := exec.LookPath(b.program)
			if err != nil {
				t.Skipf("NOT CHECKED in %s: %v; test/caches/install.sh -browser installs it", b.name, err)
			}
			visit(t, dir, map[string]any{
				"browser": b.engine, "executable": executable, "page": page, "deployed": deployed, "screenshots": pictures(t),
			})
		})
	}
	t.Run("refusals", testRefusals)
	t.Run("scenarios", testScenarios)
	t.Run("end", testEnd)
}

// installClient puts what builds client/ where npm ci would put it, unless that was done.
func installClient(t *testing.T) {
	t.Helper()
	const modules = "../../client/node_modules"
	if _, err := os.Stat(modules); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	link, err := filepath.Abs(modules)
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../../client")
	installed := filepath.Join(tools.NPM(t), "node_modules")
	t.Chdir(here)
	target, err := os.Readlink(installed)
	if err == nil {
		err = os.Symlink(target, link)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(link); err != nil {
			t.Error(err)
		}
	})
}

// A running is examples/live, and where it says that its parts are.
type running struct {
	page  string
	lines *bufio.Reader
}

// start runs the one command until the test ends.
func start(t *testing.T, args ...string) running {
	t.Helper()
	out := tools.Start(t, exec.CommandContext(t.Context(), "node", append([]string{command, "--port", "0"}, args...)...))
	r := running{"", bufio.NewReader(out)}
	r.page = r.after(t, "Open ")
	return r
}

// after waits for the line that begins so, and returns its next word.
func (r running) after(t *testing.T, prefix string) string {
	t.Helper()
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			t.Fatalf("no line %q...: %v", prefix, err)
		}
		if rest, found := strings.CutPrefix(line, prefix); found {
			word, _, _ := strings.Cut(strings.Fields(rest)[0], "/?")
			return strings.TrimSuffix(word, ",")
		}
	}
}

// voxkv stands for one that is deployed: pages of every origin may read it, and there is an item order:7.
func voxkv(t *testing.T) string {
	t.Helper()
	url, _ := tools.StartLocal(t, tools.BuildLocal(t), nil, "-addr", "localhost:0", "-allowed-keys", "order:*")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/storage/order:7?ttl=1h", strings.NewReader("connected"))
	if err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, request); status != http.StatusNoContent {
		t.Fatalf("PUT: %d %s", status, body)
	}
	return url
}

func do(t *testing.T, request *http.Request) (status int, body string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// visit has livepage.mjs use the page, and reports what it has to complain about.
func visit(t *testing.T, dir string, plan map[string]any) {
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "livepage.mjs", string(text))
	node.Dir, node.Stderr = dir, t.Output()
	node.Cancel = func() error { return node.Process.Signal(syscall.SIGTERM) } // on which Puppeteer ends its browser
	node.WaitDelay = 5 * time.Second
	out, err := node.Output()
	var complaints map[string][]string
	if err != nil || json.Unmarshal(out, &complaints) != nil || len(complaints) == 0 {
		t.Fatalf("livepage.mjs: %v\n%s", err, out)
	}
	for _, name := range slices.Sorted(maps.Keys(complaints)) {
		t.Run(name, func(t *testing.T) {
			for _, complaint := range complaints[name] {
				t.Error(complaint)
			}
		})
	}
}

// pictures are the directories for pictures of the page.
func pictures(t *testing.T) []string {
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
