package handler

import (
	"net/url"
	"strings"
)

// root is what all routes begin with. A base path may be named like it.
const root = "/v1/"

// path returns the path of u as the client wrote it, without BasePath. Routes
// are compared with it before anything is decoded: %2F is no slash between two
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

// unescaped returns the key that stands at the end of a path, decoded once.
// What cannot be decoded stays as it is: "%" is in no key, so it will be
// refused where keys are checked.
func unescaped(key string) string {
	if decoded, err := url.PathUnescape(key); err == nil {
		return decoded
	}
	return key
}
