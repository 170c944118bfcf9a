package handler

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// etag is a strong validator (RFC 9110 section 8.8.1) of res's body and of all that
// a 304 would renew in a cache: header, which does not yet have the fields for
// caches, and the Cache-Control that the item had when it was just read. Caches
// differ in what they take from a 304, and nginx goes on sending what it stored
// first, so other settings must make another tag. While the freshness is clipped a
// tag holds for one second only.
func etag(header http.Header, res response) string {
	names := slices.AppendSeq(make([]string, 0, 16), maps.Keys(header))
	slices.Sort(names)
	input := make([]byte, 0, 1<<10)
	for _, name := range names {
		if name != "X-Request-Id" { // which differs in every response
			input = append(append(input, name...), ": "...)
			input = append(append(input, strings.Join(header[name], ", ")...), '\n')
		}
	}
	input = append(append(input, cacheControl(res.unaged)...), '\n')
	if res.fresh.Clipped {
		input = fmt.Appendln(input, res.fresh.Remaining, res.fresh.MaxAge)
	}
	digest := sha256.Sum256(append(append(input, '\n'), res.body...))
	return `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`
}

// matches is the weak comparison of tag with the field If-None-Match (RFC 9110
// section 13.1.2). A "*" matches whatever the caller holds, which may be outdated
// where the freshness is clipped, so there it matches nothing. Neither does a
// malformed field.
func matches(ifNoneMatch []string, tag string, clipped bool) bool {
	field := strings.Trim(strings.Join(ifNoneMatch, ", "), " \t")
	if field == "*" {
		return !clipped
	}
	return listed(field, tag)
}

// listed reports whether list is a well-formed list of entity tags (RFC 9110
// sections 5.6.1 and 8.8.3) and has one with the opaque-tag tag.
func listed(list, tag string) (found bool) {
	for {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return found
		}
		list = strings.TrimPrefix(list, "W/")
		n := opaqueTag(list)
		if n == 0 {
			return false
		}
		found = found || list[:n] == tag
		list = strings.TrimLeft(list[n:], " \t")
		if list != "" && list[0] != ',' {
			return false
		}
	}
}

// opaqueTag returns the length of the opaque-tag that s begins with, 0 if none.
func opaqueTag(s string) int {
	quoted, ok := strings.CutPrefix(s, `"`)
	end := strings.IndexFunc(quoted, func(r rune) bool { return r <= ' ' || r == '"' || r == 0x7f })
	if !ok || end < 0 || quoted[end] != '"' {
		return 0
	}
	return len(`"`) + end + len(`"`)
}
