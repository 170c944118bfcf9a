package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
	Version           string `json:"version"`
	HTTPMethod        string `json:"httpMethod"`
	Path              string `json:"path"`
	RawPath           string `json:"rawPath"`
	RawQueryString    string `json:"rawQueryString"`
	Headers           fields `json:"headers"`
	MultiValueHeaders fields `json:"multiValueHeaders"`
	Query             fields `json:"queryStringParameters"`
	MultiValueQuery   fields `json:"multiValueQueryStringParameters"`
	RequestContext    *struct {
		ELB  present `json:"elb"`
		HTTP *struct {
			Method string `json:"method"`
		} `json:"http"`
	} `json:"requestContext"`

	marks
}

// marks only tell what a payload is.
type marks struct {
	Key        present `json:"key"`
	Keys       present `json:"keys"`
	Operation  present `json:"operation"`
	Type       present `json:"type"`
	Records    present `json:"Records"`
	Source     present `json:"source"`
	DetailType present `json:"detail-type"`
}

// direct reports whether the payload asks for something, whatever else it holds.
func (m marks) direct() bool { return bool(m.Key || m.Keys || m.Operation) }

// refused reports whether the payload is the event of a sender that is not served.
func (m marks) refused() bool { return bool(m.Records || m.Source && m.DetailType) }

// present reports whether a member is there, whatever its value.
type present bool

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (p *present) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*p = true
	return d.SkipValue()
}

// decode returns the event in payload and what sent it. Of the headers it keeps those named in headers, or all if that
// is nil.
func decode(payload []byte, headers []string) (*event, sender) {
	// A payload may come from anybody who may invoke the function: where JSON leaves a choice, we take what comes.
	lenient := json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	e := &event{Headers: fields{only: headers}, MultiValueHeaders: fields{only: headers}}
	if jsontext.Value(payload).Kind() != '{' {
		return nil, unknown
	}
	if json.Unmarshal(payload, e, lenient) == nil {
		return e, e.sender()
	}
	// A direct payload may hold members of any type under the names of an event's.
	var m struct {
		marks
		RequestContext present `json:"requestContext"`
	}
	if json.Unmarshal(payload, &m, lenient) == nil && (m.direct() || !m.refused() && !bool(m.RequestContext)) {
		return nil, direct
	}
	return nil, unknown
}

func (e *event) sender() sender {
	rc := e.RequestContext
	switch {
	case e.direct():
		return direct
	case e.refused():
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
	query := e.MultiValueQuery.list
	if query == nil {
		query = e.Query.list
	}
	if from == restAPI {
		return encodedQuery(query)
	}
	return joinedQuery(query)
}

func encodedQuery(query []field) string {
	values := url.Values{}
	for _, f := range query {
		values.Add(f.name, f.value)
	}
	return values.Encode()
}

// joinedQuery puts together again what a load balancer has cut at "&" and "=" and not decoded.
func joinedQuery(query []field) string {
	pairs := make([]string, 0, len(query))
	for _, f := range query {
		pairs = append(pairs, f.name+"="+f.value)
	}
	return strings.Join(pairs, "&")
}

func (e *event) header() http.Header {
	list := e.MultiValueHeaders.list
	if list == nil {
		list = e.Headers.list
	}
	header := make(http.Header, len(list))
	for _, f := range list {
		header.Add(f.name, f.value)
	}
	return header
}

// fields is a map of header or query fields, whose values are strings or lists of strings. In the map form every one
// of a request's fifteen headers costs four allocations, and the handler reads four of them.
type fields struct {
	only []string // the names to keep, in any letter case; nil keeps all
	list []field  // nil if there is no map
}

type field struct{ name, value string }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (f *fields) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	f.list = nil
	if d.PeekKind() == 'n' {
		return d.SkipValue()
	}
	if brace, err := d.ReadToken(); err != nil || brace.Kind() != '{' {
		return errors.Join(err, errNoMap)
	}
	f.list = []field{}
	for d.PeekKind() != '}' {
		if err := f.readField(d); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

var errNoMap = errors.New("gateway: fields that are no JSON object")

func (f *fields) readField(d *jsontext.Decoder) error {
	quoted, err := d.ReadValue()
	if err != nil {
		return err
	}
	if !f.keeps(quoted) {
		return d.SkipValue()
	}
	unquoted, _ := jsontext.AppendUnquote(nil, quoted) // fails for invalid UTF-8 only, which it replaces
	name := string(unquoted)
	values := make([]string, 1)
	if d.PeekKind() == '[' {
		err = json.UnmarshalDecode(d, &values)
	} else {
		err = json.UnmarshalDecode(d, &values[0])
	}
	for _, value := range values {
		f.list = append(f.list, field{name, value})
	}
	return err
}

func (f *fields) keeps(quoted []byte) bool {
	return f.only == nil || slices.ContainsFunc(f.only, func(name string) bool {
		return bytes.EqualFold(quoted[1:len(quoted)-1], []byte(name))
	})
}
