package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

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
	all := map[string]logged{}
	add := func(name, payload, level, code string) {
		all[name] = logged{runtimetest.Invocation{Payload: []byte(payload)}, level, code, ""}
	}
	samples := events(t)
	for name, payload := range samples {
		add(name, payload, "", "")
	}
	for _, name := range []string{"sqs", "s3", "eventbridge-schedule"} {
		add(name, samples[name], "WARN", "invalid_request")
	}
	for _, payload := range []string{
		``, `null`, `""`, `"text"`, `42`, `true`, `{`, `no JSON`, `{"key":"order:1001","key":"order:1002"}`, "\xff", `{"requestContext":{"eventType":"MESSAGE"}}`,
	} {
		add("payload "+payload, payload, "WARN", "invalid_request")
	}
	for _, payload := range []string{`{}`, `[]`, `{"key":null}`, `{"key":5}`, `{"operation":"drop"}`, `[{"key":5}]`, `[{"key":`, `[{"key":"a","key":"a"}]`, `{"key":"a b"}`, `{"keys":[]}`} {
		add("direct "+payload, payload, "WARN", "")
	}
	item := samples["http-api-item"]
	add("function error", `{"key":"order:down"}`, "WARN", "upstream_unavailable")
	add("HTTP error", strings.ReplaceAll(item, "order:1001", "order:down"), "WARN", "upstream_unavailable")
	for _, document := range []string{`"text"`, `5`, `[]`, `{`, `text`, `{"env":5}`, `{"custom":"a"}`, `{"env":{"a":1}}`} {
		for kind, payload := range map[string]string{"direct": `{"key":"order:1001"}`, "HTTP": item} {
			all[kind+" with client context "+document] = logged{runtimetest.Invocation{Payload: []byte(payload), ClientContext: document},
				"WARN", "invalid_request", "client context"}
		}
	}
	for _, document := range []string{`null`, `{}`, `{"custom":{"a":1}}`, `{"env":{"locale":"en"}}`} {
		all["client context "+document] = logged{runtimetest.Invocation{Payload: []byte(item), ClientContext: document}, "INFO", "", ""}
	}
	for _, document := range []string{`"text"`, `[]`, `{`} {
		all["identity "+document] = logged{runtimetest.Invocation{Payload: []byte(item), CognitoIdentity: document}, "WARN", "invalid_request", "cognito identity"}
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

// TestLibrariesLog: what net/http and the standard log say of the world may be a secret too.
func TestLibrariesLog(t *testing.T) {
	t.Parallel()
	const password = "a-password-of-some-proxy"
	quoting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			defer conn.Close()
			fmt.Fprintf(conn, "HTTP/1.1 407 %s\r\n\r\n", r.Header.Get("Proxy-Authorization"))
		}
	}))
	t.Cleanup(quoting.Close)
	const elsewhere = "VOXIMPLANT_API_URL=https://api.voximplant.invalid"
	for name, settings := range map[string][]string{
		"a proxy with a password": {elsewhere, "HTTPS_PROXY=http://user:" + password + "@127.0.0.1:1"},
		"a proxy that is none":    {elsewhere, "HTTPS_PROXY=://user:" + password + "@127.0.0.1:1"},
		"a proxy that quotes":     {elsewhere, "HTTPS_PROXY=" + strings.Replace(quoting.URL, "//", "//user:"+password+"@", 1)},
		"no trust":                {"SSL_CERT_FILE=/dev/null"},
		"too short a length":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, append(settings, "LOG_LEVEL=debug", "LOCAL_MAX_AGE=0s")...)
			s.Leaks.Add("a password", password)
			s.Voximplant.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					panic(err)
				}
				// The connection stays open, and net/http finds what the length leaves out.
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"error\":%s of account 7734015923: %s", r.Header.Get("Authorization"), itemValue)
				return true
			})
			s.invokeAll(t, invocations(t), 1)
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
				i.RequestID, i.Deadline = requestID(name), time.Now().Add(patience) // or a slow machine makes it upstream_timeout
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
	line := lines[requestID("http-api-item")][0]
	for _, name := range []string{"timestamp", "trace_id", "route", "status", "ms", "cache", "function_version", "key"} {
		if line[name] == nil {
			t.Errorf("the log line %v lacks %s", line, name)
		}
	}
}
