package examples

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"voxkv/test/tools"
)

// The machines are checked by asl-validator and run by moto, whose interpreter is LocalStack's.
var machines = []string{"read.asl.json", "enrich.asl.json"}

func TestStateMachinesAreValid(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	dir := tools.NPM(t)
	for _, name := range machines {
		definition := filepath.Join(dir, name)
		if err := os.WriteFile(definition, []byte(machine(t, name)), 0o600); err != nil {
			t.Fatal(err)
		}
		tools.Program{Dir: dir, Command: []string{"node", "node_modules/asl-validator/dist/bin/asl-validator.js", "--json-path", definition}}.Output(t)
	}
}

// machine returns a definition with the function put in, as CloudFormation does.
func machine(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(invokeDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "${VoxkvFunctionArn}", functionName)
}

func TestStateMachines(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	python := tools.Python(t, "requirements.txt")
	api := newLambdaAPI(t, newStorage(t))
	states := startStates(t, python, tools.Serve(t, api))
	tests := []struct {
		machine, input string
		busy           int64  // invocations that fail first
		status, output string // or the error
		last           string
		invoked        int64
	}{
		{"read.asl.json", `{"key":"order:1001"}`, 0, "SUCCEEDED", `{"value":"value of order:1001"}`, "Use the value", 1},
		{"read.asl.json", `{"key":"order:absent"}`, 0, "SUCCEEDED", `{"key":"order:absent","read":{"item":null}}`, "Nothing there", 1},
		{"read.asl.json", `{"key":"ключЁё"}`, 2, "SUCCEEDED", `{"value":"value of ключЁё"}`, "Use the value", 3},
		{"read.asl.json", `{"key":"order:1001"}`, 9, "FAILED", "UpstreamBusy", "Unreadable for now", 4},
		{"read.asl.json", `{"key":"fails:failure"}`, 0, "FAILED", "UpstreamFailure", "Broken", 1},
		{"read.asl.json", `{"key":"no key"}`, 0, "FAILED", "InvalidRequest", "No key", 1},
		{"enrich.asl.json", `[{"key":"order:1001"},{"key":"order:absent"}]`, 0, "SUCCEEDED",
			`[{"key":"order:1001","read":{"item":{"key":"order:1001","value":"value of order:1001","expires_at":T,"max_age":N}}},{"key":"order:absent","read":{"item":null}}]`, "Read", 2},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s, busy %d times", tt.machine, tt.input, tt.busy), func(t *testing.T) {
			api.busy.Store(tt.busy)
			api.invoked.Store(0)
			got := states.execute(t, machine(t, tt.machine), tt.input)
			if got.Status != tt.status || got.Error == "" && !alike(t, got.Output, tt.output) || got.Error != "" && got.Error != tt.output {
				t.Errorf("%+v; want %s %s", got, tt.status, tt.output)
			}
			if got.last != tt.last {
				t.Errorf("it ended in %q; want %q", got.last, tt.last)
			}
			if n := api.invoked.Load(); n != tt.invoked {
				t.Errorf("the function was invoked %d times; want %d", n, tt.invoked)
			}
		})
	}
}

// states is the URL of Step Functions.
type states string

// startStates starts moto, whose tasks invoke functions at lambda.
func startStates(t *testing.T, python, lambda string) states {
	t.Helper()
	// moto takes itself for the one that serves Lambda, on localhost at this port.
	return states(tools.Moto(t, python, "MOTO_PORT="+lambda[strings.LastIndex(lambda, ":")+1:], "NO_PROXY=127.0.0.1,localhost"))
}

// An execution is a run of a state machine that has ended.
type execution struct {
	Status, Output, Error, Cause string
	last                         string // the state it ended in
}

func (s states) execute(t *testing.T, definition, input string) execution {
	t.Helper()
	// moto cannot start an execution while it remembers another.
	s.post(t, "/moto-api/reset", "", nil, nil)
	s.post(t, "/moto-api/config", "", map[string]any{"stepfunctions": map[string]any{"execute_state_machine": true}}, nil)
	var created struct{ StateMachineArn string }
	s.post(t, "/", "CreateStateMachine", map[string]any{
		"name": "read", "definition": definition, "roleArn": "arn:aws:iam::123456789012:role/states",
	}, &created)
	var started struct{ ExecutionArn string }
	s.post(t, "/", "StartExecution", map[string]any{"stateMachineArn": created.StateMachineArn, "input": input}, &started)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for e := (execution{Status: "RUNNING"}); ; <-again.C {
		s.post(t, "/", "DescribeExecution", map[string]any{"executionArn": started.ExecutionArn}, &e)
		if e.Status != "RUNNING" {
			e.last = s.last(t, started.ExecutionArn)
			return e
		}
	}
}

// last returns the state that an execution entered last.
func (s states) last(t *testing.T, arn string) string {
	t.Helper()
	var history struct {
		Events []struct {
			StateEnteredEventDetails *struct{ Name string }
		}
	}
	s.post(t, "/", "GetExecutionHistory", map[string]any{"executionArn": arn}, &history)
	name := ""
	for _, e := range history.Events {
		if e.StateEnteredEventDetails != nil {
			name = e.StateEnteredEventDetails.Name
		}
	}
	return name
}

func (s states) post(t *testing.T, path, operation string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	status, text := tools.Send(t, http.MethodPost, string(s)+path, string(body),
		"Content-Type", "application/x-amz-json-1.0",
		"X-Amz-Target", "AWSStepFunctions."+operation,
		"Authorization", "AWS4-HMAC-SHA256 Credential=stand-in/20261123/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0")
	if status/100 == 2 && out != nil {
		err = json.Unmarshal([]byte(text), out)
	}
	if err != nil || status/100 != 2 {
		t.Fatalf("%s: %d %v\n%s", operation, status, err, text)
	}
}
