// Package soak runs the function under load for as long as VOXKV_SOAK says, a
// number of requests, while the storage changes and the API fails, and holds
// every single answer to what the storage held at the time.
package soak_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/runtimetest"
)

const (
	leastRequests = 50_000 // or too little expires, and memory tells nothing
	hiddenKeys    = 50
	keyCount      = 2000

	// patience is more than any machine takes for what takes a minute at most.
	patience = 5 * time.Minute
)

// settings make everything happen often: copies get old, items end, and the
// copies do not hold all keys.
var settings = []string{
	"ALLOWED_KEYS=soak:*", "CACHE_MAX_AGE=4s", "LOCAL_MAX_AGE=700ms", "NOT_FOUND_MAX_AGE=1s", "STALE_MAX_AGE=3s",
	"LOCAL_MAX_ITEMS=1000", "UPSTREAM_TIMEOUT=4s", "LOG_LEVEL=error",
}

var told = limits{ceiling: 4 * time.Second, local: 700 * time.Millisecond, stale: 3 * time.Second, absence: 700 * time.Millisecond}

// requests is how many the run has.
func requests(t *testing.T) int {
	t.Helper()
	text := os.Getenv("VOXKV_SOAK")
	if text == "" {
		t.Skip("VOXKV_SOAK is not set: make soak")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < leastRequests {
		t.Fatalf("VOXKV_SOAK is %q; accepted: a number of requests, at least %d", text, leastRequests)
	}
	return n
}

// keyNames use the whole alphabet; some differ only behind what a URL gives a meaning.
func keyNames() []string {
	endings := []string{"", "#a", "#b", "+", ";", ".", "-Ё", "_я", ":x", "#"}
	keys := make([]string, keyCount)
	for i := range keys {
		keys[i] = fmt.Sprintf("soak:%d%s", i/len(endings), endings[i%len(endings)])
	}
	return keys
}

func hidden(i int) string { return fmt.Sprintf("hidden:%d", i) }

// TestBootstrap is the real binary, called as Lambda does: one request after
// the other, and several at once as on Managed Instances.
func TestBootstrap(t *testing.T) {
	n := requests(t)
	bootstrap, err := e2etest.Build(t.Context(), t.TempDir(), "voxkv/cmd/lambda")
	if err != nil {
		t.Fatal(err)
	}
	alone := n * 2 / 5
	t.Run("sequential", func(t *testing.T) { soak(t, bootstrap, alone, 1) })
	t.Run("concurrent", func(t *testing.T) { soak(t, bootstrap, n-alone, 8) })
}

func soak(t *testing.T, bootstrap string, requests, workers int) {
	r := newRun(t, requests, workers)
	environ := slices.Clone(settings)
	if workers > 1 {
		environ = append(environ, "AWS_LAMBDA_MAX_CONCURRENCY="+strconv.Itoa(workers))
	}
	var err error
	if r.process, err = r.storm.world.Start(t.Context(), bootstrap, environ...); err != nil {
		t.Fatal(err)
	}
	defer r.process.Stop()
	r.do()
	if err := r.process.Violations(); err != nil {
		t.Error(err)
	}
	r.storm.world.Leaks.Check(t, "the output", r.process.Output())
	if strings.Contains(r.process.Output(), marker) {
		t.Error("the output holds a value")
	}
	r.countGoroutines()
}

// A run is one soak.
type run struct {
	t        *testing.T
	storm    *storm
	oracle   *oracle
	process  *runtimetest.Process
	requests int
	clients  int

	asked  atomic.Int64
	wrong  atomic.Int64
	pause  sync.RWMutex // held for reading during a request, for writing during a measurement
	counts map[string]int
}

func newRun(t *testing.T, requests, clients int) *run {
	world, err := e2etest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	r := &run{t: t, requests: requests, clients: clients, counts: map[string]int{}}
	keys := keyNames()
	r.storm = &storm{world: world, keys: keys, progress: func() float64 {
		return float64(r.asked.Load()) / float64(requests)
	}}
	r.oracle = newOracle(told, keys, r.storm.troubled, r.storm.trouble)
	r.storm.oracle = r.oracle
	r.storm.fill()
	for i := range hiddenKeys {
		world.Voximplant.Put(hidden(i), marker+"hidden", time.Now().Add(24*time.Hour))
	}
	return r
}

// do runs the storm and the clients to the end and tells the figures.
func (r *run) do() {
	r.t.Helper()
	ctx, stop := context.WithCancel(r.t.Context())
	var weather, crowd sync.WaitGroup
	weather.Go(func() { r.storm.run(ctx) })
	began := time.Now()
	for range r.clients {
		crowd.Go(func() { r.client(ctx) })
	}
	quarter := r.at(ctx, 0.25)
	crowd.Wait()
	took := time.Since(began)
	stop()
	weather.Wait()
	r.tell(took, quarter, r.measured())
	r.recovers()
}

// at waits for a part of the requests to be done and measures.
func (r *run) at(ctx context.Context, part float64) measurement {
	for r.storm.progress() < part && !r.hopeless() && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	return r.measured()
}

// hopeless reports whether enough is wrong to stop.
func (r *run) hopeless() bool { return r.wrong.Load() >= 10 }

// A measurement is what may not grow. It needs Linux; else it is 0.
type measurement struct {
	peak  int64 // of resident memory, in bytes
	files int   // open
}

func (m measurement) String() string {
	return fmt.Sprintf("%.1f MB at most, %d open files", float64(m.peak)/1e6, m.files)
}

// measured measures while nobody asks.
func (r *run) measured() measurement {
	r.pause.Lock()
	defer r.pause.Unlock()
	peak, err := r.process.PeakRSS()
	if err != nil {
		r.t.Log(err)
	}
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.process.PID()))
	return measurement{peak, len(files)}
}

