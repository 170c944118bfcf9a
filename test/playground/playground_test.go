// Package playground uses the page of cmd/local in Chromium as people do: by mouse and by keyboard, on a phone and on a
// desk, in light and in dark. It needs Chromium, node, npm and, once, the npm registry, and so runs only when
// VOXKV_PLAYGROUND is set. Pictures of the page are left in the directory VOXKV_SCREENSHOTS, if that is set; of the visits to
// the embedded storage VOXKV_VISIT, a part of their names, chooses some.
package playground

import (
	"os/exec"
	"testing"
	"time"

	"voxkv/internal/voximplanttest"
	"voxkv/test/tools"
)

func TestPlayground(t *testing.T) {
	tools.Gate(t, "VOXKV_PLAYGROUND")
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skipf("NOT CHECKED in a browser: %v; test/caches/install.sh -browser installs it", err)
	}
	dir := tools.NPM(t, "playground.mjs")
	binary := tools.BuildLocal(t)
	t.Setenv("UPSTREAM_TIMEOUT", "1m") // a storage that hangs does so until it is told to answer, also on a busy machine
	t.Setenv("CACHE_MAX_AGE", "15m")   // copies of all kinds live for as long as all visits take
	t.Setenv("LOCAL_MAX_AGE", "0s")
	forgetful := serve(t, binary)
	t.Setenv("LOCAL_MAX_AGE", "15m")
	tools.Visit(t, dir, "playground.mjs", map[string]any{
		"chromium":    chromium,
		"embedded":    serve(t, binary),
		"forgetful":   forgetful,
		"real":        serve(t, binary, realAPI(t)...),
		"screenshots": tools.Pictures(t),
	})
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
	api := tools.NewStorage(t, &voximplanttest.Server{ApplicationID: 42})
	api.Put("order:1", "for real", time.Now().Add(time.Hour))
	api.Put("order:endless", "for ever", time.Time{})
	t.Setenv("VOXIMPLANT_API_URL", api.URL+"/platform_api")
	return []string{"-credentials", api.CredentialsFile(t), "-application-id", "42", "-allowed-keys", "order:*"}
}
