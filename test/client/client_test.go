// Package client builds the npm package of client/, runs its tests and checks, and uses what it packs as others would: in
// pages of another origin in Chromium and Firefox, plain and made with Vite and React, in Node.js and in an edge worker,
// against cmd/local. It needs node, npm, the browsers and, once, the npm registry, and so runs only when VOXKV_CLIENT is set.
package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"voxkv/test/tools"
)

func TestClient(t *testing.T) {
	if os.Getenv("VOXKV_CLIENT") == "" {
		t.Skip("VOXKV_CLIENT is not set")
	}
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
	vite := program{dir: filepath.Join(dir, "page"), command: []string{"node", "../node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"}}
	if out, err := vite.run(t); err != nil {
		t.Fatalf("vite build: %v\n%s", err, out)
	}
	pages := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(pages.Close)
	for _, b := range []struct{ name, engine, program string }{{"Chromium", "chrome", "chromium"}, {"Firefox", "firefox", "firefox-esr"}} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			executable, err := exec.LookPath(b.program)
			if err != nil {
				t.Skipf("NOT CHECKED in %s: %v; test/caches/install.sh -browser installs it", b.name, err)
			}
			visit(t, dir, map[string]any{
				"browser": b.engine, "executable": executable, "pages": pages.URL,
				"live": live.plan(), "private": private.plan(),
			})
		})
	}
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
		out, err := program{dir: dir, command: command}.run(t)
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
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
		if out, err := (program{dir: into, command: install}).run(t); err != nil {
			t.Fatalf("npm install: %v\n%s", err, out)
		}
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
	node := program{dir: filepath.Join(dir, "programs"), environ: []string{"VOXKV_URL=" + g.url + "/open"}, command: []string{"node", "node.mjs", "order:node"}}
	g.put(t, "order:node", "ringing", "1h")
	process := node.start(t)
	if got := process.line(t); got != "ringing" {
		t.Errorf("node.mjs printed %q; want the value", got)
	}
	g.put(t, "order:node", "answered", "1h")
	if got := process.line(t); got != "answered" {
		t.Errorf("node.mjs printed %q; want the new value", got)
	}
	process.interrupt(t) // which it obeys, since nothing is left that keeps it
}

func inWorker(t *testing.T, dir string, g *gateway) {
	g.put(t, "order:worker", "ringing", "1h")
	worker := program{dir: dir, environ: []string{"VOXKV_URL=" + g.url + "/open"}, command: []string{"node", "worker.mjs", "programs/worker.mjs"}}
	out, err := worker.run(t)
	if err != nil {
		t.Fatalf("worker.mjs: %v\n%s", err, out)
	}
	var seen []struct {
		Date   string `json:"compatibilityDate"`
		Path   string `json:"path"`
		Status int    `json:"status"`
		Body   string `json:"body"`
	}
	if err := json.Unmarshal(out, &seen); err != nil || len(seen) == 0 {
		t.Fatalf("worker.mjs printed %q: %v", out, err)
	}
	want := map[string]string{"/order:worker": "200 ringing", "/order:absent": "404 no item", "/no%20key": "400 Not a key"}
	for _, s := range seen {
		if got := fmt.Sprint(s.Status, " ", s.Body); !strings.HasPrefix(got, want[s.Path]) {
			t.Errorf("%s, in a worker of %s: %s; want %s", s.Path, s.Date, got, want[s.Path])
		}
	}
}

// visit has browser.mjs use the pages, and reports what it has to complain about.
func visit(t *testing.T, dir string, plan map[string]any) {
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	out, err := program{dir: dir, command: []string{"node", "browser.mjs", string(text)}}.run(t)
	var report struct {
		Complaints map[string][]string `json:"complaints"`
		Table      []string            `json:"table"`
	}
	if err != nil || json.Unmarshal(out, &report) != nil || len(report.Complaints) == 0 {
		t.Fatalf("browser.mjs: %v\n%s", err, out)
	}
	for _, name := range slices.Sorted(maps.Keys(report.Complaints)) {
		t.Run(name, func(t *testing.T) {
			for _, complaint := range report.Complaints[name] {
				t.Error(complaint)
			}
		})
	}
	for _, row := range report.Table {
		io.WriteString(t.Output(), row+"\n")
	}
}
