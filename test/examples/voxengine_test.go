package examples

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const scenario = "../../examples/voxengine/order-status.js"

// TestScenario runs the scenario, and reads through the function what it stores.
func TestScenario(t *testing.T) {
	gated(t)
	t.Parallel()
	node := need(t, "node")
	for events, want := range map[string][]string{
		"Connected Disconnected": {"ringing", "connected", "ended"},
		"Failed":                 {"ringing", "failed"},
	} {
		s := newStorage(t)
		url := serve(t, newFunction(t, s, map[string]string{"LOCAL_MAX_AGE": "0s"}))
		command := append([]string{node, "voxengine.mjs", scenario, `{"order":"42","to":"+15550100","from":"+15550199"}`}, strings.Fields(events)...)
		stdout, stderr, code := program{command: command}.run(t)
		if code != 0 || stderr != "" {
			t.Fatalf("%s: exit code %d\n%s%s", events, code, stdout, stderr)
		}
		var seen []string
		for line := range strings.Lines(stdout) {
			var put struct {
				Key, Value string
				TTL        int
			}
			if err := json.Unmarshal([]byte(line), &put); err != nil {
				t.Fatal(err)
			}
			s.Put(put.Key, put.Value, time.Now().Add(time.Duration(put.TTL)*time.Second))
			seen = append(seen, value(t, url+"/v1/items/order:42"))
		}
		if strings.Join(seen, " ") != strings.Join(want, " ") {
			t.Errorf("%s: a page sees %q; want %q", events, seen, want)
		}
	}
}

// TestScenarioWithoutStorage: a call goes on, and the session ends, although nothing can be stored.
func TestScenarioWithoutStorage(t *testing.T) {
	gated(t)
	t.Parallel()
	run := program{environ: []string{"STORAGE_FAILS=1"}, command: []string{need(t, "node"), "voxengine.mjs", scenario,
		`{"order":"42","to":"+15550100","from":"+15550199"}`, "Connected", "Disconnected"}}
	stdout, stderr, code := run.run(t)
	if code != 0 || stdout != "" || strings.Count(stderr, "is not stored") != 3 {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func value(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	var item struct{ Value string }
	if err != nil || json.Unmarshal(text, &item) != nil {
		t.Fatalf("%d %s %v", response.StatusCode, text, err)
	}
	return item.Value
}
