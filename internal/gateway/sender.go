package gateway

import (
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"voxkv/allowlist"
)

// A sender is a service that sends HTTP events. Its fields are all that differs between senders.
type sender struct {
	// sent reports whether an event is from this sender.
	sent func(*event) bool

	// target returns the method, and the path as it is in the event.
	target func(*event) (method, path string)

	// stageFirst is true if the path in the event begins with the stage. Other senders have removed it.
	stageFirst bool

	// query returns the query as the client encoded it. If the sender has decoded it, query encodes it again, and the
	// encoding may differ from the client's.
	query func(*event) string

	// claims returns what an authorizer has verified of the client; ok is false if no authorizer of this sender has. If
	// claims is nil, the sender has none.
	claims func(authorizer jsontext.Value) (claims allowlist.Claims, ok bool)

	// describesStatus is true if the sender requires the member statusDescription in an answer.
	describesStatus bool

	// mirrorsLists is true if the sender requires the headers of an answer as lists when those of the event are lists.
	mirrorsLists bool
}

// senders returns one row for each sender. An event that fits several rows is from the first of them.
func senders() []sender {
	return []sender{
		// An application load balancer.
		{sent: hasELB, target: v1Target, query: joinedQuery, describesStatus: true, mirrorsLists: true},
		// An HTTP API with payload format 2.0, or a Function URL.
		{sent: isV2, target: v2Target, stageFirst: true, query: v2Query, claims: v2Claims},
		// An HTTP API with payload format 1.0.
		{sent: isV1, target: v1Target, stageFirst: true, query: encodedQuery, claims: v1Claims},
		// A REST API. Its events have no version.
		{sent: hasV1Target, target: v1Target, query: encodedQuery, claims: v1Claims},
	}
}

// sender returns the sender of e, and false if it is none of the known ones.
func (e *event) sender() (sender, bool) {
	for _, s := range senders() {
		if s.sent(e) {
			return s, true
		}
	}
	return sender{}, false
}

func hasELB(e *event) bool { return e.RequestContext.ELB.members != nil }

func isV2(e *event) bool { return e.Version == "2.0" && e.RequestContext.HTTP.members != nil }

func isV1(e *event) bool { return e.Version == "1.0" && hasV1Target(e) }

func hasV1Target(e *event) bool { return e.Version != "2.0" && e.HTTPMethod+e.Path != "" }

func v1Target(e *event) (method, path string) { return string(e.HTTPMethod), string(e.Path) }

func v2Target(e *event) (method, path string) {
	return string(e.RequestContext.HTTP.members.Method), string(e.RawPath)
}

// parameters returns the query from the map that has content. If both have, the lists count: only they hold all values of
// a parameter that came several times.
func (e *event) parameters() fields {
	if len(e.MultiValueQuery) > 0 {
		return e.MultiValueQuery
	}
	return e.Query
}

// joinedQuery puts together again what a load balancer has split at "&" and "=", and has not decoded.
func joinedQuery(e *event) string {
	var pairs []string
	for _, f := range e.parameters() {
		pairs = append(pairs, f.name+"="+f.value)
	}
	return strings.Join(pairs, "&")
}

// v2Query returns rawQueryString. If that is absent, the map has the query. There, commas separate the values of a
// parameter that came several times; no key holds a comma.
func v2Query(e *event) string {
	if e.RawQueryString != "" {
		return string(e.RawQueryString)
	}
	values := url.Values{}
	for _, f := range e.parameters() {
		values[f.name] = append(values[f.name], strings.Split(f.value, ",")...)
	}
	return values.Encode()
}

// encodedQuery encodes parameters that the sender has decoded.
func encodedQuery(e *event) string {
	values := url.Values{}
	for _, f := range e.parameters() {
		values.Add(f.name, f.value)
	}
	return values.Encode()
}
