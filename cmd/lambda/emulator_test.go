package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"voxkv/internal/runtimetest"
	"voxkv/test/tools"
)

const traceID = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"

// times are what two answers to one question may differ in: one is given later than the other.
var times = regexp.MustCompile(`(max-?age=|max_age\\?":|expires_at\\?":|"@)\d+|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT`)

// TestEmulator gives every file of events/ to the function under AWS's own Lambda Runtime Interface Emulator, and under the
// Runtime API of this project, which everything else is tested under: it must answer the same. VOXKV_EMULATOR is the
// emulator's path.
func TestEmulator(t *testing.T) {
	path := os.Getenv("VOXKV_EMULATOR")
	if path == "" {
		t.Skip("VOXKV_EMULATOR is not set; make test-emulator does")
	}
	settings := []string{"ALLOW_WRITES=true", "BASE_PATH=kv", "NOT_FOUND_MAX_AGE=60s", "AWS_LAMBDA_FUNCTION_TIMEOUT=60"}
	ours := newSandbox(t, settings...)
	url := startEmulator(t, path, newWorld(t).Environment(settings...))
	all := events(t)
	const writing = "direct-set" // comes last: its item expires in another second under each
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool { return name == writing })
	for i, name := range append(names, writing) {
		inv := runtimetest.Invocation{
			Payload: []byte(all[name]), RequestID: fmt.Sprintf("7f3a1c52-0000-4000-8000-%012d", i), TraceID: traceID, Deadline: time.Now().Add(patience),
		}
		under, err := ours.Invoke(t.Context(), inv)
		if err != nil {
			t.Fatal(err)
		}
		theirs := askEmulator(t, url, inv)
		if !reflect.DeepEqual(timeless(t, under.Payload), timeless(t, theirs)) {
			t.Errorf("%s: under our Runtime API the function answers\n%s\nunder AWS's emulator\n%s", name, under.Payload, theirs)
		}
		if strings.HasSuffix(name, "-item") && !bytes.Contains(theirs, []byte("+15550100")) {
			t.Errorf("%s: no item in %s", name, theirs)
		}
	}
}

// timeless is a document without its times, and whatever the order of its members.
func timeless(t *testing.T, document []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(times.ReplaceAll(document, []byte(`${1}0`)), &v); err != nil {
		t.Fatalf("answered %s: %v", document, err)
	}
	return v
}

// startEmulator runs the emulator until the test ends. It takes no listener, so another program may be faster at the addresses that it
// is told. Then it exits, and is started with others.
func startEmulator(t *testing.T, path string, env []string) (url string) {
	t.Helper()
	for range 5 {
		if url := tryEmulator(t, path, env); url != "" {
			return url
		}
	}
	t.Fatal("the emulator does not listen")
	return ""
}

// tryEmulator returns "" if the emulator exits before it answers. It starts the bootstrap at the first invocation.
func tryEmulator(t *testing.T, path string, env []string) (url string) {
	t.Helper()
	address := freeAddress(t)
	var output bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, "--runtime-interface-emulator-address", address, "--runtime-api-address", freeAddress(t), executable(t))
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &output, &output
	cmd.WaitDelay = time.Second // the bootstrap, which ends when its Runtime API is gone, holds the outputs too
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in the output
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("the emulator wrote:\n%s", &output)
		}
	})
	for again := time.NewTicker(50 * time.Millisecond); ; { // until it answers, if only that it has no such page
		if response, err := http.Get("http://" + address); err == nil {
			response.Body.Close()
			return "http://" + address
		}
		select {
		case <-again.C:
		case <-exited:
			return ""
		}
	}
}

// freeAddress returns one of loopback that nobody listened at just now: the emulator takes no listener.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// askEmulator returns the response or the error document, as a caller of Lambda gets it.
func askEmulator(t *testing.T, url string, inv runtimetest.Invocation) []byte {
	t.Helper()
	_, answer := tools.Do(t, http.MethodPost, url+"/2015-03-31/functions/function/invocations", string(inv.Payload),
		"X-Amzn-RequestId", inv.RequestID, "X-Amzn-Trace-Id", inv.TraceID)
	return []byte(answer)
}
