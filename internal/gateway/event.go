package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A sender is what a payload comes from, as far as requests and answers differ.
type sender int

const (
	unknown sender = iota
	direct
	restAPI // also an HTTP API with payload format 1.0
	httpAPI // also a Function URL
	loadBalancer
)

// An event is the union of the members we need of every payload, so that one decoding serves all.
type event struct {
	Version           string              `json:"version"`
	HTTPMethod        string              `json:"httpMethod"`
	Path              string              `json:"path"`
	RawPath           string              `json:"rawPath"`
	RawQueryString    string              `json:"rawQueryString"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Query             map[string]string   `json:"queryStringParameters"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters"`
	RequestContext    *struct {
		ELB  present `json:"elb"`
		HTTP *struct {
			Method string `json:"method"`
		} `json:"http"`
	} `json:"requestContext"`

	// These only tell what the payload is.
	Key        present `json:"key"`
	Keys       present `json:"keys"`
	Operation  present `json:"operation"`
	Type       present `json:"type"`
	Records    present `json:"Records"`
	Source     present `json:"source"`
	DetailType present `json:"detail-type"`
}

// present reports whether a member is there, whatever its value.
type present bool

func (p *present) UnmarshalJSON([]byte) error {
	*p = true
	return nil
}

// decode returns the event in payload and what sent it.
func decode(payload []byte) (*event, sender) {
	if !bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{")) {
		return nil, unknown
	}
	e := new(event)
	err := json.Unmarshal(payload, e)
	from := e.sender()
	// A direct payload may hold members of any type under our names; encoding/json passes over them and goes on.
	_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	if err != nil && (!mistyped || from != direct) {
		return nil, unknown
	}
	return e, from
}

func (e *event) sender() sender {
	rc := e.RequestContext
	switch {
	case bool(e.Key || e.Keys || e.Operation):
		return direct
	case bool(e.Records || e.Source && e.DetailType):
		return unknown
	case rc == nil:
		return direct
	case bool(e.Type): // a question to a Lambda authorizer, which otherwise looks like the request it is about
		return unknown
	case bool(rc.ELB):
		return loadBalancer
	case e.Version == "2.0" && rc.HTTP != nil:
		return httpAPI
	case e.Version != "2.0" && e.HTTPMethod+e.Path != "":
		return restAPI
	}
	return unknown
}

// request returns the HTTP request that from was sent.
func (e *event) request(ctx context.Context, from sender) *http.Request {
	method, path := e.HTTPMethod, e.Path
	if from == httpAPI {
		method, path = e.RequestContext.HTTP.Method, e.RawPath
	}
	r := &http.Request{
		Method: method,
		// No parser may see the path: what an HTTP API has decoded may hold "#" and "?".
		URL:        &url.URL{Path: apiPath(path), RawQuery: e.rawQuery(from)},
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     e.header(),
		Body:       http.NoBody,
	}
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	return r.WithContext(ctx)
}

// apiPath returns the decoded path from the API's own root on. A path that cannot be decoded stays as it is:
// "%" is in no key, so it will be refused where keys are checked.
func apiPath(path string) string {
	if root := strings.LastIndex(path, "/v1/"); root >= 0 {
		path = path[root:]
	}
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

// rawQuery returns the query as the client encoded it, or in an encoding of the same meaning where
// the sender has decoded it.
func (e *event) rawQuery(from sender) string {
	if from == httpAPI {
		return e.RawQueryString
	}
	query := e.MultiValueQuery
	if query == nil {
		query = lists(e.Query)
	}
	if from == restAPI {
		return url.Values(query).Encode()
	}
	return joinedQuery(query)
}

// joinedQuery puts together again what a load balancer has cut at "&" and "=" and not decoded.
func joinedQuery(query map[string][]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			pairs = append(pairs, name+"="+value)
		}
	}
	return strings.Join(pairs, "&")
}

func (e *event) header() http.Header {
	header := make(http.Header, len(e.Headers))
	if e.MultiValueHeaders == nil {
		for name, value := range e.Headers {
			header.Add(name, value)
		}
		return header
	}
	for name, values := range e.MultiValueHeaders {
		name = http.CanonicalHeaderKey(name)
		header[name] = append(header[name], values...)
	}
	return header
}

// lists returns single in the form of the multi-value maps.
func lists(single map[string]string) map[string][]string {
	multi := make(map[string][]string, len(single))
	for name, value := range single {
		multi[name] = []string{value}
	}
	return multi
}
