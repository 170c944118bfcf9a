package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// TestFailedInvocation: only the head of a report is read as one.
func TestFailedInvocation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ request, id string }{
		{"POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1\r\nHost: h\r\n\r\n", "id-1"},
		{"POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		{"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n", ""},
		{"POST /2018-06-01/runtime/init/error HTTP/1.1\r\n\r\n", ""},
		{`{"value":"POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1"}`, ""},
		{"", ""},
	} {
		if id, ok := failedInvocation([]byte(tt.request)); ok != (tt.id != "") || ok && id != tt.id {
			t.Errorf("failedInvocation(%q) = %q, %v; want %q", tt.request, id, ok, tt.id)
		}
	}
}

type failing struct{ err error }

func (f failing) Invoke(context.Context, []byte) ([]byte, error) { return nil, f.err }

// TestLogUnlessLogged: an invocation that has a log line gets no second one. Another gets one, with the cause if the head of the
// report is whole.
func TestLogUnlessLogged(t *testing.T) {
	t.Parallel()
	const head = "POST /2018-06-01/runtime/invocation/id-2/error HTTP/1.1\r\nHost: h\r\n"
	var output bytes.Buffer
	f := &failures{Handler: failing{errors.New("no")}, log: slog.New(slog.NewJSONHandler(&output, nil))}
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-1"})
	if _, err := f.Invoke(ctx, nil); err == nil {
		t.Error("Invoke = nil; want the handler's error")
	}
	f.logUnlessLogged("id-1", []byte(head))
	if output.Len() > 0 {
		t.Errorf("the log holds %s; want nothing", &output)
	}
	f.logUnlessLogged("id-2", []byte(head+`Lambda-Runtime-Function-Xray-Error-Cause: {"exceptions":[{"message":"no context"}]}`+"\r\n\r\n"))
	f.logUnlessLogged("id-3", []byte(head+"Lambda-Runtime-Func"))
	lines := strings.Split(strings.TrimSpace(output.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"request_id":"id-2"`) || !strings.Contains(lines[0], `"error":"no context"`) ||
		!strings.Contains(lines[1], `"request_id":"id-3"`) || !strings.Contains(lines[1], "the runtime library refused") {
		t.Errorf("the log holds %s; want a line for id-2 with its cause, and one for id-3", &output)
	}
}

// TestLibraryLog: of the library's lines those that repeat a function error are dropped.
func TestLibraryLog(t *testing.T) {
	t.Parallel()
	var output bytes.Buffer
	l := libraryLog{&output}
	for _, line := range []string{
		`{"errorMessage":"no key","errorType":"InvalidRequest"}` + "\n", "failed to get the next invoke\n", `{"errorMessage":` + "\n", `{"other":1}` + "\n",
	} {
		if n, err := l.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("Write(%s) = %d, %v; want %d", line, n, err, len(line))
		}
	}
	if want := "failed to get the next invoke\n{\"errorMessage\":\n{\"other\":1}\n"; output.String() != want {
		t.Errorf("wrote %q; want %q", &output, want)
	}
}
