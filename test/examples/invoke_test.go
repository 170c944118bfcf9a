package examples

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"voxkv/test/tools"
)

const invokeDir = "../../examples/invoke"

func TestInvokeFromGo(t *testing.T) {
	gated(t)
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "read")
	// It is a module of its own, and go.work, if there is one, not its business.
	stdout, stderr, code := program{filepath.Join(invokeDir, "go"), []string{"GOWORK=off", "GOFLAGS=-mod=readonly"},
		[]string{need(t, "go"), "build", "-o", binary, "."}}.run(t)
	switch {
	case code != 0 && strings.Contains(stderr, "dial tcp"):
		t.Skipf("NOT CHECKED: the Go module proxy cannot be reached: %s", stderr)
	case code != 0:
		t.Fatalf("go build: exit code %d\n%s%s", code, stdout, stderr)
	}
	testInvoke(t, program{command: []string{binary}})
}

func TestInvokeFromNode(t *testing.T) {
	gated(t)
	t.Parallel()
	node := need(t, "node")
	testInvoke(t, program{dir: tools.NPM(t, invokeDir+"/read.mjs"), environ: []string{"NODE_NO_WARNINGS=1"}, command: []string{node, "read.mjs"}})
}

func TestInvokeFromPython(t *testing.T) {
	gated(t)
	t.Parallel()
	python := tools.Python(t, "requirements.txt")
	testInvoke(t, program{dir: invokeDir, environ: []string{"PYTHONDONTWRITEBYTECODE=1"}, command: []string{python, "read.py"}})
}

// testInvoke holds that all programs do the same.
func testInvoke(t *testing.T, p program) {
	s := newStorage(t)
	api := serve(t, newLambdaAPI(t, s))
	tests := []struct {
		function string
		keys     []string
		stdout   map[string]any // by key: the value, nil or an errorType
		stderr   string
		code     int
	}{
		{functionName, []string{"order:1001"}, map[string]any{"order:1001": "value of order:1001"}, "", 0},
		{functionName, []string{"ключЁё"}, map[string]any{"ключЁё": "value of ключЁё"}, "", 0},
		{functionName, []string{"."}, map[string]any{".": "value of ."}, "", 0},
		{functionName, []string{"order:absent"}, map[string]any{"order:absent": nil}, "", 0},
		{functionName, []string{"fails:busy"}, nil, "UpstreamBusy: The storage is busy.", 75},
		{functionName, []string{"fails:unavailable"}, nil, "UpstreamUnavailable: The storage cannot be reached.", 75},
		{functionName, []string{"fails:timeout"}, nil, "UpstreamTimeout: The storage did not answer in time.", 75},
		{functionName, []string{"fails:failure"}, nil, "UpstreamFailure: The storage gave no usable answer.", 1},
		{functionName, []string{"no key"}, nil, "InvalidRequest: Not a key", 1},
		{functionName, []string{"order:1001", "order:absent", "fails:busy", "no key"}, map[string]any{
			"order:1001": "value of order:1001", "order:absent": nil, "fails:busy": "UpstreamBusy", "no key": "InvalidRequest",
		}, "", 0},
		{killed, []string{"order:1001"}, nil, "Unknown: 2026-11-23T15:33:58Z 8f5c3a52 Task timed out", 1},
	}
	for _, tt := range tests {
		t.Run(tt.function+" "+strings.Join(tt.keys, " "), func(t *testing.T) {
			run := program{p.dir, append(awsEnvironment(api, tt.function), p.environ...), append(p.command, tt.keys...)}
			stdout, stderr, code := run.run(t)
			if code != tt.code || !strings.HasPrefix(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
				t.Errorf("exit code %d, standard error %q; want %d and %q", code, stderr, tt.code, tt.stderr)
			}
			got := reads(t, tt.keys, stdout)
			for key, want := range tt.stdout {
				if value, ok := got[key]; !ok || value != want {
					t.Errorf("%s: %v; want %v", key, value, want)
				}
			}
			if len(got) != len(tt.stdout) {
				t.Errorf("printed %q; want %v", stdout, tt.stdout)
			}
		})
	}
}

// awsEnvironment points any SDK at api, and at nothing else.
func awsEnvironment(api, function string) []string {
	return []string{
		"VOXKV_FUNCTION=" + function,
		"AWS_ENDPOINT_URL_LAMBDA=" + api,
		"AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1", // boto3 knows no other outside of Lambda
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY=stand-in",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"NO_PROXY=127.0.0.1,localhost",
	}
}

// reads returns what an example printed for each key: the value of an item that may be kept, nil, or the type of an error.
func reads(t *testing.T, keys []string, stdout string) map[string]any {
	t.Helper()
	got := map[string]any{}
	for line := range strings.Lines(stdout) {
		key, text := keys[0], line
		for _, k := range keys {
			if rest, ok := strings.CutPrefix(line, k+" "); ok && len(keys) > 1 {
				key, text = k, rest
			}
		}
		var item *struct {
			Key, Value string
			MaxAge     int64 `json:"max_age"`
		}
		switch err := json.Unmarshal([]byte(text), &item); {
		case err != nil:
			got[key] = strings.TrimSpace(text)
		case item == nil:
			got[key] = nil
		case item.Key != key || item.MaxAge < 1 || item.MaxAge > 60:
			t.Errorf("%s: printed %+v; want that key and a max_age of 1 to 60", key, *item)
		default:
			got[key] = item.Value
		}
	}
	return got
}
