//go:build linux

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/internal/e2etest"
)

// The tests in this file do not run beside others: the race detector is slow,
// and what is slow enough is asked again.

// newRacing is newSandbox with the race detector and several requests at once.
// Whatever it reports is in the output, and fails the test.
func newRacing(t *testing.T, settings ...string) *sandbox {
	t.Helper()
	bootstrap, err := racing()
	if err != nil {
		t.Skip("NOT TESTED: ", err)
	}
	s := newWorld(t)
	s.start(t, bootstrap, append([]string{fmt.Sprint("AWS_LAMBDA_MAX_CONCURRENCY=", callers)}, settings...)...)
	return s
}

// A crowd is many callers who ask for few keys.
type crowd struct {
	mu    sync.Mutex // guards calls
	calls map[string]int
}

// newCrowd fills the storage, and counts what it is asked for.
func newCrowd(s *sandbox, keys int) *crowd {
	c := &crowd{calls: map[string]int{}}
	for i := range keys {
		s.Voximplant.Put(fmt.Sprint("order:c", i), fmt.Sprint("value ", i), time.Now().Add(time.Hour))
	}
	s.Voximplant.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if key := r.Form.Get("key"); key != "" {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.calls[key]++
		}
		return false
	})
	return c
}

// ask asks for each key as often as there are callers, and twice that.
func (c *crowd) ask(t *testing.T, keys int, get func(key string) (value string)) {
	t.Helper()
	var asking sync.WaitGroup
	for range 2 * callers {
		asking.Go(func() {
			for i := range keys {
				if value := get(fmt.Sprint("order:c", i)); value != fmt.Sprint("value ", i) {
					t.Errorf("order:c%d is %q", i, value)
				}
			}
		})
	}
	asking.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range keys {
		if n := c.calls[fmt.Sprint("order:c", i)]; n != 1 {
			t.Errorf("Voximplant was asked %d times for order:c%d; want 1", n, i)
		}
	}
}

func TestConcurrency(t *testing.T) {
	const keys = 50
	s := newRacing(t, "LOCAL_MAX_AGE=60s")
	newCrowd(s, keys).ask(t, keys, func(key string) string { return s.get(t, key, 10*time.Second).value })
}

func TestConcurrentRotation(t *testing.T) {
	newRacing(t, bare...).checkRotation(t, callers)
}

// TestConcurrentFaults: what is shared is also used while all goes wrong.
func TestConcurrentFaults(t *testing.T) {
	s := newRacing(t, "LOCAL_MAX_AGE=0s", "UPSTREAM_TIMEOUT=1s")
	answers, stop := s.requests(t, callers)
	for _, do := range []func(*testing.T, *sandbox){reply(429, html), raw("", ""), refuseToken, reply(200, html), failing} {
		do(t, s)
		for range 5 * callers {
			<-answers
		}
		s.Voximplant.Intercept(nil)
	}
	stop()
}

func failing(_ *testing.T, s *sandbox) { s.api.cut() }

// TestCancelledCaller: whoever has to give up leaves the others their answer.
func TestCancelledCaller(t *testing.T) {
	for _, first := range []string{"hurried", "patient"} {
		t.Run("first the "+first, func(t *testing.T) {
			s := newRacing(t, "UPSTREAM_TIMEOUT=1m")
			asked, release := make(chan bool, 10), make(chan bool)
			s.Voximplant.Intercept(func(http.ResponseWriter, *http.Request) bool {
				asked <- true
				<-release
				return false
			})
			results := map[string]chan answer{"hurried": make(chan answer, 1), "patient": make(chan answer, 1)}
			waits := map[string]time.Duration{"hurried": 1500 * time.Millisecond, "patient": time.Minute}
			ask := func(who string) { go func() { results[who] <- s.get(t, "order:1", waits[who]) }() }
			ask(first)
			<-asked
			for who := range results {
				if who != first {
					ask(who)
				}
			}
			(<-results["hurried"]).want(t, "hurried", 504)
			close(release)
			(<-results["patient"]).want(t, "patient", 200)
			if n := s.counts().calls; first == "patient" && n != 1 {
				t.Errorf("Voximplant was asked %d times; want 1", n)
			}
		})
	}
}

// TestLocalConcurrency is TestConcurrency behind net/http.
func TestLocalConcurrency(t *testing.T) {
	const keys = 50
	local, err := raced(t.TempDir(), "voxkv/cmd/local")
	if err != nil {
		t.Skip("NOT TESTED: ", err)
	}
	s := newWorld(t)
	credentials := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(credentials, accounts[0].Credentials(), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	command := exec.CommandContext(ctx, local, "-addr", "127.0.0.1:0", "-credentials", credentials,
		"-application-id", fmt.Sprint(e2etest.ApplicationID), "-allowed-keys", "order:*")
	command.Env = s.Environment("LOCAL_MAX_AGE=60s")
	var log bytes.Buffer
	command.Stderr = &log
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	root := announced(t, out)
	newCrowd(s, keys).ask(t, keys, func(key string) string { return fetch(t, root+"/v1/items/"+url.PathEscape(key)) })
	cancel()
	_ = command.Wait() // killed
	checkInside(t, "the output", log.String(), "DATA RACE", "panic")
}

// announced returns the URL that cmd/local says it listens at.
func announced(t *testing.T, out io.Reader) string {
	t.Helper()
	var said strings.Builder
	for buffer := make([]byte, 1024); ; {
		n, err := out.Read(buffer)
		said.Write(buffer[:n])
		if root := regexp.MustCompile(`http://[0-9.:]+\d\b`).FindString(said.String()); root != "" {
			go io.Copy(io.Discard, out)
			return root
		}
		if err != nil {
			t.Fatalf("cmd/local did not start: %s", said.String())
		}
	}
}

func fetch(t *testing.T, url string) (value string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	var item struct{ Value string }
	if err := json.NewDecoder(response.Body).Decode(&item); err != nil {
		t.Errorf("%s: %d, %v", url, response.StatusCode, err)
	}
	return item.Value
}
