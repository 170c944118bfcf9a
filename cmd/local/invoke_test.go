package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	root, _ := start(t, map[string]string{})
	huge := `{"key":"` + strings.Repeat("a", maxPayload-10) + `"}`
	tests := []struct {
		name, payload string
		want          string // in the answer
		failed        bool
	}{
		{"one key", `{"key":"order:1001"}`, `"max_age":`, false},
		{"an absent key", `{"key":"order:missing"}`, "null", false},
		{"a key outside the allow-list", `{"key":"secret:token"}`, "null", false},
		{"several keys", `{"keys":["order:1001","secret:token"]}`, `"secret:token":null`, false},
		{"a pipe's batch", `[{"key":"order:1001"}]`, `[{"key":"order:1001"`, false},
		{"a list", `{"operation":"keys","prefix":"order:"}`, `"key":"order:1003"`, false},
		{"a list outside the allow-list", `{"operation":"list","prefix":"secret:"}`, `"errorType":"InvalidRequest"`, true},
		{"a write", `{"operation":"set","key":"order:1","value":"v","ttl":60}`, "ALLOW_WRITES=true", true},
		{"an HTTP API's event", event(t, "http-api-item"), `"statusCode":200`, false},
		{"a REST API's event", event(t, "rest-api-not-found"), `"statusCode":404`, false},
		{"an event of S3", event(t, "s3"), `"errorType":"InvalidRequest"`, true},
		{"no key", `{"key":"a b"}`, `"errorType":"InvalidRequest"`, true},
		{"nothing", "", `{"errorMessage":"The payload has no member `, true},
		{"no object", "1", `"errorType":"InvalidRequest"`, true},
		{"the most that Lambda takes", huge, "1 MiB at most", true},
	}
	for _, tt := range tests {
		res, body := send(t, "POST", root+invokeVoxkv, tt.payload)
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
	root, _ := start(t, map[string]string{}, "-function-name", "kv-prod")
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
		{"kv-prod:live", "", 200, "", `"value":`},
		{"kv-prod:%24LATEST", "", 200, "", `"value":`},
		{"kv-prod", "?Qualifier=live", 200, "", `"value":`},
		{"kv-prod:live", "?Qualifier=live", 200, "", `"value":`},
		{"kv-prod", "?Qualifier=%24LATEST", 200, "", `"value":`},
		{mine, "", 200, "", `"value":`},
		{strings.ReplaceAll(mine+":live", ":", "%3A"), "", 200, "", `"value":`},
		{"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:kv-prod", "", 200, "", `"value":`},
		{"123456789012:function:kv-prod", "", 200, "", `"value":`},
		{"function:kv-prod:live", "", 200, "", `"value":`},
		{"voxkv", "", 404, "ResourceNotFoundException", absent + "voxkv; here is only kv-prod"},
		{"kv-prod:7", "", 404, "ResourceNotFoundException", absent + "kv-prod:7;"},
		{"kv-prod", "?Qualifier=green", 404, "ResourceNotFoundException", absent + "kv-prod:green;"},
		{"KV-PROD", "", 404, "ResourceNotFoundException", absent + "KV-PROD;"},
		{"kv-prod:live", "?Qualifier=7", 400, "InvalidParameterValueException", `"message":"The derived qualifier`},
		{"kv%20prod", "", 400, "InvalidParameterValueException", "is no FunctionName; accepted: a name, an ARN"},
		{"kv%2Fprod", "", 400, "InvalidParameterValueException", "is no FunctionName"},
		{"", "", 400, "InvalidParameterValueException", "is no FunctionName"},
		{strings.Repeat("a", 257), "", 400, "InvalidParameterValueException", "is no FunctionName"},
	}
	for _, tt := range tests {
		res, body := send(t, "POST", root+"/2015-03-31/functions/"+tt.name+"/invocations"+tt.query, `{"key":"order:1001"}`)
		if res.StatusCode != tt.status || res.Header.Get("X-Amzn-Errortype") != tt.kind || !strings.Contains(body, tt.body) {
			t.Errorf("%.60s%s = %d %s %s; want %d %s %s", tt.name, tt.query, res.StatusCode, res.Header.Get("X-Amzn-Errortype"), body, tt.status, tt.kind, tt.body)
		}
		if tt.kind != "" && (!strings.Contains(body, `"Type":"User"`) || res.Header.Get("X-Amzn-Requestid") == "") {
			t.Errorf("%.60s%s: %v %s; want an error as Lambda's", tt.name, tt.query, res.Header, body)
		}
	}
}

