package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// A response is the http.ResponseWriter that keeps what the handler writes.
type response struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *response) Header() http.Header { return w.header }

// WriteHeader keeps the first final status, as net/http does.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// An output is the answer as Lambda's HTTP senders take it. A REST API turns any member beyond those it knows into a 502.
type output struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription,omitempty"`
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// encode returns the response in the form that to understands.
// multiValue says whether the event came with its headers as lists: a load balancer set up so wants them back so.
func (w *response) encode(to sender, multiValue bool) ([]byte, error) {
	w.WriteHeader(http.StatusOK)
	// Gateways set these themselves.
	w.header.Del("Content-Length")
	w.header.Del("Date")
	out := output{StatusCode: w.status, Body: w.body.String()}
	if to == loadBalancer {
		out.StatusDescription = fmt.Sprintf("%d %s", w.status, http.StatusText(w.status))
	}
	if to == loadBalancer && multiValue {
		out.MultiValueHeaders = w.header
	} else {
		out.Headers = joined(w.header)
	}
	return json.Marshal(out)
}

func joined(header http.Header) map[string]string {
	fields := make(map[string]string, len(header))
	for name, values := range header {
		fields[name] = strings.Join(values, ", ")
	}
	return fields
}
