package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/internal/gateway"
)

var _ lambda.Handler = (*gateway.Gateway)(nil)

const body = `{"key":"order:1001","value":"<оплачен> \"да\"","expires_at":1795430000}`

// TestResponseForm: AWS's types hold every answer, and no other member is in it.
func TestResponseForm(t *testing.T) {
	t.Parallel()
	const (
		headers   = `"headers":{"Content-Type":"application/json; charset=utf-8","Etag":"\"abc\"","Vary":"Origin, Accept"}`
		lists     = `"multiValueHeaders":{"Content-Type":["application/json; charset=utf-8"],"Etag":["\"abc\""],"Vary":["Origin","Accept"]}`
		described = `"statusDescription":"200 OK",`
	)
	for _, tt := range []struct {
		file  string
		holds func(*testing.T, []byte)
		want  string
	}{
		{"rest-api-item.json", holds[events.APIGatewayProxyResponse], headers},
		{"rest-api-head.json", holds[events.APIGatewayProxyResponse], headers},
		{"http-api-v1-item.json", holds[events.APIGatewayProxyResponse], headers},
		{"http-api-item.json", holds[events.APIGatewayV2HTTPResponse], headers},
		{"http-api-head.json", holds[events.APIGatewayV2HTTPResponse], headers},
		{"function-url-item.json", holds[events.LambdaFunctionURLResponse], headers},
		{"alb-item.json", holds[events.ALBTargetGroupResponse], described + headers},
		{"alb-health-check.json", holds[events.ALBTargetGroupResponse], described + headers},
		{"alb-multi-value-item.json", holds[events.ALBTargetGroupResponse], described + lists},
	} {
		g := &gateway.Gateway{HTTP: http.HandlerFunc(serveItem)}
		out, err := g.Invoke(t.Context(), read(t, tt.file))
		if err != nil {
			t.Fatal(err)
		}
		tt.holds(t, out)
		want := fmt.Sprintf(`{"statusCode":200,%s,"body":%q,"isBase64Encoded":false}`, tt.want, body)
		if got, want := strict[map[string]any](t, out), strict[map[string]any](t, []byte(want)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: answer = %v\nwant %v", tt.file, got, want)
		}
	}
}

func serveItem(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("ETag", `"abc"`)
	w.Header().Add("Vary", "Origin")
	w.Header().Add("Vary", "Accept")
	w.Header().Set("Date", "Mon, 23 Nov 2026 10:33:20 GMT")
	w.Header().Set("Content-Length", "1")
	_, _ = io.WriteString(w, body)
}

// holds fails the test unless T holds data.
func holds[T any](t *testing.T, data []byte) { strict[T](t, data) }

func strict[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%T cannot hold %s: %v", v, data, err)
	}
	return v
}

func TestStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		serve       http.HandlerFunc
		want        int
		description string
	}{
		{"nothing written", func(http.ResponseWriter, *http.Request) {}, 200, "200 OK"},
		{"not modified", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, 304, "304 Not Modified"},
		{"first status counts", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(500) }, 404, "404 Not Found"},
		{"body fixes the status", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil); w.WriteHeader(500) }, 200, "200 OK"},
		{"early hints are not final", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(503) }, 503, "503 Service Unavailable"},
	}
	for _, tt := range tests {
		g := &gateway.Gateway{HTTP: tt.serve}
		out, err := g.Invoke(t.Context(), read(t, "alb-item.json"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strict[events.ALBTargetGroupResponse](t, out); got.StatusCode != tt.want || got.StatusDescription != tt.description {
			t.Errorf("%s: status = %d %q; want %d %q", tt.name, got.StatusCode, got.StatusDescription, tt.want, tt.description)
		}
	}
}

// TestDirect: what is no event of a gateway reaches Direct as it is. An empty member
// beside a key counts as absent.
func TestDirect(t *testing.T) {
	t.Parallel()
	payloads := []string{
		`{"key":"order:1001"}`,
		`{"key":null}`,
		" \r\n\t{}",
		`{"colour":"red"}`,
		`{"httpMethod":"GET","path":"/v1/items/k"}`, // the caller's own data
		`{"headers":5,"version":2,"path":{}}`,
		`{"key":"k","Records":[],"requestContext":{"elb":{}}}`,
		`{"requestContext":"x","keys":["a"]}`,
		`{"operation":"get","source":"s","detail-type":"d"}`,
		`{"source":"crm"}`,
		`{"requestContext":null}`,
		`{"colour":"red","Records":[]}`,
		`[{"key":"order:1001"}]`, // as a pipe sends it
	}
	for _, file := range files(t, "direct-*.json") {
		payloads = append(payloads, string(read(t, file)))
	}
	for _, payload := range []string{`{"key":"k"}`, `{"keys":["k"]}`, `{"operation":"keys"}`} {
		for _, member := range append([]string{"requestContext"}, members...) {
			for _, empty := range empties {
				if !strings.Contains(member, ".") && !strings.Contains(payload, `"`+member+`"`) {
					payloads = append(payloads, string(set(t, []byte(payload), member, empty)))
				}
			}
		}
	}
	g := &gateway.Gateway{
		HTTP:   unreachable(t),
		Direct: func(_ context.Context, got []byte) ([]byte, error) { return append([]byte("got "), got...), nil },
	}
	for _, payload := range payloads {
		if got, err := g.Invoke(t.Context(), []byte(payload)); err != nil || string(got) != "got "+payload {
			t.Errorf("Invoke(%s) = %s, %v; want what Direct makes of it", payload, got, err)
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	const marker = "zanzibar"
	tests := []struct {
		name, payload string
	}{
		{"nothing", ""},
		{"null", "null"},
		{"a string", `"` + marker + `"`},
		{"half an object", `{"key":"` + marker},
		{"two objects", `{"key":"` + marker + `"}{}`},
		{"a byte order mark", "\ufeff{}"},
		{"a queue's messages", string(read(t, "sqs.json"))},
		{"a bucket's notification", string(read(t, "s3.json"))},
		{"a schedule", string(read(t, "eventbridge-schedule.json"))},
		{"a websocket message", `{"requestContext":{"routeKey":"$default","eventType":"MESSAGE","connectionId":"x"},"body":"` + marker + `"}`},
		{"a question to a REST authorizer", `{"type":"REQUEST","methodArn":"x","httpMethod":"GET","path":"/v1/items/k","requestContext":{}}`},
		{"a question to an HTTP authorizer", `{"version":"2.0","type":"REQUEST","rawPath":"/v1/items/k","requestContext":{"http":{"method":"GET"}}}`},
		{"an event of payload 1.0 without a request", `{"version":"1.0","requestContext":{"stage":"prod"}}`},
		{"a lattice request", `{"version":"2.0","method":"GET","path":"/v1/items/k","requestContext":{"serviceArn":"x"}}`},
	}
	for _, tt := range tests {
		var log bytes.Buffer
		g := &gateway.Gateway{
			HTTP:   unreachable(t),
			Direct: func(_ context.Context, got []byte) ([]byte, error) { return got, nil },
			Log:    slog.New(slog.NewJSONHandler(&log, nil)),
		}
		ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-1"})
		out, err := g.Invoke(ctx, []byte(tt.payload))
		got, ok := err.(messages.InvokeResponse_Error) //nolint:errorlint // The runtime looks at the value itself, too.
		if !ok || got.Type != "InvalidRequest" || strings.Contains(got.Message, marker) || !strings.Contains(got.Message, `{"key":`) {
			t.Errorf("%s: Invoke = %s, %v; want InvalidRequest and what is accepted", tt.name, out, err)
			continue
		}
		if got, want := withoutTime(t, log.Bytes()), `map[code:invalid_request level:WARN msg:request request_id:id-1 route:unknown status:400]`; got != want {
			t.Errorf("%s: the log holds %s; want %s", tt.name, got, want)
		}
	}
}

// TestDuplicateNames: an object with two members of one name is refused, at any depth and from any sender. Names that differ
// in letter case are different names. Only headers of such names are one header with both values (RFC 9110 section 5.3).
func TestDuplicateNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, payload, twice string
	}{
		{"key", `{%s}`, `"key":"a"`},
		{"of a member that nobody reads", `{"key":"a","x":[{%s}]}`, `"y":1`},
		{"escaped", `{"k\u0065y":"b","key":"a"}`, ""},
		{"path", v1 + `%s}`, `"path":"/v1/items/k"`},
		{"method", `{"version":"2.0","rawPath":"/","requestContext":{"http":{%s}}}`, `"method":"GET"`},
		{"http", `{"version":"2.0","rawPath":"/","requestContext":{%s}}`, `"http":{"method":"GET"}`},
		{"context", alb + `%s}`, `"requestContext":{}`},
		{"query", v1 + `"queryStringParameters":{%s}}`, `"key":"a"`},
		{"query lists", alb + `"multiValueQueryStringParameters":{%s}}`, `"key":["a"]`},
		{"headers", v2 + `"headers":{%s}}`, `"origin":"https://a.example"`},
		{"header lists", alb + `"multiValueHeaders":{%s}}`, `"origin":["https://a.example"]`},
		{"map of headers", v1 + `%s}`, `"headers":{}`},
	}
	for _, tt := range tests {
		reached := 0
		g := &gateway.Gateway{
			HTTP:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }),
			Direct: func(context.Context, []byte) ([]byte, error) { reached++; return nil, nil },
		}
		payload := strings.ReplaceAll(tt.payload, "%s", tt.twice+","+tt.twice)
		_, err := g.Invoke(t.Context(), []byte(payload))
		if got, ok := errors.AsType[messages.InvokeResponse_Error](err); !ok || got.Type != "InvalidRequest" || reached > 0 {
			t.Errorf("%s: Invoke(%s) error = %v; want InvalidRequest", tt.name, payload, err)
		}
	}
}