func TestInvokeRefuses(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{})
	sync, async := strings.Repeat(" ", maxPayload), strings.Repeat(" ", maxEventPayload)
	tests := []struct {
		name, method, path, body string
		header                   []string
		status                   int
		kind, message            string
	}{
		{"no JSON", "POST", invokeVoxkv, "key", nil, 400, "InvalidRequestContentException", "Could not parse request body into json"},
		{"two documents", "POST", invokeVoxkv, "{}{}", nil, 400, "InvalidRequestContentException", "Could not parse"},
		{"space", "POST", invokeVoxkv, " ", nil, 400, "InvalidRequestContentException", "Could not parse"},
		{"no UTF-8", "POST", invokeVoxkv, "{\"key\":\"\xff\"}", nil, 400, "InvalidRequestContentException", "Could not parse"},
		{"no JSON as an event", "POST", invokeVoxkv, "key", []string{"X-Amz-Invocation-Type", "Event"}, 400, "InvalidRequestContentException", "Could not parse"},
		{"no JSON as a trial", "POST", invokeVoxkv, "key", []string{"X-Amz-Invocation-Type", "DryRun"}, 400, "InvalidRequestContentException", "Could not parse"},
		{"6 MB and a bit", "POST", invokeVoxkv, sync + "{}", nil, 413, "RequestTooLargeException", "6291458 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"},
		{"1 MB and a bit", "POST", invokeVoxkv, async + "{}", []string{"X-Amz-Invocation-Type", "Event"}, 413, "RequestTooLargeException", "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)"},
		{"an unknown type", "POST", invokeVoxkv, "{}", []string{"X-Amz-Invocation-Type", "event"}, 400, "InvalidParameterValueException", `X-Amz-Invocation-Type is "event"; accepted: RequestResponse, Event, DryRun`},
		{"an unknown log", "POST", invokeVoxkv, "{}", []string{"X-Amz-Log-Type", "Head"}, 400, "InvalidParameterValueException", `X-Amz-Log-Type is "Head"; accepted: None, Tail`},
		{"another method", "GET", invokeVoxkv, "", nil, 404, "UnknownOperationException", "only POST"},
		{"another call", "POST", "/2015-03-31/functions/", "{}", nil, 404, "UnknownOperationException", "only POST"},

		{"a page of another site", "POST", invokeVoxkv, "{}", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403, "AccessDeniedException", "another origin"},
		{"a page at another port", "POST", invokeVoxkv, "{}", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, 403, "AccessDeniedException", "another origin"},
		{"a form of another site", "POST", invokeVoxkv, "{}", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403, "AccessDeniedException", "another origin"},
		{"a page in an old browser", "POST", invokeVoxkv, "{}", []string{"Origin", "https://evil.example"}, 403, "AccessDeniedException", "another origin"},
		{"a page without an origin", "POST", invokeVoxkv, "{}", []string{"Origin", "null"}, 403, "AccessDeniedException", "another origin"},
		{"a preflight", "OPTIONS", invokeVoxkv, "", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, 403, "AccessDeniedException", "another origin"},
		{"a rebound name", "POST", invokeVoxkv, "{}", []string{"Host", "evil.example:8080", "Sec-Fetch-Site", "same-origin"}, 403, "AccessDeniedException", "a name of this machine"},
	}
	for _, tt := range tests {
		res, body := send(t, tt.method, root+tt.path, tt.body, tt.header...)
		if res.StatusCode != tt.status || res.Header.Get("X-Amzn-Errortype") != tt.kind {
			t.Errorf("%s = %d %s %s; want %d %s", tt.name, res.StatusCode, res.Header.Get("X-Amzn-Errortype"), body, tt.status, tt.kind)
		}
		var refused struct{ Type, Message string }
		if err := json.Unmarshal([]byte(body), &refused); err != nil || refused.Type != "User" || !strings.Contains(refused.Message, tt.message) {
			t.Errorf("%s: %s; want %q in it", tt.name, body, tt.message)
		}
		for name := range res.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s has %s; want no CORS", tt.name, name)
			}
		}
	}
}

