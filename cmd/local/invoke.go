package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	smithyrand "github.com/aws/smithy-go/rand"
)

// lambdaPath begins the paths of Lambda's API in the version that has Invoke.
const lambdaPath = "/2015-03-31/"

const (
	// timeout is that of the function in template.yaml.
	timeout = 10 * time.Second

	// Lambda's limits.
	maxPayload      = 6 << 20
	maxEventPayload = 1 << 20
	maxResponse     = 6<<20 + 100
)

// A lambdaAPI answers Lambda's Invoke, so that a function that invokes voxkv can be tried without AWS. Nothing of it needs
// a signature, as nothing here needs an account.
type lambdaAPI struct {
	name     string // of the function
	function lambda.Handler
}

// An invocation is what a caller asks for.
type invocation struct {
	id      string
	kind    string
	arn     string
	payload []byte
	trace   string
	tail    *tail // of the log, nil if it is not asked for
}

// ServeHTTP refuses pages of other origins like the rest of what is only for this machine.
func (l *lambdaAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := l.read(r)
	w.Header().Set("X-Amzn-Requestid", in.id)
	switch {
	case err != nil:
		refuse(w, err)
	case in.kind == "DryRun":
		w.WriteHeader(http.StatusNoContent)
	case in.kind == "Event":
		// What becomes of it is in the log alone. As in template.yaml it is not tried again.
		go func() { _, _ = l.run(context.Background(), in) }()
		w.WriteHeader(http.StatusAccepted)
	default:
		body, err := l.run(r.Context(), in)
		respond(w, in, body, err)
	}
}

// read returns the invocation that r asks for. The error is an *apiError.
func (l *lambdaAPI) read(r *http.Request) (in invocation, err error) {
	if in.id, err = smithyrand.NewUUID(rand.Reader).GetUUID(); err != nil {
		return in, &apiError{http.StatusInternalServerError, "ServiceException", err.Error()}
	}
	if why := foreign(r, nil); why != "" {
		return in, &apiError{http.StatusForbidden, "AccessDeniedException", why}
	}
	name, isInvoke := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, lambdaPath+"functions/"), "/invocations")
	if r.Method != http.MethodPost || !isInvoke {
		return in, &apiError{http.StatusNotFound, "UnknownOperationException", "of Lambda's API there is only POST " + lambdaPath + "functions/{name}/invocations here"}
	}
	if in.arn, err = l.resolve(name, r.URL.Query().Get("Qualifier")); err != nil {
		return in, err
	}
	if in.kind, err = oneOf(r, "X-Amz-Invocation-Type", "RequestResponse", "Event", "DryRun"); err != nil {
		return in, err
	}
	logType, err := oneOf(r, "X-Amz-Log-Type", "None", "Tail")
	if err != nil {
		return in, err
	}
	if logType == "Tail" && in.kind == "RequestResponse" {
		in.tail = new(tail)
	}
	in.trace = r.Header.Get("X-Amzn-Trace-Id")
	in.payload, err = payloadOf(r, in.kind)
	return in, err
}

// oneOf returns a header field, or the first accepted value if it is absent.
func oneOf(r *http.Request, name string, accepted ...string) (string, error) {
	value := r.Header.Get(name)
	if value == "" {
		return accepted[0], nil
	}
	if !slices.Contains(accepted, value) {
		return "", invalidParameter("%s is %q; accepted: %s", name, value, strings.Join(accepted, ", "))
	}
	return value, nil
}

// payloadOf reads the whole payload, also of one that is too large: who is still sending reads no answer. An empty one is
// {}, which is what Lambda makes of it.
func payloadOf(r *http.Request, kind string) ([]byte, error) {
	limit := int64(maxPayload)
	if kind == "Event" {
		limit = maxEventPayload
	}
	payload, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, "InvalidRequestContentException", "The payload did not arrive whole"}
	}
	if int64(len(payload)) > limit {
		rest, _ := io.Copy(io.Discard, io.LimitReader(r.Body, 10*maxPayload))
		return nil, &apiError{http.StatusRequestEntityTooLarge, "RequestTooLargeException",
			fmt.Sprintf("%d byte payload is too large for the %s invocation type (limit %d bytes)", limit+1+rest, kind, limit)}
	}
	if len(payload) == 0 {
		return []byte("{}"), nil
	}
	if !utf8.Valid(payload) || !json.Valid(payload) {
		return nil, &apiError{http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json: the payload is not JSON"}
	}
	return payload, nil
}

