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

// A lambdaAPI answers Lambda's Invoke, so that a function that invokes voxkv can be tried without AWS. It checks no
// signatures, since nobody needs an account here.
type lambdaAPI struct {
	name     string // of the function
	function lambda.Handler
}

// An invocation is what a caller asks for.
type invocation struct {
	id             string
	invocationType string // RequestResponse, Event or DryRun
	arn            string
	payload        []byte
	trace          string
	tail           *logTail // of the log, nil if it is not asked for
}

// ServeHTTP answers one request as Lambda would. It refuses pages of other origins, like all that is only for this machine.
func (l *lambdaAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := l.read(r)
	w.Header().Set("X-Amzn-Requestid", in.id)
	switch {
	case err != nil:
		refuse(w, err)
	case in.invocationType == "DryRun":
		w.WriteHeader(http.StatusNoContent)
	case in.invocationType == "Event":
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
	if why := crossOrigin(r, nil); why != "" {
		return in, &apiError{http.StatusForbidden, "AccessDeniedException", why}
	}
	name, isInvoke := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, lambdaPath+"functions/"), "/invocations")
	if r.Method != http.MethodPost || !isInvoke {
		return in, &apiError{http.StatusNotFound, "UnknownOperationException", "of Lambda's API there is only POST " + lambdaPath + "functions/{name}/invocations here"}
	}
	if in.arn, err = l.resolve(name, r.URL.Query().Get("Qualifier")); err != nil {
		return in, err
	}
	if in.invocationType, err = oneOf(r, "X-Amz-Invocation-Type", "RequestResponse", "Event", "DryRun"); err != nil {
		return in, err
	}
	logType, err := oneOf(r, "X-Amz-Log-Type", "None", "Tail")
	if err != nil {
		return in, err
	}
	if logType == "Tail" && in.invocationType == "RequestResponse" {
		in.tail = new(logTail)
	}
	in.trace = r.Header.Get("X-Amzn-Trace-Id")
	in.payload, err = payloadOf(r, in.invocationType)
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

// payloadOf returns the payload of r. It also reads one that is too large to its end, because a client that is still
// sending does not read the answer. Lambda makes {} of an empty payload.
func payloadOf(r *http.Request, invocationType string) ([]byte, error) {
	limit := int64(maxPayload)
	if invocationType == "Event" {
		limit = maxEventPayload
	}
	payload, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, "InvalidRequestContentException", "The payload did not arrive whole"}
	}
	if int64(len(payload)) > limit {
		rest, _ := io.Copy(io.Discard, io.LimitReader(r.Body, 10*maxPayload))
		return nil, &apiError{http.StatusRequestEntityTooLarge, "RequestTooLargeException",
			fmt.Sprintf("%d byte payload is too large for the %s invocation type (limit %d bytes)", limit+1+rest, invocationType, limit)}
	}
	if len(payload) == 0 {
		return []byte("{}"), nil
	}
	if !utf8.Valid(payload) || !json.Valid(payload) {
		return nil, &apiError{http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json: the payload is not JSON"}
	}
	return payload, nil
}

// run invokes the function, which has as much time as on AWS, and as there goes on if the caller hangs up. The error is a
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
		ctx = context.WithValue(ctx, logTailKey{}, in.tail)
	}
	return ctx
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
