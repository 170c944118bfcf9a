package handler

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"voxkv/internal/problem"
)

// The routes. A key follows itemsPath, optionalPath, parsedPath and valuesPath, or
// is in the query of itemsPath.
const (
	root         = "/v1/" // what all routes begin with; a base path may end like it
	itemsPath    = root + "items"
	optionalPath = root + "optional"
	parsedPath   = root + "parsed"
	valuesPath   = root + "values"
	healthPath   = root + "health"
	keySuffix    = "/{key}" // of a route as the log and the documents name it
)

// A request is what is asked for.
type request struct {
	route string // "" if there is none
	form  form   // of the item

	// private keeps the response for its caller alone.
	private bool

	key  string   // of the one item that is asked for
	keys []string // of several items, which leave key empty
}

// parse returns what r asks for. The error is a *problem.Problem; route is known
// even then, if there is one.
//
// It does not use http.ServeMux, which redirects to a cleaned path and so would
// answer what is not a key ("..", "a//b") with a 301 of its own.
func (h *Handler) parse(r *http.Request) (request, error) {
	path := h.path(r.URL)
	q, segment := h.match(path)
	switch {
	case q.route == "":
		return q, problem.New(http.StatusNotFound, problem.NoRoute, "Nothing is served here. Items are at "+itemsPath+keySuffix+".")
	case r.Method == http.MethodOptions:
		return q, nil
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return q, problem.New(http.StatusMethodNotAllowed, problem.MethodNotAllowed, "Only "+allowedMethods+" are served here.")
	case q.route == healthPath:
		return q, nil
	}
	var err error
	if path == itemsPath {
		q.key, q.keys, err = queryKeys(r.URL.RawQuery, h.maxKeys())
	} else {
		q.key, err = pathKey(q.route, segment)
	}
	return q, err
}

// path returns the path of u as the client wrote it, without BasePath. Routes are
// compared with it before anything is decoded: %2F is not a slash between two
// segments (RFC 3986 section 2.2), and an item that had many paths would be as
// many objects in a CDN, and pass by rules that name one of them.
func (h *Handler) path(u *url.URL) string {
	path := u.RawPath
	if path == "" {
		path = u.EscapedPath()
	}
	if rest, found := strings.CutPrefix(path, h.BasePath); found && strings.HasPrefix(rest, root) {
		return rest
	}
	return path
}

// match returns the route of path with its form and visibility, and what follows
// the route's slash. route is "" if path has none.
func (h *Handler) match(path string) (q request, segment string) {
	prefix := ""
	switch {
	case path == healthPath:
		return request{route: healthPath}, ""
	case path == itemsPath:
		// A CDN may leave the query out of its cache key and mix up two items.
		return request{route: itemsPath, form: itemForm(), private: true}, ""
	case strings.HasPrefix(path, itemsPath+"/"):
		prefix, q.form = itemsPath, itemForm()
	case strings.HasPrefix(path, optionalPath+"/"):
		prefix, q.form = optionalPath, optionalForm()
	case strings.HasPrefix(path, parsedPath+"/"):
		prefix, q.form = parsedPath, parsedForm()
	case strings.HasPrefix(path, valuesPath+"/") && h.RawValues:
		prefix, q.form = valuesPath, rawForm()
	default:
		return request{}, ""
	}
	q.route, q.private = prefix+keySuffix, h.Private
	return q, path[len(prefix)+1:]
}

// pathKey decodes the key that ends a path, once, and refuses what a path cannot
// hold with the likely reason. What cannot be decoded stays as it is: no key has a
// "%", so it is refused later, where keys are checked.
func pathKey(route, segment string) (string, error) {
	key := segment
	if decoded, err := url.PathUnescape(segment); err == nil {
		key = decoded
	}
	switch {
	case key == "." || key == "..":
		// URL parsers on the way take these for steps of the path.
		return "", problem.BadRequest(problem.InvalidKey, "A path cannot hold this key. Use "+itemsPath+"?key= for it.")
	case key == "":
		return "", problem.BadRequest(problem.InvalidKey, "The path ends without a key. It must be "+route+".")
	case strings.HasSuffix(key, "/"):
		return "", problem.BadRequest(problem.InvalidKey, "A key cannot have a slash. Leave out the one at the end of the path.")
	}
	return key, nil
}

// queryKeys returns the one key or the several keys of a query.
func queryKeys(query string, most int) (key string, keys []string, err error) {
	values, err := url.ParseQuery(query)
	keys = values["key"]
	switch {
	case err != nil, slices.ContainsFunc(keys, func(key string) bool { return !utf8.ValidString(key) }):
		return "", nil, problem.BadRequest(problem.InvalidRequest, "The query is malformed. Write a semicolon in it as %3B.")
	case len(keys) == 0:
		return "", nil, problem.BadRequest(problem.InvalidKey, "The query has no key.")
	case slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(key, " ") }):
		return "", nil, problem.BadRequest(problem.InvalidKey, "A key cannot have a space. Write a plus sign in a query as %2B.")
	case len(keys) == 1:
		return keys[0], nil, nil
	}
	return "", keys, problem.CheckCount(len(keys), most)
}