// client asks until there is nothing left to ask, or too much was wrong.
func (r *run) client(ctx context.Context) {
	c := newClient(r.process, r.oracle, r.storm.keys)
	for r.asked.Add(1) <= int64(r.requests) && !r.hopeless() {
		r.pause.RLock()
		err := c.ask(ctx)
		r.pause.RUnlock()
		if err != nil {
			r.wrong.Add(1)
			r.t.Error(err)
		}
	}
	r.pause.Lock()
	defer r.pause.Unlock()
	for what, n := range c.counts {
		r.counts[what] += n
	}
}

// tell prints the figures and judges those of memory.
func (r *run) tell(took time.Duration, quarter, end measurement) {
	asked := min(r.asked.Load(), int64(r.requests))
	calls := int64(r.storm.world.Voximplant.Calls("GetKeyValueItem"))
	var statuses strings.Builder
	for _, what := range slices.Sorted(maps.Keys(r.counts)) {
		fmt.Fprintf(&statuses, "\n    %9d  %s", r.counts[what], what)
	}
	r.t.Logf(`%d requests of %d clients in %v, %.0f a second; %d wrong answers
  answers:%s
  upstream:   %d calls, one for %.1f requests; secret read %d times in %d rotations
  storage:    %d changes
  faults:     %s
  at 25 %%:    %v
  at the end: %v`,
		asked, r.clients, took.Round(time.Millisecond), float64(asked)/took.Seconds(), r.wrong.Load(), statuses.String(),
		calls, float64(asked)/float64(max(calls, 1)), r.storm.world.Secrets.Calls(), r.storm.rotations.Load(),
		r.storm.changes.Load(), r.storm.tell(), quarter, end)
	const slack = 8 << 20
	if end.peak > quarter.peak*5/4+slack || end.files > quarter.files+16 {
		r.t.Errorf("from %v to %v", quarter, end)
	}
}

// recovers holds that the function gets well once upstream is, which takes as long as the longest cooldown and longer where the
// machine is slow.
func (r *run) recovers() {
	c := newClient(r.process, r.oracle, r.storm.keys)
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		c.counts = map[string]int{}
		for _, key := range r.storm.keys[:50] {
			if err := c.item(r.t.Context(), key); err != nil {
				r.t.Error(err)
			}
		}
		if c.counts["502"]+c.counts["503"]+c.counts["504"] == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("after %v without faults: %v", patience, c.counts)
		}
	}
}

// countGoroutines ends the process in the way that makes it list them.
func (r *run) countGoroutines() {
	r.t.Helper()
	if err := r.process.Signal(syscall.SIGQUIT); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	if err := r.process.Wait(ctx); err == nil || ctx.Err() != nil {
		r.t.Fatalf("SIGQUIT: %v", err)
	}
	n := len(regexp.MustCompile(`(?m)^goroutine \d+ `).FindAllString(r.process.Output(), -1))
	r.t.Logf("  %d goroutines", n)
	if n == 0 || n > 40+6*r.clients {
		r.t.Errorf("%d goroutines with %d workers: %s", n, r.clients, r.process.Output())
	}
}
