package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"voxkv/test/tools"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

const invokeVoxkv = "/2015-03-31/functions/voxkv/invocations"

func event(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../events/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestInvoke sends what Lambda would pass on to the function. Failures of the function are a 200 too.
func TestInvoke(t *testing.T) {
	t.Parallel()
	root, _ := start(t, nil)
	huge := `{"key":"` + strings.Repeat("a", maxPayload-10) + `"}`
	tests := []struct {
		name, payload string
		want          string // in the answer
		failed        bool
	}{
		{"one key", `{"key":"order:1001"}`, `"max_age":`, false},
		{"an absent key", `{"key":"order:missing"}`, "null", false},
		{"a key outside the allow-list", `{"key":"secret:token"}`, "null", false},
		{"a write", `{"operation":"set","key":"order:1","value":"v","ttl":60}`, "ALLOW_WRITES=true", true},
		{"an HTTP API's event", event(t, "http-api-item"), `"statusCode":200`, false},
		{"a REST API's event", event(t, "rest-api-not-found"), `"statusCode":404`, false},
		{"an event of S3", event(t, "s3"), `"errorType":"InvalidRequest"`, true},
		{"nothing", "", `{"errorMessage":"The payload has no member `, true},
		{"the most that Lambda takes", huge, "1 MiB at most", true},
	}
	for _, tt := range tests {
		res, body := tools.Do(t, "POST", root+invokeVoxkv, tt.payload)
		failed := res.Header.Get("X-Amz-Function-Error")
		if res.StatusCode != 200 || !strings.Contains(body, tt.want) || (failed == "Unhandled") != tt.failed || !tt.failed && failed != "" {
			t.Errorf("%s = %d %q %.200s; want 200, %s, failed: %v", tt.name, res.StatusCode, failed, body, tt.want, tt.failed)
		}
		id := regexp.MustCompile("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
		if res.Header.Get("X-Amz-Executed-Version") != "$LATEST" || !id.MatchString(res.Header.Get("X-Amzn-Requestid")) || res.Header.Get("X-Amz-Log-Result") != "" {
			t.Errorf("%s: the header is %v", tt.name, res.Header)
		}
	}
}

func TestInvokeNames(t *testing.T) {
	t.Parallel()
	root, _ := start(t, nil, "-function-name", "kv-prod")
	const (
		mine   = "arn:aws:lambda:eu-central-1:123456789012:function:kv-prod"
		absent = `{"Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:`
	)
	tests := []struct {
		name, query string
		status      int
		kind, body  string
	}{
		{"kv-prod", "", 200, "", `"value":`},
		{"kv-prod:%24LATEST", "", 200, "", `"value":`},
		{"kv-prod", "?Qualifier=live", 200, "", `"value":`},
		{"kv-prod:live", "?Qualifier=live", 200, "", `"value":`},
		{mine, "", 200, "", `"value":`},
		{strings.ReplaceAll(mine+":live", ":", "%3A"), "", 200, "", `"value":`},
		{"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:kv-prod", "", 200, "", `"value":`},
		{"123456789012:function:kv-prod", "", 200, "", `"value":`},
		{"function:kv-prod:live", "", 200, "", `"value":`},
		{"voxkv", "", 404, "ResourceNotFoundException", absent + "voxkv; here is only kv-prod"},
		{"kv-prod:7", "", 404, "ResourceNotFoundException", absent + "kv-prod:7;"},
		{"kv-prod", "?Qualifier=green", 404, "ResourceNotFoundException", absent + "kv-prod:green;"},
		{"kv-prod:live", "?Qualifier=7", 400, "InvalidParameterValueException", `"message":"The derived qualifier`},
		{"kv%20prod", "", 400, "InvalidParameterValueException", "is no FunctionName; accepted: a name, an ARN"},
		{"", "", 400, "InvalidParameterValueException", "is no FunctionName"},
		{strings.Repeat("a", 257), "", 400, "InvalidParameterValueException", "is no FunctionName"},
	}
	for _, tt := range tests {
		res, body := tools.Do(t, "POST", root+"/2015-03-31/functions/"+tt.name+"/invocations"+tt.query, `{"key":"order:1001"}`)
		if res.StatusCode != tt.status || res.Header.Get("X-Amzn-Errortype") != tt.kind || !strings.Contains(body, tt.body) {
			t.Errorf("%.60s%s = %d %s %s; want %d %s %s", tt.name, tt.query, res.StatusCode, res.Header.Get("X-Amzn-Errortype"), body, tt.status, tt.kind, tt.body)
		}
		if tt.kind != "" && (!strings.Contains(body, `"Type":"User"`) || res.Header.Get("X-Amzn-Requestid") == "") {
			t.Errorf("%.60s%s: %v %s; want an error as Lambda's", tt.name, tt.query, res.Header, body)
		}
	}
}

// TestInvokeRefuses: a refused caller, and one that only tries, has nothing run.
func TestInvokeRefuses(t *testing.T) {
	t.Parallel()
	l := &lambdaAPI{"voxkv", handlerFunc(func(context.Context, []byte) ([]byte, error) {
		t.Error("the function ran")
		return nil, nil
	})}
	event, trial := []string{"X-Amz-Invocation-Type", "Event"}, []string{"X-Amz-Invocation-Type", "DryRun"}
	const noJSON = "Could not parse request body into json: the payload is not JSON"
	spaces := strings.Repeat(" ", maxPayload)
	tests := []struct {
		name, method, path string
		body               io.Reader
		header             []string
		status             int
		kind, message      string
	}{
		{"no JSON", "POST", invokeVoxkv, strings.NewReader("key"), nil, 400, "InvalidRequestContentException", noJSON},
		{"two documents", "POST", invokeVoxkv, strings.NewReader("{}{}"), nil, 400, "InvalidRequestContentException", noJSON},
		{"space", "POST", invokeVoxkv, strings.NewReader(" "), nil, 400, "InvalidRequestContentException", noJSON},
		{"no UTF-8", "POST", invokeVoxkv, strings.NewReader("{\"key\":\"\xff\"}"), nil, 400, "InvalidRequestContentException", noJSON},
		{"no JSON as an event", "POST", invokeVoxkv, strings.NewReader("key"), event, 400, "InvalidRequestContentException", noJSON},
		{"no JSON as a trial", "POST", invokeVoxkv, strings.NewReader("key"), trial, 400, "InvalidRequestContentException", noJSON},
		{"half a payload", "POST", invokeVoxkv, io.MultiReader(strings.NewReader("{}"), iotest.ErrReader(io.ErrUnexpectedEOF)), nil, 400, "InvalidRequestContentException", "The payload did not arrive whole"},
		{"6 MB and a bit", "POST", invokeVoxkv, strings.NewReader(spaces + "{}"), nil, 413, "RequestTooLargeException", "6291458 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"},
		{"1 MB and a bit", "POST", invokeVoxkv, strings.NewReader(spaces[:maxEventPayload] + "{}"), event, 413, "RequestTooLargeException", "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)"},
		{"an unknown type", "POST", invokeVoxkv, nil, []string{"X-Amz-Invocation-Type", "event"}, 400, "InvalidParameterValueException", `X-Amz-Invocation-Type is "event"; accepted: RequestResponse, Event, DryRun`},
		{"an unknown log", "POST", invokeVoxkv, nil, []string{"X-Amz-Log-Type", "Head"}, 400, "InvalidParameterValueException", `X-Amz-Log-Type is "Head"; accepted: None, Tail`},
		{"another method", "GET", invokeVoxkv, nil, nil, 404, "UnknownOperationException", "only POST"},
		{"another call", "POST", "/2015-03-31/functions/", nil, nil, 404, "UnknownOperationException", "only POST"},
		{"a page of another site", "POST", invokeVoxkv, nil, []string{"Origin", "https://evil.example"}, 403, "AccessDeniedException", "another origin"},
		{"its preflight", "OPTIONS", invokeVoxkv, nil, []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, 403, "AccessDeniedException", "another origin"},
		{"its trial", "POST", invokeVoxkv, nil, append(trial, "Origin", "https://evil.example"), 403, "AccessDeniedException", "another origin"},
		{"a trial", "POST", invokeVoxkv, nil, trial, 204, "", ""},
	}
	for _, tt := range tests {
		w := serveInvoke(t, l, tt.method, tt.path, tt.body, tt.header...)
		if w.Code != tt.status || w.Header().Get("X-Amzn-Errortype") != tt.kind || w.Header().Get("X-Amzn-Requestid") == "" || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s = %d %v; want %d %s, a request id and no CORS", tt.name, w.Code, w.Header(), tt.status, tt.kind)
		}
		var refused struct{ Type, Message string }
		if tt.status == 204 && w.Body.Len() == 0 {
			continue
		}
		if err := json.Unmarshal(w.Body.Bytes(), &refused); err != nil || refused.Type != "User" || !strings.Contains(refused.Message, tt.message) {
			t.Errorf("%s: %s; want %q in it", tt.name, w.Body, tt.message)
		}
	}
}

// serveInvoke returns what l answers to a request at http://localhost.
func serveInvoke(t *testing.T, l *lambdaAPI, method, path string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+path, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w
}

// handlerFunc is a lambda.Handler.
type handlerFunc func(ctx context.Context, payload []byte) ([]byte, error)

func (f handlerFunc) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return f(ctx, payload)
}

