// Package playground uses the page of cmd/local in Chromium as people do: by mouse and by keyboard, on a phone and on a
// desk, in light and in dark. It needs Chromium, node, npm and, once, the npm registry, and so runs only when
// VOXKV_PLAYGROUND is set. Pictures of the page are left in the directory VOXKV_SCREENSHOTS, if that is set; of the visits to
// the embedded storage VOXKV_VISIT, a part of their names, chooses some.
package playground

import (
	"context"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"voxkv/internal/voximplanttest"
	"voxkv/test/tools"
)

// patience bounds the visits, which take a minute or two where nothing else runs.
const patience = 10 * time.Minute

func TestPlayground(t *testing.T) {
	if os.Getenv("VOXKV_PLAYGROUND") == "" {
		t.Skip("VOXKV_PLAYGROUND is not set")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skipf("NOT CHECKED in a browser: %v; test/caches/install.sh -browser installs it", err)
	}
	dir := tools.NPM(t, "playground.mjs")
	binary := tools.BuildLocal(t)
	t.Setenv("UPSTREAM_TIMEOUT", "1m") // a storage that hangs does so until it is told to answer, also on a busy machine
	t.Setenv("CACHE_MAX_AGE", "15m") // copies of all kinds live for as long as all visits take
	t.Setenv("LOCAL_MAX_AGE", "0s")
	forgetful := serve(t, binary)
	t.Setenv("LOCAL_MAX_AGE", "15m")
	plan, err := json.Marshal(map[string]any{
		"chromium":    chromium,
		"embedded":    serve(t, binary),
		"forgetful":   forgetful,
		"real":        serve(t, binary, realAPI(t)...),
		"screenshots": pictures(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	complaints := visit(t, dir, string(plan))
	for _, name := range slices.Sorted(maps.Keys(complaints)) {
		t.Run(name, func(t *testing.T) {
			for _, complaint := range complaints[name] {
				t.Error(complaint)
			}
		})
	}
}

// visit runs playground.mjs in dir, and returns its complaints by visit.
func visit(t *testing.T, dir, plan string) map[string][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "playground.mjs", plan)
	node.Dir, node.Stderr = dir, t.Output()
	// Playwright ends Chromium on SIGTERM.
	node.Cancel = func() error { return node.Process.Signal(syscall.SIGTERM) }
	node.WaitDelay = 5 * time.Second
	out, err := node.Output()
	var complaints map[string][]string
	if err != nil || json.Unmarshal(out, &complaints) != nil || len(complaints) == 0 {
		t.Fatalf("playground.mjs: %v\n%s", err, out)
	}
	return complaints
}

// serve starts cmd/local until the test ends, and returns where it is.
func serve(t *testing.T, binary string, args ...string) string {
	t.Helper()
	url, _ := tools.StartLocal(t, binary, nil, append([]string{"-addr", "localhost:0"}, args...)...)
	return url
}

// realAPI returns the arguments for a Management API that is not cmd/local's own.
func realAPI(t *testing.T) []string {
	t.Helper()
	account, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		t.Fatal(err)
	}
	api := &voximplanttest.Server{AccountID: 1, ApplicationID: 42}
	api.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	api.Put("order:1", "for real", time.Now().Add(time.Hour))
	api.Put("order:endless", "for ever", time.Time{})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	t.Setenv("VOXIMPLANT_API_URL", server.URL+"/platform_api")
	credentials := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(credentials, account.Credentials(), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-credentials", credentials, "-application-id", "42", "-allowed-keys", "order:*"}
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