func TestNamesAreCaseSensitive(t *testing.T) {
	t.Parallel()
	r := request(t, []byte(`{"httpMethod":"GET","Path":"/other","path":"/v1/items","PATH":"/other","RequestContext":{"elb":{}},"requestContext":{"ELB":{}},
		"Key":"a","queryStringParameters":{"key":"a","KEY":"b"},"headers":{"if-none-match":"\"a\"","If-None-Match":"\"b\""}}`))
	if r.URL.Path != "/v1/items" || r.URL.RawQuery != "KEY=b&key=a" {
		t.Errorf("request = %s ? %s; want what the names in their own case say", r.URL.Path, r.URL.RawQuery)
	}
	if got := strings.Join(r.Header.Values("If-None-Match"), ","); got != `"a","b"` {
		t.Errorf(`If-None-Match = %s; want "a","b"`, got)
	}
}

// withoutTime returns the members of the only line of log, without its time.
func withoutTime(t *testing.T, log []byte) string {
	t.Helper()
	var line map[string]any
	if err := json.Unmarshal(log, &line); err != nil {
		t.Fatalf("%s: %v", log, err)
	}
	delete(line, "time")
	return fmt.Sprint(line)
}

// TestPanic: a panic that neither HTTP nor Direct catches becomes an error and a log line, and its value is in neither.
func TestPanic(t *testing.T) {
	t.Parallel()
	const marker = "zanzibar"
	var log bytes.Buffer
	g := &gateway.Gateway{
		HTTP:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(marker) }),
		Direct: func(context.Context, []byte) ([]byte, error) { panic(marker) },
		Log:    slog.New(slog.NewJSONHandler(&log, nil)),
	}
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-1"})
	for _, file := range []string{"http-api-item.json", "alb-item.json", "direct-item.json"} {
		log.Reset()
		out, err := g.Invoke(ctx, read(t, file))
		got, ok := err.(messages.InvokeResponse_Error) //nolint:errorlint // The runtime looks at the value itself, too.
		if !ok || out != nil || got.Type != "InternalError" || got.ShouldExit || strings.Contains(got.Message, marker) {
			t.Errorf("%s: Invoke = %s, %v; want InternalError", file, out, err)
		}
		line := withoutTime(t, log.Bytes())
		for _, want := range []string{"code:internal_error", "error:panic: a value of type string", "level:ERROR", "request_id:id-1", "status:500", "TestPanic"} {
			if !strings.Contains(line, want) || strings.Contains(line, marker) {
				t.Errorf("%s: the log holds %s; want %s in it and not %s", file, line, want, marker)
			}
		}
	}
}

type badKey struct{ detail string }

func (e badKey) Error() string { return e.detail }

func (e badKey) ErrorType() string { return "BadKey" }

