package runtimetest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"voxkv/internal/runtimetest"
)

const (
	id       = "7f3a1c52-0000-4000-8000-000000000002"
	runtimeV = "/2018-06-01/runtime/"
	answerTo = runtimeV + "invocation/" + id
	problem  = `{"errorType":"Broken","errorMessage":"out of order"}`
)

// newAPI starts an API that no process uses.
func newAPI(t *testing.T) *runtimetest.API {
	t.Helper()
	api, err := runtimetest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close() })
	return api
}

// call plays the process: it returns the status and the body of one request.
func call(t *testing.T, api *runtimetest.API, method, path, contentType, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+api.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// handOut begins an invocation, takes it as the process would, and returns where its
// result will arrive.
func handOut(t *testing.T, api *runtimetest.API) <-chan runtimetest.Result {
	t.Helper()
	results := make(chan runtimetest.Result, 1)
	go func() {
		result, err := api.Invoke(t.Context(), runtimetest.Invocation{RequestID: id})
		if err != nil {
			t.Errorf("Invoke: %v", err)
		}
		results <- result
	}()
	if status, _ := call(t, api, "GET", runtimeV+"invocation/next", "", ""); status != http.StatusOK {
		t.Fatalf("next: status %d; want 200", status)
	}
	return results
}

func TestViolationsBeforeAnInvocation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, path, contentType, body string
		status                                int
		violation                             string
	}{
		{"an answer nobody asked for", "POST", answerTo + "/response", "application/json", "{}", 400, "Invalid request ID"},
		{"an error nobody asked for", "POST", answerTo + "/error", "application/json", problem, 400, "Invalid request ID"},
		{"a poll by POST", "POST", runtimeV + "invocation/next", "", "", 405, "no such call"},
		{"an answer by PUT", "PUT", answerTo + "/response", "application/json", "{}", 405, "no such call"},
		{"an unknown path", "GET", "/2015-03-31/runtime/invocation/next", "", "", 404, "no such call"},
		{"an init error that is not JSON", "POST", runtimeV + "init/error", "application/json", "oops", 202, "error document"},
		{"an init error without a type", "POST", runtimeV + "init/error", "application/json", "{}", 202, "no errorType"},
		{"an init error in plain text", "POST", runtimeV + "init/error", "text/plain", problem, 202, "Content-Type"},
		{"an extension without a name", "POST", "/2020-01-01/extension/register", "", "{}", 403, "extension name"},
		{"events for nobody", "GET", "/2020-01-01/extension/event/next", "", "", 403, "Lambda-Extension-Identifier"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			api := newAPI(t)
			if status, body := call(t, api, test.method, test.path, test.contentType, test.body); status != test.status {
				t.Errorf("status %d, %s; want %d", status, body, test.status)
			}
			if err := api.Violations(); err == nil || !strings.Contains(err.Error(), test.violation) {
				t.Errorf("Violations() = %v; want one about %q", err, test.violation)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, contentType, body string
		violation                     string
	}{
		{"JSON", "/response", "application/json", `{"a":1}`, ""},
		{"bytes", "/response", "application/octet-stream", "\x00\xff", ""},
		{"JSON that is none", "/response", "application/json", "{", "not the JSON"},
		{"HTML", "/response", "text/html", "<p>", "Content-Type"},
		{"an error", "/error", "application/json", problem, ""},
		{"an error of Lambda's own type", "/error", "application/vnd.aws.lambda.error+json", problem, ""},
		{"an error as bytes", "/error", "application/octet-stream", problem, "Content-Type"},
		{"an error without a type", "/error", "application/json", `{"errorMessage":"?"}`, "no errorType"},
		{"an error that is not JSON", "/error", "application/json", "oops", "error document"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			api := newAPI(t)
			results := handOut(t, api)
			if status, body := call(t, api, "POST", answerTo+test.path, test.contentType, test.body); status != http.StatusAccepted {
				t.Errorf("status %d, %s; want 202", status, body)
			}
			result := <-results
			if got := string(result.Payload); got != test.body {
				t.Errorf("Payload = %q; want %q", got, test.body)
			}
			if got, want := result.FunctionError != nil, test.path == "/error"; got != want {
				t.Errorf("FunctionError = %v; want one: %t", result.FunctionError, want)
			}
			checkViolation(t, api, test.violation)
		})
	}
}

// checkViolation expects exactly one violation, about want, or none if want is empty.
func checkViolation(t *testing.T, api *runtimetest.API, want string) {
	t.Helper()
	err := api.Violations()
	switch {
	case want == "" && err != nil:
		t.Errorf("Violations() = %v; want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("Violations() = %v; want one about %q", err, want)
	}
}

func TestSecondAnswerIsRefused(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	results := handOut(t, api)
	call(t, api, "POST", answerTo+"/response", "application/json", "1")
	if status, _ := call(t, api, "POST", answerTo+"/response", "application/json", "2"); status != http.StatusBadRequest {
		t.Errorf("second answer: status %d; want 400", status)
	}
	if got := string((<-results).Payload); got != "1" {
		t.Errorf("Payload = %s; want 1", got)
	}
}

func TestOversizedResponseIsRefused(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	results := handOut(t, api)
	body := strings.Repeat("x", 6291557)
	status, _ := call(t, api, "POST", answerTo+"/response", "application/octet-stream", body)
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d; want 413", status)
	}
	if result := <-results; !strings.Contains(string(result.Payload), "Function.ResponseSizeTooLarge") {
		t.Errorf("Payload = %.80s; want an error document", result.Payload)
	}
	checkViolation(t, api, "Exceeded maximum allowed payload size")
}

func TestInitErrorAfterInitIsRefused(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	results := handOut(t, api)
	if status, _ := call(t, api, "POST", runtimeV+"init/error", "application/json", problem); status != http.StatusForbidden {
		t.Errorf("status %d; want 403", status)
	}
	call(t, api, "POST", answerTo+"/response", "application/json", "{}")
	if result := <-results; result.FunctionError != nil {
		t.Errorf("FunctionError = %v; want none", result.FunctionError)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
	if err := api.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Ready: %v; want closed", err)
	}
	if _, err := api.Invoke(t.Context(), runtimetest.Invocation{}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Invoke: %v; want closed", err)
	}
}
