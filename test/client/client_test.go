// Package client builds the npm package of client/, runs its tests and checks, and uses what it packs as others would: in
// pages of another origin in Chromium and Firefox, plain and made with Vite and React, in Node.js and in an edge worker,
// against cmd/local. It needs node, npm, the browsers and, once, the npm registry, and so runs only when VOXKV_CLIENT is set.
package client

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"voxkv/test/tools"
)

func TestClient(t *testing.T) {
	tools.Gate(t, "VOXKV_CLIENT")
	tarball := filepath.Join(t.TempDir(), "voxkv-client.tgz")
	t.Run("package", func(t *testing.T) {
		pack(t, tarball, []string{"npm", "test"}, []string{"npm", "run", "check"}, []string{"npm", "pack"})
	})
	if _, err := os.Stat(tarball); err != nil {
		return // the subtest has said why
	}
	dir := project(t, tarball)
	local := tools.BuildLocal(t)
	live := newGateway(t, serve(t, local, "CACHE_MAX_AGE=2s", "LOCAL_MAX_AGE=0s"))
	private := newGateway(t, serve(t, local, "CACHE_SCOPE=private", "LOCAL_MAX_AGE=0s"))
	t.Run("Node.js", func(t *testing.T) { inNode(t, dir, live) })
	t.Run("worker", func(t *testing.T) { inWorker(t, dir, live) })
	tools.Program{Dir: filepath.Join(dir, "page"), Command: []string{"node", "../node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"}}.Output(t)
	pages := tools.Serve(t, http.FileServer(http.Dir(dir)))
	for _, b := range tools.Browsers(t) {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			tools.Visit(t, dir, "browser.mjs", map[string]any{
				"browser": b.Engine, "executable": b.Executable, "pages": pages, "live": live.plan(), "private": private.plan(),
			})
		})
	}
}

// serve starts cmd/local, which serves any key, and returns where it is.
func serve(t *testing.T, binary string, environ ...string) string {
	t.Helper()
	url, _ := tools.StartLocal(t, binary, environ, "-allowed-keys", "*")
	return url
}

// pack runs commands in a copy of client/, and leaves at tarball what they have packed.
func pack(t *testing.T, tarball string, commands ...[]string) {
	t.Chdir("../../client")
	dir := tools.NPM(t, "package.json", "package-lock.json", "tsconfig.json", "README.md", "LICENSE")
	for _, name := range []string{"src", "test"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range commands {
		tools.Program{Dir: dir, Command: command}.Output(t)
	}
	packed, err := filepath.Glob(filepath.Join(dir, "voxkv-client-*.tgz"))
	if err != nil || len(packed) != 1 {
		t.Fatalf("npm pack left %v, %v", packed, err)
	}
	if err := os.Rename(packed[0], tarball); err != nil {
		t.Fatal(err)
	}
}

// project returns a directory in which the package is installed twice: beside the programs that use it, and in page, where
// the example for React is. At its root are the plain page and the bundle, as on a web server.
func project(t *testing.T, tarball string) string {
	t.Helper()
	const examples = "../../examples/javascript/"
	dir := tools.NPM(t, "browser.mjs", "worker.mjs", examples+"index.html", examples+"node.mjs")
	for _, name := range []string{"page", "programs"} {
		into := filepath.Join(dir, name)
		err := errors.Join(os.Mkdir(into, 0o755), os.WriteFile(filepath.Join(into, "package.json"), []byte(`{"private":true,"type":"module"}`), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		install := []string{"npm", "install", "--offline", "--no-audit", "--no-fund", "--legacy-peer-deps", tarball}
		tools.Program{Dir: into, Command: install}.Output(t)
	}
	copies := map[string]string{
		filepath.Join(dir, "programs/node_modules/voxkv-client/dist/voxkv-client.min.js"): "voxkv-client.min.js",
		examples + "node.mjs": "programs/node.mjs", examples + "worker.mjs": "programs/worker.mjs",
	}
	for _, name := range []string{"index.html", "main.jsx", "vite.config.js"} {
		copies[examples+"react/"+name] = "page/" + name
	}
	for _, from := range slices.Sorted(maps.Keys(copies)) {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, copies[from]), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func inNode(t *testing.T, dir string, g *gateway) {
	node := exec.CommandContext(t.Context(), "node", "node.mjs", "order:node")
	node.Dir, node.Env = filepath.Join(dir, "programs"), append(os.Environ(), "VOXKV_URL="+g.url+"/open")
	tools.Put(t, g.local, "order:node", "ringing", "1h")
	lines := bufio.NewReader(tools.Start(t, node))
	for _, value := range []string{"ringing", "answered"} {
		if got, err := lines.ReadString('\n'); err != nil || got != value+"\n" {
			t.Fatalf("node.mjs printed %q, %v; want %s", got, err, value)
		}
		tools.Put(t, g.local, "order:node", "answered", "1h")
	}
	// It obeys, since nothing is left that keeps it.
	if err := errors.Join(node.Process.Signal(os.Interrupt), node.Wait()); err != nil {
		t.Error(err)
	}
}

func inWorker(t *testing.T, dir string, g *gateway) {
	tools.Put(t, g.local, "order:worker", "ringing", "1h")
	var seen []struct {
		CompatibilityDate, Path, Body string
		Status                        int
	}
	tools.Program{Dir: dir, Environ: []string{"VOXKV_URL=" + g.url + "/open"}, Command: []string{"node", "worker.mjs", "programs/worker.mjs"}}.Report(t, &seen)
	if len(seen) == 0 {
		t.Error("worker.mjs has asked for nothing")
	}
	want := map[string]string{"/order:worker": "200 ringing", "/order:absent": "404 no item", "/no%20key": "400 Not a key"}
	for _, s := range seen {
		if got := fmt.Sprint(s.Status, " ", s.Body); !strings.HasPrefix(got, want[s.Path]) {
			t.Errorf("%s, in a worker of %s: %s; want %s", s.Path, s.CompatibilityDate, got, want[s.Path])
		}
	}
}