// TestInvokeEvent is answered at once; what becomes of it is in the log.
func TestInvokeEvent(t *testing.T) {
	t.Parallel()
	log := make(printed, 10)
	root, _ := startLogging(t, log, nil, "-json")
	res, body := tools.Do(t, "POST", root+invokeVoxkv, `{"key":"a b"}`, "X-Amz-Invocation-Type", "Event", "X-Amz-Log-Type", "Tail")
	if res.StatusCode != 202 || body != "" || res.Header.Get("X-Amz-Log-Result") != "" || res.Header.Get("X-Amz-Executed-Version") != "" {
		t.Errorf("Event = %d %v %q; want 202 and nothing", res.StatusCode, res.Header, body)
	}
	if line := log.with(t, res.Header.Get("X-Amzn-Requestid")); !strings.Contains(line, `"code":"invalid_key"`) {
		t.Errorf("logged %s; want the failure", line)
	}
}

// TestInvokeTail: the caller gets the log of its invocation, whatever form the terminal's has.
func TestInvokeTail(t *testing.T) {
	t.Parallel()
	root, _ := start(t, nil)
	for payload, want := range map[string]string{
		`{"key":"order:1001"}`: `"route":"direct"`,
		event(t, "s3"):         `"route":"unknown","status":400,"code":"invalid_request"`,
	} {
		res, _ := tools.Do(t, "POST", root+invokeVoxkv, payload, "X-Amz-Log-Type", "Tail")
		log, err := base64.StdEncoding.DecodeString(res.Header.Get("X-Amz-Log-Result"))
		if err != nil || !json.Valid(log) || !strings.Contains(string(log), want) || !strings.Contains(string(log), res.Header.Get("X-Amzn-Requestid")) {
			t.Errorf("the log is %s, %v; want one line of the invocation with %s", log, err, want)
		}
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var end logTail
	for i := range 1000 {
		fmt.Fprintf(&end, "line %d\n", i)
	}
	if got := string(end.bytes()); len(got) != 4096 || !strings.HasSuffix(got, "line 998\nline 999\n") {
		t.Errorf("%d bytes, which end in %q; want 4096, and the last line", len(got), got[len(got)-20:])
	}
}

// TestInvokeContext: the function gets what it gets on AWS, and goes on when the caller has hung up.
func TestInvokeContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lambdaAPI{"voxkv", handlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
			lc, _ := lambdacontext.FromContext(ctx)
			deadline, _ := ctx.Deadline()
			return fmt.Appendf(nil, "%s %s %v %v %v", payload, lc.InvokedFunctionArn, time.Until(deadline), ctx.Value("x-amzn-trace-id"), ctx.Err()), nil
		})}
		ctx, hangUp := context.WithCancel(t.Context())
		hangUp()
		r := httptest.NewRequestWithContext(ctx, "POST", "http://localhost/2015-03-31/functions/voxkv:live/invocations", nil)
		r.Header.Set("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793")
		w := httptest.NewRecorder()
		l.ServeHTTP(w, r)
		const want = "{} arn:aws:lambda:us-east-1:000000000000:function:voxkv:live 10s Root=1-5759e988-bd862e3fe1be46a994272793 <nil>"
		if w.Body.String() != want {
			t.Errorf("the function saw %s; want %s", w.Body, want)
		}
	})
}