func TestDirectErrors(t *testing.T) {
	t.Parallel()
	internal := messages.InvokeResponse_Error{Type: "InternalError", Message: "the item could not be read"}
	tests := []struct {
		name string
		err  error
		want messages.InvokeResponse_Error
	}{
		{"with a type", badKey{"no key"}, messages.InvokeResponse_Error{Type: "BadKey", Message: "no key"}},
		{"wrapped", fmt.Errorf("account 5: %w", badKey{"no key"}), messages.InvokeResponse_Error{Type: "BadKey", Message: "no key"}},
		{"without a type", errors.New("account 5 is blocked"), internal},
		{"out of time", context.DeadlineExceeded, internal},
	}
	for _, tt := range tests {
		g := &gateway.Gateway{Direct: func(context.Context, []byte) ([]byte, error) { return []byte("{}"), tt.err }}
		out, err := g.Invoke(t.Context(), []byte(`{"key":"k"}`))
		got, ok := err.(messages.InvokeResponse_Error) //nolint:errorlint // The runtime looks at the value itself, too.
		if !ok || out != nil || got.Type != tt.want.Type || got.Message != tt.want.Message {
			t.Errorf("%s: Invoke = %q, %v; want %v", tt.name, out, err, tt.want)
		}
	}
}

// TestContext: HTTP and Direct get the invocation's context, whose deadline is earlier by the margin if there is one.
func TestContext(t *testing.T) {
	t.Parallel()
	deadline := time.Now().Add(time.Hour)
	until, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	for want, ctx := range map[time.Time]context.Context{deadline.Add(-500 * time.Millisecond): until, {}: t.Context()} {
		check := func(ctx context.Context) {
			if got, _ := ctx.Deadline(); !got.Equal(want) {
				t.Errorf("deadline = %v; want %v", got, want)
			}
			if lc, ok := lambdacontext.FromContext(ctx); !ok || lc.AwsRequestID != "id-1" {
				t.Errorf("lambda context = %v; want id-1", lc)
			}
		}
		g := &gateway.Gateway{
			HTTP:   http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { check(r.Context()) }),
			Direct: func(ctx context.Context, _ []byte) ([]byte, error) { check(ctx); return nil, nil },
			Margin: 500 * time.Millisecond,
		}
		for _, file := range []string{"http-api-item.json", "direct-item.json"} {
			if _, err := g.Invoke(lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: "id-1"}), read(t, file)); err != nil {
				t.Error(err)
			}
		}
	}
}

// FuzzInvoke: for any bytes, the result is a response that a sender understands, or a function error of a known type.
func FuzzInvoke(f *testing.F) {
	for _, file := range files(f, "*.json") {
		f.Add(read(f, file))
	}
	f.Add([]byte(`{"httpMethod":"","path":"%","multiValueHeaders":{"\u0000":null},"requestContext":{}}`))
	f.Add([]byte("["))
	f.Add([]byte(`{"version":"2.0","requestContext":{"http":{}},"rawPath":"\ud800%ff"}`))
	g := &gateway.Gateway{HTTP: http.HandlerFunc(echo), Direct: refuseAll, Claims: true}
	f.Fuzz(func(t *testing.T, payload []byte) {
		out, err := g.Invoke(t.Context(), payload)
		if err == nil {
			if got := strict[events.ALBTargetGroupResponse](t, out); got.StatusCode != http.StatusTeapot || got.Body == "" {
				t.Errorf("Invoke(%q) = %s", payload, out)
			}
			return
		}
		got, ok := err.(messages.InvokeResponse_Error) //nolint:errorlint // The runtime looks at the value itself, too.
		if !ok || out != nil || got.Type != "InvalidRequest" && got.Type != "BadKey" {
			t.Errorf("Invoke(%q) = %q, %v", payload, out, err)
		}
	})
}

// echo reads all parts of the request, so that a malformed request can fail.
func echo(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(http.StatusTeapot)
	_, _ = fmt.Fprintf(w, "%s %s %v %s", r.Method, r.URL, r.URL.Query(), r.FormValue("key"))
}

// refuseAll accepts only JSON and what begins like an array, since nothing else may reach Direct, and refuses it all as
// invalid.
func refuseAll(_ context.Context, payload []byte) ([]byte, error) {
	if !json.Valid(payload) && !bytes.HasPrefix(bytes.TrimSpace(payload), []byte("[")) {
		return nil, errors.New("payload is no JSON")
	}
	return nil, badKey{"no"}
}
