package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

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

// An event is the union of the members we need of every payload, so that one pass serves all.
type event struct {
	version           string
	httpMethod        string
	path              string
	rawPath           string
	rawQueryString    string
	headers           fields
	multiValueHeaders fields
	query             fields
	multiValueQuery   fields

	// Of requestContext, which is there if context says so:
	context bool
	elb     bool
	http    bool
	method  string
	stage   string

	asks     bool // it is a direct invocation, whatever else it holds
	records  bool
	source   bool
	detail   bool
	kind     bool // "type": a question to a Lambda authorizer, which otherwise looks like the request it is about
	mistyped bool // one of ours has another type than in an event
}

// decode returns the event in payload and what sent it, as d reads it. Of the headers it keeps those named in headers, or
// all if that is nil. It goes through the tokens by itself: unmarshalling into a struct would cost a warm hit 80
// allocations more, and the package for it a tenth of the binary.
//
// Names are case-sensitive. A payload in which any object has two members of one name is from an unknown sender: readers
// on the way may have taken the other one. Bytes that are no UTF-8 are replaced.
func decode(d *jsontext.Decoder, payload []byte, headers []string) (*event, sender) {
	d.Reset(bytes.NewBuffer(payload), jsontext.AllowInvalidUTF8(true))
	e := &event{headers: fields{only: headers}, multiValueHeaders: fields{only: headers}}
	if d.PeekKind() == '[' {
		return nil, direct // no event is a list, whatever is wrong with this one
	}
	if d.PeekKind() != '{' || members(d, e.member) != nil {
		return nil, unknown
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, unknown
	}
	from := e.sender()
	if e.mistyped && from != direct {
		return nil, unknown
	}
	return e, from
}

// members calls read with the quoted name of each member of the object that d is at. read reads the value.
func members(d *jsontext.Decoder, read func(d *jsontext.Decoder, name []byte) error) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := read(d, name); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func (e *event) member(d *jsontext.Decoder, name []byte) error {
	switch string(name) {
	case `"version"`:
		return e.text(d, &e.version)
	case `"httpMethod"`:
		return e.text(d, &e.httpMethod)
	case `"path"`:
		return e.text(d, &e.path)
	case `"rawPath"`:
		return e.text(d, &e.rawPath)
	case `"rawQueryString"`:
		return e.text(d, &e.rawQueryString)
	case `"headers"`:
		return e.fields(d, &e.headers)
	case `"multiValueHeaders"`:
		return e.fields(d, &e.multiValueHeaders)
	case `"queryStringParameters"`:
		return e.fields(d, &e.query)
	case `"multiValueQueryStringParameters"`:
		return e.fields(d, &e.multiValueQuery)
	case `"requestContext"`:
		return e.object(d, &e.context, e.contextMember)
	case `"key"`, `"keys"`, `"operation"`:
		return mark(d, &e.asks)
	case `"Records"`:
		return mark(d, &e.records)
	case `"source"`:
		return mark(d, &e.source)
	case `"detail-type"`:
		return mark(d, &e.detail)
	case `"type"`:
		return mark(d, &e.kind)
	}
	return d.SkipValue()
}

func (e *event) contextMember(d *jsontext.Decoder, name []byte) error {
	switch string(name) {
	case `"stage"`:
		return e.text(d, &e.stage)
	case `"elb"`:
		return e.object(d, &e.elb, skip)
	case `"http"`:
		return e.object(d, &e.http, e.httpMember)
	}
	return d.SkipValue()
}

func (e *event) httpMember(d *jsontext.Decoder, name []byte) error {
	if string(name) == `"method"` {
		return e.text(d, &e.method)
	}
	return d.SkipValue()
}

func skip(d *jsontext.Decoder, _ []byte) error { return d.SkipValue() }

// mark notes a member that only tells what the payload is.
func mark(d *jsontext.Decoder, there *bool) error {
	value, err := d.ReadValue()
	*there = *there || err == nil && !isEmpty(value)
	return err
}

// isEmpty reports whether value is as good as absent: null, or nothing in whatever type. Languages without types write an
// empty map as [] and an empty string for what is not there.
func isEmpty(value jsontext.Value) bool {
	switch value.Kind() {
	case 'n':
		return true
	case '"', '[', '{':
		return len(bytes.TrimSpace(value[1:len(value)-1])) == 0
	}
	return false
}

// text reads a string.
func (e *event) text(d *jsontext.Decoder, s *string) error {
	if d.PeekKind() != '"' {
		return e.otherType(d, new(bool))
	}
	token, err := d.ReadToken()
	if err == nil {
		*s = token.String()
	}
	return err
}

// object reads an object and notes that it is there.
func (e *event) object(d *jsontext.Decoder, there *bool, read func(*jsontext.Decoder, []byte) error) error {
	if d.PeekKind() != '{' {
		return e.otherType(d, there)
	}
	*there = true
	return members(d, read)
}

