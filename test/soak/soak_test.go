// Package soak runs the function under load for as long as VOXKV_SOAK says, a
// number of requests, while the storage changes and the API fails, and holds
// every single answer to what the storage held at the time.
package soak_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/internal/e2etest"
	"voxkv/internal/function"
	"voxkv/internal/settings"
)

const (
	shortTime  = 3 * time.Second // a short run is slowed down to this, or nothing would expire
	tellingRun = 20_000          // from here on memory is judged
	hiddenKeys = 50
	keyCount   = 2000
)

// soakSettings make everything happen often: copies get old, items end, and the
// copies do not hold all keys.
var soakSettings = []string{
	"ALLOWED_KEYS=soak:*", "CACHE_MAX_AGE=4s", "LOCAL_MAX_AGE=700ms", "NOT_FOUND_MAX_AGE=1s", "STALE_MAX_AGE=3s",
	"LOCAL_MAX_ITEMS=1000", "UPSTREAM_TIMEOUT=4s",
}

var told = limits{ceiling: 4 * time.Second, local: 700 * time.Millisecond, stale: 3 * time.Second, absence: 700 * time.Millisecond, timeout: 4 * time.Second}

// requests is how many the run has.
func requests(t *testing.T) int {
	t.Helper()
	text := os.Getenv("VOXKV_SOAK")
	if text == "" {
		t.Skip("VOXKV_SOAK is not set: make soak")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 {
		t.Fatalf("VOXKV_SOAK is %q; accepted: a number of requests, at least 100", text)
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

// A run is one soak.
type run struct {
	t        *testing.T
	storm    *storm
	oracle   *oracle
	requests int
	clients  int
	open     func() door
	measure  func() measurement

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
	r.storm = &storm{world: world, keys: keys, short: requests < tellingRun, progress: func() float64 {
		return float64(r.asked.Load()) / float64(requests)
	}}
	r.oracle = newOracle(told, keys, r.storm.troubled, r.storm.late)
	r.storm.oracle = r.oracle
	r.storm.fill()
	for i := range hiddenKeys {
		world.Voximplant.Put(hidden(i), marker+"hidden", time.Now().Add(24*time.Hour))
	}
	return r
}

// A measurement is what may not grow.
type measurement struct {
	memory, peak int64 // bytes; peak is 0 where it is not known
	files        int   // open, or 0
	goroutines   int   // or 0
}

func (m measurement) String() string {
	text := fmt.Sprintf("%.1f MB", float64(m.memory)/1e6)
	if m.peak > 0 {
		text += fmt.Sprintf(" (peak %.1f)", float64(m.peak)/1e6)
	}
	if m.files > 0 {
		text += fmt.Sprintf(", %d open files", m.files)
	}
	if m.goroutines > 0 {
		text += fmt.Sprintf(", %d goroutines", m.goroutines)
	}
	return text
}

// do runs the storm and the clients to the end and tells the figures.
func (r *run) do() {
	r.t.Helper()
	ctx, stop := context.WithCancel(r.t.Context())
	var weather, crowd sync.WaitGroup
	weather.Go(func() { r.storm.run(ctx) })
	began := time.Now()
	doors := make([]door, r.clients)
	for i := range doors {
		doors[i] = r.open()
		crowd.Go(func() { r.client(ctx, doors[i]) })
	}
	quarter := r.at(ctx, 0.25)
	crowd.Wait()
	took := time.Since(began)
	stop()
	weather.Wait()
	end := r.measured()
	r.tell(took, quarter, end)
	r.recovers(doors[0])
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

// measured measures while nobody asks.
func (r *run) measured() measurement {
	r.pause.Lock()
	defer r.pause.Unlock()
	return r.measure()
}

// client asks until there is nothing left to ask, or too much was wrong.
func (r *run) client(ctx context.Context, d door) {
	c := newClient(d, r.oracle, r.storm.keys)
	pace := shortTime * time.Duration(r.clients) / time.Duration(r.requests)
	if !r.storm.short {
		pace = 0
	}
	for r.asked.Add(1) <= int64(r.requests) && !r.hopeless() {
		next := time.Now().Add(pace)
		r.pause.RLock()
		err := c.ask(ctx)
		r.pause.RUnlock()
		if err != nil {
			r.wrong.Add(1)
			r.t.Error(err)
		}
		time.Sleep(time.Until(next))
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
	if r.requests < tellingRun {
		return
	}
	const slack = 8 << 20
	if end.memory > quarter.memory*5/4+slack || end.peak > quarter.peak*5/4+slack {
		r.t.Errorf("memory grew from %v to %v", quarter, end)
	}
	if end.files > quarter.files+16 || end.goroutines > quarter.goroutines+2*r.clients+32 {
		r.t.Errorf("from %v to %v", quarter, end)
	}
}

// recovers holds that the function gets well once upstream is.
func (r *run) recovers(d door) {
	c := newClient(d, r.oracle, r.storm.keys)
	deadline := time.Now().Add(aftermath)
	for {
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
			r.t.Errorf("after %v without faults: %v", aftermath, c.counts)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// TestLocalServer is the function behind net/http, in this process.
func TestLocalServer(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newRun(t, requests(t), 16)
	api := httptest.NewServer(r.storm.world.Voximplant)
	defer api.Close()
	environ := map[string]string{}
	for _, variable := range r.storm.world.Environment(append(soakSettings, "VOXIMPLANT_API_URL="+api.URL+"/platform_api")...) {
		name, value, _ := strings.Cut(variable, "=")
		environ[name] = value
	}
	log := new(logChecker)
	front := httptest.NewServer(build(t, environ, log))
	defer front.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: r.clients}
	r.open = func() door { return &server{root: front.URL, client: &http.Client{Transport: transport}} }
	r.measure = func() measurement {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return measurement{memory: int64(m.HeapAlloc), files: openFiles(os.Getpid()), goroutines: runtime.NumGoroutine()}
	}
	r.do()
	if n := log.leaks.Load(); n > 0 {
		t.Errorf("%d of %d log lines hold a value", n, log.lines.Load())
	}
	transport.CloseIdleConnections()
	front.Close()
	api.Close()
	r.storm.world.Close()
	checkGoroutines(t, before)
}

// build does what cmd/lambda does.
func build(t *testing.T, environ map[string]string, log *logChecker) http.Handler {
	t.Helper()
	s, err := settings.Read(environ)
	if err != nil {
		t.Fatal(err)
	}
	client, err := function.SecretsManager(environ)
	if err != nil {
		t.Fatal(err)
	}
	secret := &auth.Secret{ID: s.SecretID, GetSecretValue: client.GetSecretValue}
	f, err := function.New(s, secret.Key, "soak", slog.New(slog.NewJSONHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	f.Warm(t.Context())
	return f
}

// A logChecker is where the log goes.
type logChecker struct{ lines, leaks atomic.Int64 }

func (l *logChecker) Write(p []byte) (int, error) {
	l.lines.Add(1)
	if bytes.Contains(p, []byte(marker)) {
		l.leaks.Add(1)
	}
	return len(p), nil
}

// checkGoroutines waits for those of the function to end, but for the idle
// connections that its own clients keep.
func checkGoroutines(t *testing.T, before int) {
	t.Helper()
	var now int
	for range 100 {
		if now = runtime.NumGoroutine(); now <= before+4 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before:\n%s", now, before, stacks[:runtime.Stack(stacks, true)])
}

func openFiles(pid int) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0 // there is no /proc
	}
	return len(entries)
}

// TestBootstrap is the real binary, called as Lambda does: one request after
// the other, and several at once as on Managed Instances.
func TestBootstrap(t *testing.T) {
	n := requests(t)
	bootstrap, err := e2etest.Build(t.Context(), t.TempDir(), "voxkv/cmd/lambda")
	if err != nil {
		t.Fatal(err)
	}
	alone := n * 2 / 5
	if n < tellingRun {
		alone = n / 8 // one after the other they wait for each fault
	}
	t.Run("sequential", func(t *testing.T) { soakBootstrap(t, bootstrap, alone, 1) })
	t.Run("concurrent", func(t *testing.T) { soakBootstrap(t, bootstrap, n-alone, 8) })
}

func soakBootstrap(t *testing.T, bootstrap string, requests, workers int) {
	if requests < tellingRun/8 {
		t.Parallel() // it mostly waits
	}
	r := newRun(t, requests, workers)
	environ := append(soakSettings, "LOG_LEVEL=error")
	if workers > 1 {
		environ = append(environ, "AWS_LAMBDA_MAX_CONCURRENCY="+strconv.Itoa(workers))
	}
	process, err := r.storm.world.Start(t.Context(), bootstrap, environ...)
	if err != nil {
		t.Fatal(err)
	}
	defer process.Stop()
	r.open = func() door { return &lambda{process} }
	r.measure = func() measurement {
		peak, err := process.PeakRSS()
		if err != nil {
			t.Log(err) // no Linux
		}
		return measurement{memory: residentMemory(process.PID()), peak: peak, files: openFiles(process.PID())}
	}
	r.do()
	if err := process.Violations(); err != nil {
		t.Error(err)
	}
	if strings.Contains(process.Output(), marker) {
		t.Error("the output holds a value")
	}
	countGoroutines(t, process, workers)
}

// residentMemory is in bytes, 0 where it is not known.
func residentMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(status))
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// A dumper is what countGoroutines needs of a process.
type dumper interface {
	Signal(os.Signal) error
	Wait(context.Context) error
	Output() string
}

// countGoroutines ends the process in the way that makes it list them.
func countGoroutines(t *testing.T, process dumper, workers int) {
	t.Helper()
	if err := process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := process.Wait(ctx); err == nil || ctx.Err() != nil {
		t.Fatalf("SIGQUIT: %v", err)
	}
	n := len(regexp.MustCompile(`(?m)^goroutine \d+ `).FindAllString(process.Output(), -1))
	t.Logf("  %d goroutines", n)
	if n == 0 || n > 40+6*workers {
		t.Errorf("%d goroutines with %d workers: %s", n, workers, process.Output())
	}
}
