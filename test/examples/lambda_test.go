package examples

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"voxkv/handler"
	"voxkv/internal/gateway"
)

// functionName is what the examples invoke. A function called killed does not get to answer.
const (
	functionName = "voxkv"
	killed       = "killed"
)

// A lambdaAPI is Lambda's Invoke, before the real function. It refuses what Lambda would.
type lambdaAPI struct {
	gateway gateway.Gateway
	busy    atomic.Int64 // so many invocations fail with UpstreamBusy first
	invoked atomic.Int64
}

func newLambdaAPI(t *testing.T, s storage) *lambdaAPI {
	t.Helper()
	f := newFunction(t, s, nil)
	return &lambdaAPI{gateway: gateway.Gateway{HTTP: f, Headers: handler.RequestHeaders(), Direct: f.Direct}}
}

func (l *lambdaAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/")
	name, isInvoke := strings.CutSuffix(name, "/invocations")
	payload, err := io.ReadAll(r.Body)
	kind := r.Header.Get("X-Amz-Invocation-Type")
	switch {
	case r.Method != http.MethodPost || !ok || !isInvoke:
		refuse(w, http.StatusNotFound, "UnknownOperationException")
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") || !strings.Contains(r.Header.Get("Authorization"), "/lambda/aws4_request"):
		refuse(w, http.StatusForbidden, "MissingAuthenticationTokenException")
	case name != functionName && name != killed:
		refuse(w, http.StatusNotFound, "ResourceNotFoundException")
	case err != nil || !json.Valid(payload) || kind != "" && kind != "RequestResponse":
		refuse(w, http.StatusBadRequest, "InvalidRequestContentException")
	default:
		l.answer(w, r.Context(), name, payload)
	}
}

// answer invokes the function. A failure of its own is a 200 too.
func (l *lambdaAPI) answer(w http.ResponseWriter, ctx context.Context, name string, payload []byte) {
	l.invoked.Add(1)
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	var body []byte
	var err error
	switch {
	case name == killed:
		err = messages.InvokeResponse_Error{Message: "2026-11-23T15:33:58Z 8f5c3a52 Task timed out after 3.00 seconds"}
	case l.busy.Add(-1) >= 0:
		err = messages.InvokeResponse_Error{Type: "UpstreamBusy", Message: "The storage is busy."}
	default:
		body, err = l.gateway.Invoke(ctx, payload)
	}
	if failed, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		fields := map[string]string{"errorMessage": failed.Message}
		if failed.Type != "" {
			fields["errorType"] = failed.Type
		}
		body, _ = json.Marshal(fields) // strings
	}
	w.Write(body)
}

func refuse(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(status)
	io.WriteString(w, `{"Type":"User","Message":"refused"}`)
}
