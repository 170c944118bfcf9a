package examples

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"voxkv/test/tools"
)

const scenario = "../../examples/voxengine/order-status.js"

// TestScenario runs the scenario, and reads through the function what it stores.
func TestScenario(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	for events, want := range map[string][]string{
		"Connected Disconnected": {"ringing", "connected", "ended"},
		"Failed":                 {"ringing", "failed"},
	} {
		s := newStorage(t)
		url := tools.Serve(t, s.Function(t, map[string]string{"LOCAL_MAX_AGE": "0s"}))
		command := append([]string{"node", "voxengine.mjs", scenario, `{"order":"42","to":"+15550100","from":"+15550199"}`}, strings.Fields(events)...)
		stdout, stderr, code := tools.Program{Command: command}.Run(t)
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
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	run := tools.Program{Environ: []string{"STORAGE_FAILS=1"}, Command: []string{"node", "voxengine.mjs", scenario,
		`{"order":"42","to":"+15550100","from":"+15550199"}`, "Connected", "Disconnected"}}
	stdout, stderr, code := run.Run(t)
	if code != 0 || stdout != "" || strings.Count(stderr, "is not stored") != 3 {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func value(t *testing.T, url string) string {
	t.Helper()
	status, text := tools.Get(t, url)
	var item struct{ Value string }
	if err := json.Unmarshal([]byte(text), &item); err != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return item.Value
}
