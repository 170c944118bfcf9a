// Package emulator runs the real bootstrap under AWS's own Lambda Runtime Interface Emulator, beside the Runtime API of
// this project, which everything else is tested under. It needs the emulator, whose path VOXKV_EMULATOR is.
package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/runtimetest"
	"voxkv/internal/voximplanttest"
)

const (
	eventsDir   = "../../events"
	invocations = "/2015-03-31/functions/function/invocations"
	traceID     = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
	patience    = time.Minute
)

// settings make every file of events/ do what it is for.
var settings = []string{"ALLOW_WRITES=true", "BASE_PATH=kv", "NOT_FOUND_MAX_AGE=60s", "AWS_LAMBDA_FUNCTION_TIMEOUT=60"}

// TestEvents gives every file of events/ to the function under both: it must answer the same.
func TestEvents(t *testing.T) {
	emulator := os.Getenv("VOXKV_EMULATOR")
	if emulator == "" {
		t.Skip("VOXKV_EMULATOR is not set; make test-emulator does")
	}
	bootstrap, err := e2etest.Build(t.Context(), t.TempDir(), "voxkv/cmd/lambda")
	if err != nil {
		t.Fatal(err)
	}
	account, err := voximplanttest.NewServiceAccount(e2etest.AccountID)
	if err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(time.Hour)
	ours, err := world(t, account, expires).Start(t.Context(), bootstrap, settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ours.Stop)
	theirs := start(t, emulator, bootstrap, world(t, account, expires).Environment(settings...))
	events, err := filepath.Glob(eventsDir + "/*.json")
	if err != nil || len(events) == 0 {
		t.Fatal("no events: ", err)
	}
	// The one that writes comes last: its item expires in another second under each.
	const writing = eventsDir + "/direct-set.json"
	events = append(slices.DeleteFunc(events, func(file string) bool { return file == writing }), writing)
	for i, file := range events {
		id := fmt.Sprintf("7f3a1c52-0000-4000-8000-%012d", i)
		event, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, filepath.Base(file), invoke(t, ours, id, event), theirs.invoke(t, id, event))
	}
	if err := ours.Violations(); err != nil {
		t.Error(err)
	}
}

// world has the items that events/README.md wants stored.
func world(t *testing.T, account *voximplanttest.ServiceAccount, expires time.Time) *e2etest.World {
	t.Helper()
	w, err := e2etest.NewFor(account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	for _, key := range []string{"order:1001", "a+b", "a#b", "a;b", "ключЁё"} {
		w.Voximplant.Put(key, "value of "+key, expires)
	}
	return w
}

// times are what two answers to one question may differ in: one is given later than the other.
var times = regexp.MustCompile(`(max-?age=|max_age\\?":|expires_at\\?":|"@)\d+|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT`)

func compare(t *testing.T, event string, ours, theirs []byte) {
	t.Helper()
	if !reflect.DeepEqual(answer(t, ours), answer(t, theirs)) {
		t.Errorf("%s: under our Runtime API the function answers\n%s\nunder AWS's emulator\n%s", event, ours, theirs)
	}
	if strings.HasSuffix(event, "-item.json") && !bytes.Contains(theirs, []byte("value of order:1001")) {
		t.Errorf("%s: no item in %s", event, theirs)
	}
}

// answer is a document without its times, and whatever the order of its members.
func answer(t *testing.T, document []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(times.ReplaceAll(document, []byte(`${1}0`)), &v); err != nil {
		t.Fatalf("answered %s: %v", document, err)
	}
	return v
}

// invoke returns the response or the error document, as a caller of Lambda gets it.
func invoke(t *testing.T, p *runtimetest.Process, id string, event []byte) []byte {
	t.Helper()
	result, err := p.Invoke(t.Context(), runtimetest.Invocation{
		Payload: event, RequestID: id, TraceID: traceID, Deadline: time.Now().Add(patience),
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Output())
	}
	return result.Payload
}

// An emulator is AWS's, with the function in it.
type emulator struct{ url string }

// start runs the emulator, which starts bootstrap at the first invocation, until the test ends.
func start(t *testing.T, path, bootstrap string, env []string) *emulator {
	t.Helper()
	address := freeAddress(t)
	var output bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, "--runtime-interface-emulator-address", address,
		"--runtime-api-address", freeAddress(t), bootstrap)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &output, &output
	cmd.WaitDelay = time.Second // the bootstrap, which ends when its Runtime API is gone, holds the outputs too
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("the emulator wrote:\n%s", &output)
		}
	})
	e := &emulator{"http://" + address}
	e.await(t)
	return e
}

// freeAddress returns one of loopback that nobody listened at just now: the emulator takes no listener.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// await returns when the emulator answers, if only that it has no such page.
func (e *emulator) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if response, err := http.Get(e.url); err == nil {
			response.Body.Close()
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("the emulator does not listen")
		}
	}
}

// invoke is the same as that of our Runtime API.
func (e *emulator) invoke(t *testing.T, id string, event []byte) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+invocations, bytes.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amzn-RequestId", id)
	request.Header.Set("X-Amzn-Trace-Id", traceID)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
