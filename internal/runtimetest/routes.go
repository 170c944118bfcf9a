package runtimetest

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxPayload is the most bytes that Lambda accepts in a response: 6 MB, and 100 bytes for an
// envelope.
const maxPayload = 6<<20 + 100

// handler serves the calls of the Runtime API that aws-lambda-go makes for the function. Any
// other is a violation.
func (a *API) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.failure)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			a.violate("no such call: %s %s", r.Method, r.URL.Path)
		}
		mux.ServeHTTP(w, r)
	})
}

func (a *API) next(w http.ResponseWriter, r *http.Request) {
	a.endInit()
	select {
	case c := <-a.waiting:
		a.handOut(w, c)
	case <-r.Context().Done():
	}
}

func (a *API) endInit() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.readyAt.IsZero() {
		a.readyAt = time.Now()
		close(a.ready)
	}
}

func (a *API) handOut(w http.ResponseWriter, c *call) {
	a.start(c)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", c.RequestID)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(c.Deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", c.FunctionARN)
	h.Set("Lambda-Runtime-Trace-Id", c.TraceID)
	if c.ClientContext != "" {
		h.Set("Lambda-Runtime-Client-Context", c.ClientContext)
	}
	if c.CognitoIdentity != "" {
		h.Set("Lambda-Runtime-Cognito-Identity", c.CognitoIdentity)
	}
	w.Write(c.Payload)
}

// start registers c. This must happen before the process can answer.
func (a *API) start(c *call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.handedOut = time.Now()
	a.running[c.RequestID] = c
}

// take removes and returns the call, because every call is answered once.
func (a *API) take(id string) (*call, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.running[id]
	delete(a.running, id)
	return c, ok
}

func (a *API) response(w http.ResponseWriter, r *http.Request) {
	payload, err := readBody(r)
	if err != nil {
		a.violate("response: %v", err)
		return
	}
	mediaType := a.checkMediaType(r, "application/json", "application/octet-stream")
	if mediaType == "application/json" && !json.Valid(payload) {
		a.violate("the response is not the JSON it is said to be")
	}
	a.finish(w, r, Result{Payload: payload})
}

func (a *API) failure(w http.ResponseWriter, r *http.Request) {
	payload, err := readBody(r)
	if err != nil {
		a.violate("error: %v", err)
		return
	}
	a.finish(w, r, Result{Payload: payload, FunctionError: a.functionError(r, payload)})
}

func (a *API) finish(w http.ResponseWriter, r *http.Request, result Result) {
	c, ok := a.take(r.PathValue("id"))
	if !ok {
		a.refuse(w, r, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	result.Duration = time.Since(c.handedOut)
	if len(result.Payload) > maxPayload {
		c.answered <- tooLarge(result)
		a.refuse(w, r, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
			fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", maxPayload))
		return
	}
	c.answered <- result
	accept(w)
}

// tooLarge returns the result that Lambda gives the caller instead of an oversized response.
func tooLarge(result Result) Result {
	result.FunctionError = &FunctionError{
		Type:    "Function.ResponseSizeTooLarge",
		Message: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxPayload),
	}
	result.Payload = marshal(result.FunctionError)
	return result
}

// functionError returns the error document. A document without a type is a violation, because
// callers tell errors apart by the type.
func (a *API) functionError(r *http.Request, payload []byte) *FunctionError {
	a.checkMediaType(r, "application/json", "application/vnd.aws.lambda.error+json")
	e := new(FunctionError)
	if err := json.Unmarshal(payload, e); err != nil {
		a.violate("the error is not an error document: %v", err)
	} else if e.Type == "" {
		a.violate("the error has no errorType")
	}
	return e
}

func (a *API) checkMediaType(r *http.Request, accepted ...string) string {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(accepted, mediaType) {
		a.violate("%s: Content-Type %q; want one of %q", r.URL.Path, r.Header.Get("Content-Type"), accepted)
	}
	return mediaType
}

// readBody reads the whole body, and returns at most one byte more than is allowed. If it
// stopped reading, the client might never see that its request was refused.
func readBody(r *http.Request) ([]byte, error) {
	payload, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return payload, err
}

func (a *API) refuse(w http.ResponseWriter, r *http.Request, status int, typ, message string) {
	a.violate("%s %s: %s", r.Method, r.URL.Path, message)
	writeJSON(w, status, FunctionError{Type: typ, Message: message})
}

func accept(w http.ResponseWriter) {
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(marshal(v))
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
