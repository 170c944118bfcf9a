package examples

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/test/tools"
)

var update = flag.Bool("update", false, "write examples/javascript/types.d.ts anew")

const types = "../../examples/javascript/types.d.ts"

func TestNode(t *testing.T) {
	gated(t)
	node := need(t, "node")
	s := newStorage(t)
	dir := tools.NPM(t, "../../examples/javascript/voxkv.mjs", "voxkv.test.mjs")
	s.Put("order:short", "value", time.Now().Add(100*time.Second))
	environ := []string{"VOXKV_URL=" + serve(t, newFunction(t, s, nil))}
	t.Log(program{dir, environ, []string{node, "--test", "--test-reporter=spec", "voxkv.test.mjs"}}.output(t))
}

// TestTypes holds types.d.ts to openapi.yaml, and the module's own types to how it is used.
func TestTypes(t *testing.T) {
	gated(t)
	node := need(t, "node")
	dir := tools.NPM(t, "../../openapi.yaml", "../../examples/javascript/voxkv.d.mts", "../../examples/javascript/voxkv.mjs", "usage.mts")
	generated := filepath.Join(dir, "types.d.ts")
	program{dir: dir, command: []string{node, "node_modules/openapi-typescript/bin/cli.js", "openapi.yaml", "--output", "types.d.ts", "--empty-objects-unknown"}}.output(t)
	want, err := os.ReadFile(generated)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(types, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(types); err != nil || string(got) != string(want) {
		t.Errorf("%s is not what openapi.yaml gives (%v); write it anew with -update", types, err)
	}
	program{dir: dir, command: []string{node, "node_modules/typescript/bin/tsc",
		"--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "usage.mts"}}.output(t)
}

// A counter counts the requests to a function.
type counter struct {
	http.Handler
	mu   sync.Mutex
	seen map[string]int // by method and path
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.seen[r.Method+" "+r.URL.Path]++
	c.mu.Unlock()
	c.Handler.ServeHTTP(w, r)
}

// A visit is what a page of another origin saw.
type visit struct {
	Values       []string // of one item, read several times
	AbsentIsNull bool
	AbortIsAbort bool
	Code         string  // of a failure
	RetryAfter   float64 // milliseconds
	Last         []int64 // when an item was last held to be usable, in Unix milliseconds, for each function
}

// TestChromium has a page import the module. It reads from a function that lets caches store, and from one that lets only
// the browser do so.
func TestChromium(t *testing.T) {
	gated(t)
	node, chromium := need(t, "node"), need(t, "chromium")
	page := serve(t, http.FileServer(http.Dir(tools.NPM(t, "../../examples/javascript/voxkv.mjs", "page.html"))))
	dir := tools.NPM(t, "chromium.mjs")
	s := newStorage(t)
	shared := &counter{Handler: newFunction(t, s, nil), seen: map[string]int{}}
	private := newFunction(t, s, map[string]string{"CACHE_SCOPE": "private"})
	// Its life begins when it is first asked for: who knows how long Chromium takes to start?
	var end time.Time
	var born sync.Once
	s.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Form.Get("key") == "order:ends" {
			born.Do(func() {
				end = time.Now().Add(14 * time.Second).Truncate(time.Second)
				s.Put("order:ends", "value", end)
			})
		}
		return fail(w, r)
	})
	plan, err := json.Marshal(map[string]any{
		"chromium": chromium, "page": page + "/page.html", "ends": "order:ends",
		"functions": []string{serve(t, shared), serve(t, private)},
	})
	if err != nil {
		t.Fatal(err)
	}
	stdout := program{dir: dir, command: []string{node, "chromium.mjs", string(plan)}}.output(t)
	var seen visit
	if err := json.Unmarshal([]byte(stdout), &seen); err != nil {
		t.Fatalf("chromium.mjs printed %s: %v", stdout, err)
	}
	judgeVisit(t, seen, end)
	if n := shared.seen["GET /v1/items/ключЁё"]; n != 1 {
		t.Errorf("the function was asked %d times for an item that the browser may cache; want once", n)
	}
	for request, n := range shared.seen {
		if strings.HasPrefix(request, http.MethodOptions) {
			t.Errorf("%s: %d preflights", request, n)
		}
	}
}

func judgeVisit(t *testing.T, seen visit, end time.Time) {
	t.Helper()
	value := "value of ключЁё"
	if !slices.Equal(seen.Values, []string{value, value, value, value, value}) || !seen.AbsentIsNull || !seen.AbortIsAbort {
		t.Errorf("the page saw %+v; want the item five times, an absence and an abort", seen)
	}
	if seen.Code != "upstream_busy" || seen.RetryAfter != 7000 {
		t.Errorf("the page saw %s and %v ms; want upstream_busy and 7000 ms", seen.Code, seen.RetryAfter)
	}
	for i, scope := range []string{"public", "private"} {
		switch before := end.Sub(time.UnixMilli(seen.Last[i])); {
		case before <= 0:
			t.Errorf("%s: the page held an item to be usable %v after its end", scope, -before)
		case before > 6*time.Second:
			t.Errorf("%s: the page held no item to be usable for the last %v of its life", scope, before)
		default:
			t.Logf("%s: the page last held an item to be usable %v before its end", scope, before)
		}
	}
}
