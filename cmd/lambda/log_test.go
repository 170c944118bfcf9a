package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"voxkv/internal/runtimetest"
)

// A logged invocation has the members that its log line must have. An empty one is not compared.
type logged struct {
	runtimetest.Invocation
	level, code, err string
}

// invocations returns the sample events and invalid payloads.
func invocations(t *testing.T) map[string]logged {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "events", "*.json"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d sample events, %v", len(files), err)
	}
	all := map[string]logged{}
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = logged{Invocation: runtimetest.Invocation{Payload: payload}}
	}
	refused := func(payload string) logged {
		return logged{runtimetest.Invocation{Payload: []byte(payload)}, "WARN", "invalid_request", ""}
	}
	for _, name := range []string{"sqs.json", "s3.json", "eventbridge-schedule.json"} {
		all[name] = refused(string(all[name].Payload))
	}
	for _, payload := range []string{
		``, `null`, `""`, `"text"`, `42`, `true`, `{`, `no JSON`, `{"key":"order:1001","key":"order:1002"}`, "\xff", `{"requestContext":{"eventType":"MESSAGE"}}`,
	} {
		all["payload "+payload] = refused(payload)
	}
	for _, payload := range []string{`{}`, `[]`, `{"key":null}`, `{"key":5}`, `{"operation":"drop"}`, `[{"key":5}]`, `[{"key":`, `[{"key":"a","key":"a"}]`, `{"key":"a b"}`, `{"keys":[]}`} {
		all["direct "+payload] = logged{runtimetest.Invocation{Payload: []byte(payload)}, "WARN", "", ""}
	}
	all["function error"] = logged{runtimetest.Invocation{Payload: []byte(`{"key":"order:down"}`)}, "WARN", "upstream_unavailable", ""}
	all["HTTP error"] = logged{runtimetest.Invocation{Payload: []byte(strings.ReplaceAll(string(all["http-api-item.json"].Payload), "order:1001", "order:down"))},
		"WARN", "upstream_unavailable", ""}
	item := []byte(`{"key":"order:1001"}`)
	for _, document := range []string{`"text"`, `5`, `[]`, `{`, `text`, `{"env":5}`, `{"custom":"a"}`, `{"env":{"a":1}}`} {
		all["client context "+document] = logged{runtimetest.Invocation{Payload: item, ClientContext: document}, "WARN", "invalid_request", "client context"}
		all["event with client context "+document] = logged{runtimetest.Invocation{Payload: all["http-api-item.json"].Payload, ClientContext: document},
			"WARN", "invalid_request", "client context"}
	}
	for _, document := range []string{`null`, `{}`, `{"custom":{"a":1}}`, `{"env":{"locale":"en"}}`} {
		all["client context "+document] = logged{runtimetest.Invocation{Payload: item, ClientContext: document}, "", "", ""}
	}
	for _, document := range []string{`"text"`, `[]`, `{`} {
		all["identity "+document] = logged{runtimetest.Invocation{Payload: item, CognitoIdentity: document}, "WARN", "invalid_request", "cognito identity"}
	}
	return all
}

// TestOneLinePerInvocation: for any payload, exactly one line has the request id, and every line is JSON. This also holds
// when a process serves several invocations at once, and when it exits.
func TestOneLinePerInvocation(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 4} {
		t.Run(fmt.Sprint(workers, " at once"), func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, fmt.Sprint("AWS_LAMBDA_MAX_CONCURRENCY=", workers))
			s.Voximplant.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				down := r.Form.Get("key") == "order:down"
				if down {
					w.WriteHeader(http.StatusInternalServerError)
				}
				return down
			})
			all := invocations(t)
			s.invokeAll(t, all, workers)
			_ = s.Process.Close() // the runtime library notices, says so and exits
			if err := s.Wait(t.Context()); err == nil {
				t.Errorf("Wait: %v; want an exit with a status", err)
			}
			checkLines(t, s.Output(), all)
		})
	}
}

// invokeAll sends each invocation with its name as request id.
func (s *sandbox) invokeAll(t *testing.T, all map[string]logged, workers int) {
	t.Helper()
	names := make(chan string)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for name := range names {
				i := all[name].Invocation
				i.RequestID = requestID(name)
				if _, err := s.Invoke(t.Context(), i); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	for name := range all {
		names <- name
	}
	close(names)
	group.Wait()
}

// requestID makes of name an id that is valid in a URL and in a header.
func requestID(name string) string { return fmt.Sprintf("%x", name) }

func checkLines(t *testing.T, output string, all map[string]logged) {
	t.Helper()
	lines := map[string][]map[string]any{} // by request id
	last := map[string]any{}
	for text := range strings.Lines(output) {
		last = nil
		if err := json.Unmarshal([]byte(text), &last); err != nil {
			t.Errorf("no JSON: %s", text)
			continue
		}
		id, _ := last["request_id"].(string)
		lines[id] = append(lines[id], last)
	}
	if last["level"] != "ERROR" || last["request_id"] != nil {
		t.Errorf("the last line is %v; want why the process ended", last)
	}
	for name, want := range all {
		got := lines[requestID(name)]
		if len(got) != 1 {
			t.Errorf("%s: %d lines: %v; want one", name, len(got), got)
			continue
		}
		text := fmt.Sprint(got[0]["error"])
		if got[0]["message"] != "request" || want.level != "" && got[0]["level"] != want.level || want.code != "" && got[0]["code"] != want.code || !strings.Contains(text, want.err) {
			t.Errorf("%s: %v; want level %s, code %s, error %s", name, got[0], want.level, want.code, want.err)
		}
	}
}
