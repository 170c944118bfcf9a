package runtimetest_test

import (
	"net/http"
	"strings"
	"testing"

	"voxkv/internal/runtimetest"
	"voxkv/test/tools"
)

const (
	id       = "7f3a1c52-0000-4000-8000-000000000002"
	next     = "/2018-06-01/runtime/invocation/next"
	response = "/2018-06-01/runtime/invocation/" + id + "/response"
	failure  = "/2018-06-01/runtime/invocation/" + id + "/error"
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

// call plays the process: it returns the status of one request.
func call(t *testing.T, api *runtimetest.API, method, path, contentType, body string) int {
	t.Helper()
	status, _ := tools.Send(t, method, "http://"+api.Addr()+path, body, "Content-Type", contentType)
	return status
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
	if status := call(t, api, "GET", next, "", ""); status != http.StatusOK {
		t.Fatalf("next: status %d; want 200", status)
	}
	return results
}

// TestCalls makes one call each, during an invocation and while there is none.
func TestCalls(t *testing.T) {
	t.Parallel()
	const jsonType, bytesType, refused = "application/json", "application/octet-stream", "Invalid request ID"
	for _, test := range []struct {
		name, method, path, contentType, body string

		status    int    // during an invocation
		violation string // the same; empty for none
		idle      string // the violation while there is no invocation
	}{
		{"JSON", "POST", response, jsonType, `{"a":1}`, 202, "", refused},
		{"bytes", "POST", response, bytesType, "\x00\xff", 202, "", refused},
		{"JSON that is none", "POST", response, jsonType, "{", 202, "not the JSON", refused},
		{"HTML", "POST", response, "text/html", "<p>", 202, "Content-Type", refused},
		{"the largest response", "POST", response, bytesType, strings.Repeat("x", 6291556), 202, "", refused},
		{"too large a response", "POST", response, bytesType, strings.Repeat("x", 6291557), 413, "Exceeded maximum allowed payload size", refused},
		{"an error", "POST", failure, jsonType, problem, 202, "", refused},
		{"an error of Lambda's own type", "POST", failure, "application/vnd.aws.lambda.error+json", problem, 202, "", refused},
		{"an error as bytes", "POST", failure, bytesType, problem, 202, "Content-Type", refused},
		{"an error without a type", "POST", failure, jsonType, `{"errorMessage":"?"}`, 202, "no errorType", refused},
		{"an error that is not JSON", "POST", failure, jsonType, "oops", 202, "error document", refused},
		{"a poll by POST", "POST", next, "", "", 405, "no such call", "no such call"},
		{"an answer by PUT", "PUT", response, jsonType, "{}", 405, "no such call", "no such call"},
		{"an unknown path", "GET", "/2015-03-31/runtime/invocation/next", "", "", 404, "no such call", "no such call"},
		{"an error of Init, which the function never reports", "POST", "/2018-06-01/runtime/init/error", jsonType, problem, 404, "no such call", "no such call"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			idle, api := newAPI(t), newAPI(t)
			call(t, idle, test.method, test.path, test.contentType, test.body)
			checkViolation(t, idle, test.idle)
			results := handOut(t, api)
			if status := call(t, api, test.method, test.path, test.contentType, test.body); status != test.status {
				t.Errorf("status %d; want %d", status, test.status)
			}
			checkViolation(t, api, test.violation)
			want := test.body
			switch test.status {
			case 404, 405: // the invocation goes on
				want = "{}"
				call(t, api, "POST", response, jsonType, want)
			case 413:
				want = `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`
			}
			if result := <-results; string(result.Payload) != want || (result.FunctionError != nil) != (test.path == failure || test.status == 413) {
				t.Errorf("Result = %.200s, %v; want %.200s", result.Payload, result.FunctionError, want)
			}
			if status := call(t, api, "POST", response, jsonType, "2"); status != http.StatusBadRequest {
				t.Errorf("a second answer: status %d; want 400", status)
			}
		})
	}
}

// checkViolation expects a violation about want, or none if want is empty.
func checkViolation(t *testing.T, api *runtimetest.API, want string) {
	t.Helper()
	err := api.Violations()
	if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("Violations() = %v; want one about %q", err, want)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := api.Invoke(t.Context(), runtimetest.Invocation{})
	for what, err := range map[string]error{"Ready": api.Ready(t.Context()), "Invoke": err} {
		if err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s: %v; want closed", what, err)
		}
	}
}