// run invokes the function with the time that it has on AWS. As there, it goes on if the caller hangs up. The error is a
// messages.InvokeResponse_Error.
func (l *lambdaAPI) run(ctx context.Context, in invocation) ([]byte, error) {
	ctx, cancel := context.WithTimeout(in.context(context.WithoutCancel(ctx)), timeout)
	type result struct {
		body []byte
		err  error
	}
	ended := make(chan result, 1)
	go func() {
		defer cancel()
		body, err := l.function.Invoke(ctx, in.payload)
		ended <- result{body, err}
	}()
	select {
	case got := <-ended:
		if len(got.body) > maxResponse {
			return nil, functionError("Function.ResponseSizeTooLarge", "Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).", len(got.body), maxResponse)
		}
		return got.body, got.err
	case <-time.After(timeout):
		return nil, functionError("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", in.id, timeout.Seconds())
	}
}

// context is the one that aws-lambda-go makes for an invocation.
func (in invocation) context(ctx context.Context) context.Context {
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: in.id, InvokedFunctionArn: in.arn})
	if in.trace != "" {
		ctx = context.WithValue(ctx, "x-amzn-trace-id", in.trace) //nolint:revive,staticcheck // the key that aws-lambda-go uses
	}
	if in.tail != nil {
		ctx = context.WithValue(ctx, tailKey{}, in.tail)
	}
	return ctx
}

func functionError(kind, message string, args ...any) messages.InvokeResponse_Error {
	return messages.InvokeResponse_Error{Type: kind, Message: fmt.Sprintf(message, args...)}
}

// respond writes what the function answered. That the function failed is a 200 too.
func respond(w http.ResponseWriter, in invocation, body []byte, err error) {
	header := w.Header()
	header.Set("X-Amz-Executed-Version", "$LATEST")
	header.Set("Content-Type", "application/json")
	if in.tail != nil {
		header.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(in.tail.bytes()))
	}
	if failed, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		header.Set("X-Amz-Function-Error", "Unhandled")
		body, _ = json.Marshal(failed) // strings
	}
	w.Write(body)
}

// An apiError is an error of Lambda's own, before there is an invocation.
type apiError struct {
	status        int
	kind, message string
}

func (e *apiError) Error() string { return e.kind + ": " + e.message }

func invalidParameter(message string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidParameterValueException", fmt.Sprintf(message, args...)}
}

// refuse writes an error as Lambda does. Its SDKs find the type in the header.
func refuse(w http.ResponseWriter, err error) {
	failed, ok := errors.AsType[*apiError](err)
	if !ok {
		failed = &apiError{http.StatusInternalServerError, "ServiceException", err.Error()}
	}
	member := "message"
	switch failed.kind { // Lambda spells it in both ways
	case "ResourceNotFoundException", "ServiceException", "AccessDeniedException":
		member = "Message"
	}
	body, _ := json.Marshal(map[string]string{"Type": "User", member: failed.message}) // strings
	w.Header().Set("X-Amzn-Errortype", failed.kind)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(failed.status)
	w.Write(body)
}

// printInvoke prints what lets other functions invoke this one, and a command line to paste. It needs neither an account
// nor settings, and both versions of the AWS CLI understand it.
func printInvoke(w io.Writer, root, name, key string) {
	payload, _ := json.Marshal(map[string]string{"key": key}) // a string
	fmt.Fprintf(w, `
Other functions invoke it as %[2]s, with AWS_ENDPOINT_URL_LAMBDA=%[1]s in their environment:

  echo '%[3]s' | aws lambda invoke --endpoint-url %[1]s --region us-east-1 --no-sign-request --function-name %[2]s --payload fileb:///dev/stdin /dev/stdout

Ctrl-C ends it.
`, root, name, strings.ReplaceAll(string(payload), "'", `'\''`))
}
