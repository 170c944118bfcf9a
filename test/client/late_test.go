package client

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
	"voxkv/test/tools"
)

// A front is a way to an item.
type front struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Storage string `json:"storage"`
	Seconds int    `json:"seconds"` // CACHE_MAX_AGE
}

// changes is how many items are overwritten behind each front.
const changes = 20

// TestLate measures how late a page sees that a value was overwritten, with and without a shared cache. It takes three
// minutes and asserts nothing, and so runs only when VOXKV_CLIENT_TABLE is set.
func TestLate(t *testing.T) {
	tools.Gate(t, "VOXKV_CLIENT_TABLE")
	tarball := filepath.Join(t.TempDir(), "voxkv-client.tgz")
	t.Run("package", func(t *testing.T) { pack(t, tarball, []string{"npm", "pack"}) })
	dir := project(t, tarball)
	local := tools.BuildLocal(t)
	var fronts []front
	for _, seconds := range []int{2, 10, 60} {
		age := "CACHE_MAX_AGE=" + strconv.Itoa(seconds) + "s"
		root := serve(t, local, age, "LOCAL_MAX_AGE=0s")
		fronts = append(fronts, front{age, root, root + "/storage/", seconds})
		if varnish := shared(t, strings.TrimPrefix(root, "http://")); varnish != "" {
			fronts = append(fronts, front{age + ", Varnish", varnish, root + "/storage/", seconds})
		}
	}
	pages := tools.Serve(t, http.FileServer(http.Dir(dir)))
	for _, b := range tools.Browsers(t) {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			go others(t.Context(), fronts, b.Engine)
			tools.Visit(t, dir, "browser.mjs", map[string]any{"browser": b.Engine, "executable": b.Executable, "pages": pages, "fronts": fronts, "changes": changes})
		})
	}
}

// shared returns the root of a Varnish, which sends Age as CDNs do; "" if there is none.
func shared(t *testing.T, origin string) string {
	t.Helper()
	kinds := cachetest.Installed(t, cachetest.Kinds())
	varnish := slices.IndexFunc(kinds, func(k cachetest.Kind) bool { return k.Name == "Varnish" })
	if varnish < 0 {
		return ""
	}
	cache := cachetest.Start(t, kinds[varnish], origin)
	cache.Await(t)
	return cache.URL
}

// others read what the page of a browser watches, so that a shared cache has copies of all ages.
func others(ctx context.Context, fronts []front, engine string) {
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		for _, f := range fronts {
			for i := range changes {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL+"/v1/optional/"+key(i, engine), nil)
				if err != nil {
					return
				}
				if res, err := http.DefaultClient.Do(r); err == nil { // the page measures, not this
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

func key(i int, engine string) string { return engine + ":" + strconv.Itoa(i) }
