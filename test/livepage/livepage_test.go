// Package livepage starts examples/live by its one command, and uses its page in Chromium and Firefox as people do. It needs
// node, npm, the browsers and, once, the npm registry, and so runs only when VOXKV_CLIENT is set. Pictures of the page are
// left in the directory VOXKV_SCREENSHOTS, if that is set.
package livepage

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"voxkv/test/tools"
)

const command = "../../examples/live/start.mjs"

func TestLivePage(t *testing.T) {
	tools.Gate(t, "VOXKV_CLIENT")
	installClient(t)
	dir := tools.NPM(t, "livepage.mjs")
	deployed := start(t, "--url", voxkv(t)).page
	for _, b := range tools.Browsers(t) {
		// Each has its own, since it takes voxkv down.
		page := start(t).page
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			tools.Visit(t, dir, "livepage.mjs", map[string]any{
				"browser": b.Engine, "executable": b.Executable, "page": page, "deployed": deployed, "screenshots": tools.Pictures(t),
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
	tools.Put(t, url, "order:7", "connected", "1h")
	return url
}