// otherType reads a value that is of another type than in an event. That is wrong unless it is empty.
func (e *event) otherType(d *jsontext.Decoder, there *bool) error {
	err := mark(d, there)
	e.mistyped = e.mistyped || *there
	return err
}

func (e *event) sender() sender {
	switch {
	case e.asks:
		return direct
	case e.records || e.source && e.detail:
		return unknown
	case !e.context:
		return direct
	case e.kind:
		return unknown
	case e.elb:
		return loadBalancer
	case e.version == "2.0" && e.http:
		return httpAPI
	case e.version != "2.0" && e.httpMethod+e.path != "":
		return restAPI
	}
	return unknown
}

// request returns the HTTP request that from was sent.
func (e *event) request(ctx context.Context, from sender) *http.Request {
	method, path := e.httpMethod, e.path
	if from == httpAPI {
		method, path = e.method, e.rawPath
	}
	path = e.sentPath(path, from)
	r := &http.Request{
		Method: method,
		// No parser may see the path: what an HTTP API has decoded may hold "#" and "?".
		URL:        &url.URL{Path: unescaped(path), RawPath: path, RawQuery: e.rawQuery(from)},
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

// sentPath returns the path as the client sent it, without the stage of an HTTP API, which comes before all else in its
// paths, behind a custom domain too. Other senders have taken the stage away. What an HTTP API has decoded stays so.
func (e *event) sentPath(path string, from sender) string {
	ofHTTPAPI := from == httpAPI || from == restAPI && e.version == "1.0"
	rest, found := strings.CutPrefix(path, "/"+e.stage)
	if !ofHTTPAPI || !found || e.stage == "" || e.stage == "$default" || !strings.HasPrefix(rest, "/") {
		return path
	}
	return rest
}

// unescaped returns path decoded once. What cannot be decoded stays as it is: "%" is in no key, so it will be refused
// where keys are checked.
func unescaped(path string) string {
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

// rawQuery returns the query as the client encoded it, or in an encoding of the same meaning where
// the sender has decoded it.
func (e *event) rawQuery(from sender) string {
	query := firstOf(e.multiValueQuery, e.query)
	switch {
	case from == loadBalancer:
		return joinedQuery(query)
	case from == httpAPI && e.rawQueryString != "":
		return e.rawQueryString
	case from == httpAPI:
		query = splitAtCommas(query)
	}
	return encodedQuery(query)
}

// firstOf returns what the first map that is not empty holds.
func firstOf(lists, single fields) []field {
	if len(lists.list) > 0 {
		return lists.list
	}
	return single.list
}

// splitAtCommas undoes what an HTTP API does to a parameter that comes several times. No key holds a comma.
func splitAtCommas(query []field) []field {
	var split []field
	for _, f := range query {
		for value := range strings.SplitSeq(f.value, ",") {
			split = append(split, field{f.name, value})
		}
	}
	return split
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
	list := firstOf(e.multiValueHeaders, e.headers)
	header := make(http.Header, len(list))
	for _, f := range list {
		header.Add(f.name, f.value)
	}
	return header
}

// fields reads a map of fields.
func (e *event) fields(d *jsontext.Decoder, f *fields) error {
	if d.PeekKind() != '{' {
		return e.otherType(d, new(bool))
	}
	f.list = make([]field, 0, 4)
	return members(d, f.member)
}

// fields is a map of header or query fields, whose values are strings or lists of strings.
type fields struct {
	only  []string // the names to keep, in any letter case; nil keeps all
	list  []field
	found bool // the map is not empty, whatever is kept of it
}

type field struct{ name, value string }

func (f *fields) member(d *jsontext.Decoder, quoted []byte) error {
	f.found = true
	if !f.keeps(quoted) {
		return d.SkipValue()
	}
	unquoted, _ := jsontext.AppendUnquote(nil, quoted) // fails for invalid UTF-8 only, which it replaces
	name := string(unquoted)
	if d.PeekKind() != '[' {
		return f.value(d, name)
	}
	_, err := d.ReadToken()
	for err == nil && d.PeekKind() != ']' {
		err = f.value(d, name)
	}
	if err == nil {
		_, err = d.ReadToken()
	}
	return err
}

// value reads one value of the field name. What is no string is no value.
func (f *fields) value(d *jsontext.Decoder, name string) error {
	if d.PeekKind() != '"' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err == nil {
		f.list = append(f.list, field{name, token.String()})
	}
	return err
}

func (f *fields) keeps(quoted []byte) bool {
	return f.only == nil || slices.ContainsFunc(f.only, func(name string) bool {
		return bytes.EqualFold(quoted[1:len(quoted)-1], []byte(name))
	})
}
