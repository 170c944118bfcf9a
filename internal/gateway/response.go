package gateway

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A response is an http.ResponseWriter that keeps what the handler writes.
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

// encode returns the response in the form that the sender understands: statusCode, headers, body and isBase64Encoded. An
// API Gateway turns a response with any other member into a 502. The JSON is written by hand, because
// encoding/json would sort and copy the map of headers: 30 more allocations for a warm hit.
//
// If description is true, it has a statusDescription too; if lists is true, its headers are lists, in multiValueHeaders.
func (w *response) encode(description, lists bool) []byte {
	w.WriteHeader(http.StatusOK)
	// The senders set these themselves.
	w.header.Del("Content-Length")
	w.header.Del("Date")
	out := make([]byte, 0, 1024+2*w.body.Len())
	out = append(out, `{"statusCode":`...)
	out = strconv.AppendInt(out, int64(w.status), 10)
	if description {
		out = append(out, `,"statusDescription":`...)
		out = appendString(out, strconv.Itoa(w.status)+" "+http.StatusText(w.status))
	}
	if lists {
		out = appendHeader(append(out, `,"multiValueHeaders":{`...), w.header, appendList)
	} else {
		out = appendHeader(append(out, `,"headers":{`...), w.header, appendJoined)
	}
	out = append(out, `},"body":`...)
	out = appendString(out, w.body.String())
	return append(out, `,"isBase64Encoded":false}`...)
}

func appendHeader(out []byte, header http.Header, appendValues func([]byte, []string) []byte) []byte {
	separator := ""
	for name, values := range header {
		out = appendString(append(out, separator...), name)
		out = appendValues(append(out, ':'), values)
		separator = ","
	}
	return out
}

func appendJoined(out []byte, values []string) []byte {
	return appendString(out, strings.Join(values, ", "))
}

func appendList(out []byte, values []string) []byte {
	out = append(out, '[')
	for i, value := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(out, value)
	}
	return append(out, ']')
}

// appendString replaces bytes that are not UTF-8, so it cannot fail.
func appendString(out []byte, s string) []byte {
	out, _ = jsontext.AppendQuote(out, s)
	return out
}
