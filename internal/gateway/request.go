package gateway

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request returns the HTTP request that a client sent to from. It has the headers named in wanted, or all if wanted is nil.
func (e *event) request(ctx context.Context, from sender, wanted []string) *http.Request {
	method, path := from.target(e)
	path = e.pathAsSent(path, from)
	r := &http.Request{
		Method: method,
		// The path must not be parsed as a URL, because a path that an HTTP API has decoded may hold "#" and "?".
		URL:        &url.URL{Path: unescaped(path), RawPath: path, RawQuery: from.query(e)},
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     e.header(wanted),
		Body:       http.NoBody,
	}
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	return r.WithContext(ctx)
}

// pathAsSent returns path as the client sent it: without the stage of an HTTP API, which comes before all else in its paths,
// also behind a custom domain. What an HTTP API has decoded stays decoded.
func (e *event) pathAsSent(path string, from sender) string {
	stage := string(e.RequestContext.Stage)
	rest, found := strings.CutPrefix(path, "/"+stage)
	if !from.stageFirst || !found || stage == "" || stage == "$default" || !strings.HasPrefix(rest, "/") {
		return path
	}
	return rest
}

// unescaped returns path decoded once. A path with a malformed escape stays as it is. It is refused later, because no key
// holds "%".
func unescaped(path string) string {
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

// header returns the headers named in wanted, in any letter case, or all if wanted is nil. If both maps of e hold some of
// them, the lists count: only they hold all values of a header that came several times.
func (e *event) header(wanted []string) http.Header {
	if header := e.MultiValueHeaders.header(wanted); len(header) > 0 {
		return header
	}
	return e.Headers.header(wanted)
}

func (f fields) header(wanted []string) http.Header {
	header := make(http.Header, len(wanted))
	for _, one := range f {
		if wanted == nil || slices.ContainsFunc(wanted, func(name string) bool { return strings.EqualFold(name, one.name) }) {
			header.Add(one.name, one.value)
		}
	}
	return header
}