// TestInvokeRefusesBeforeItRuns: a refused caller has nothing done.
func TestInvokeRefusesBeforeItRuns(t *testing.T) {
	t.Parallel()
	l := &lambdaAPI{"voxkv", handlerFunc(func(context.Context, []byte) ([]byte, error) {
		t.Error("the function ran")
		return nil, nil
	})}
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}, {"X-Amz-Invocation-Type", "DryRun"}, {"X-Amz-Invocation-Type", "?"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost"+invokeVoxkv, strings.NewReader("{}"))
		r.Header.Set(header[0], header[1])
		l.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// handlerFunc is a lambda.Handler.
type handlerFunc func(ctx context.Context, payload []byte) ([]byte, error)

func (f handlerFunc) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return f(ctx, payload)
}

func TestInvokeDryRun(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{})
	res, body := send(t, "POST", root+invokeVoxkv, `{"key":"order:1001"}`, "X-Amz-Invocation-Type", "DryRun")
	if res.StatusCode != 204 || body != "" || res.Header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("DryRun = %d %v %q; want 204 and nothing", res.StatusCode, res.Header, body)
	}
}

// TestInvokeEvent is answered at once; what becomes of it is in the log.
func TestInvokeEvent(t *testing.T) {
	t.Parallel()
	log := make(printed, 10)
	root, _ := startLogging(t, log, map[string]string{}, "-json")
	res, body := send(t, "POST", root+invokeVoxkv, `{"key":"a b"}`, "X-Amz-Invocation-Type", "Event", "X-Amz-Log-Type", "Tail")
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
	root, _ := start(t, map[string]string{})
	for payload, want := range map[string]string{
		`{"key":"order:1001"}`: `"route":"direct"`,
		event(t, "s3"):         `"route":"unknown","status":400,"code":"invalid_request"`,
	} {
		res, _ := send(t, "POST", root+invokeVoxkv, payload, "X-Amz-Log-Type", "Tail")
		log, err := base64.StdEncoding.DecodeString(res.Header.Get("X-Amz-Log-Result"))
		if err != nil || !json.Valid(log) || !strings.Contains(string(log), want) || !strings.Contains(string(log), res.Header.Get("X-Amzn-Requestid")) {
			t.Errorf("the log is %s, %v; want one line of the invocation with %s", log, err, want)
		}
	}
	res, _ := send(t, "POST", root+invokeVoxkv, "{}", "X-Amz-Log-Type", "None")
	if res.Header.Get("X-Amz-Log-Result") != "" {
		t.Errorf("the log is given to who does not want it: %v", res.Header)
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
				w := httptest.NewRecorder()
				l.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost"+invokeVoxkv, nil))
				if w.Code != 200 || w.Header().Get("X-Amz-Function-Error") != "Unhandled" || !strings.Contains(w.Body.String(), tt.want) {
					t.Errorf("%d %v %.200s; want a function error with %s", w.Code, w.Header(), w.Body, tt.want)
				}
				time.Sleep(time.Minute) // the bubble ends with its last goroutine
			})
		})
	}
}

// TestInvokeBrokenBody: a caller that hangs up amid its payload has nothing run.
func TestInvokeBrokenBody(t *testing.T) {
	t.Parallel()
	l := &lambdaAPI{"voxkv", handlerFunc(func(context.Context, []byte) ([]byte, error) {
		t.Error("the function ran")
		return nil, nil
	})}
	w := httptest.NewRecorder()
	body := io.MultiReader(strings.NewReader("{}"), errorReader{})
	l.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost"+invokeVoxkv, body))
	if w.Code != 400 || w.Header().Get("X-Amzn-Errortype") != "InvalidRequestContentException" {
		t.Errorf("%d %v; want InvalidRequestContentException", w.Code, w.Header())
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

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

// TestInvokeOfARealAccount: it has the same door, and the same allow-list.
func TestInvokeOfARealAccount(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{"VOXIMPLANT_API_URL": newAPI(t)}, "-credentials", credentialsFile(t), "-application-id", "42", "-allowed-keys", "order:*")
	for payload, want := range map[string]string{`{"key":"order:1"}`: "for real", `{"key":"secret"}`: "null"} {
		if res, body := send(t, http.MethodPost, root+invokeVoxkv, payload); res.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s = %d %s; want %s", payload, res.StatusCode, body, want)
		}
	}
	if res, body := send(t, http.MethodPost, root+invokeVoxkv, `{"key":"order:1"}`, "Origin", "https://evil.example"); res.StatusCode != 403 || strings.Contains(body, "for real") {
		t.Errorf("a page of another site gets %d %s", res.StatusCode, body)
	}
}