// TestInvokeBounds: what Lambda does to a function that does not end, or says too much.
func TestInvokeBounds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		function handlerFunc
		want     string
	}{
		{"it hangs", func(context.Context, []byte) ([]byte, error) {
			time.Sleep(time.Minute)
			return []byte("null"), nil
		}, `"errorType":"Sandbox.Timedout"`},
		{"it says too much", func(context.Context, []byte) ([]byte, error) {
			return make([]byte, maxResponse+1), nil
		}, `"errorType":"Function.ResponseSizeTooLarge"`},
		{"it fails", func(context.Context, []byte) ([]byte, error) {
			return nil, messages.InvokeResponse_Error{Type: "UpstreamBusy", Message: "<busy>"}
		}, `{"errorMessage":"\u003cbusy\u003e","errorType":"UpstreamBusy"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &lambdaAPI{"voxkv", tt.function}
				w := serveInvoke(t, l, "POST", invokeVoxkv, nil)
				if w.Code != 200 || w.Header().Get("X-Amz-Function-Error") != "Unhandled" || !strings.Contains(w.Body.String(), tt.want) {
					t.Errorf("%d %v %.200s; want a function error with %s", w.Code, w.Header(), w.Body, tt.want)
				}
				time.Sleep(time.Minute) // the bubble ends with its last goroutine
			})
		})
	}
}

// TestInvokeHasTheTemplatesTimeout, so that what times out here does on AWS.
func TestInvokeHasTheTemplatesTimeout(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\n      Timeout: %.0f\n", timeout.Seconds()); !strings.Contains(string(template), want) {
		t.Errorf("template.yaml has no line%q", want)
	}
}
