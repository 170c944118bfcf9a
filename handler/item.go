package handler

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// A wireItem is the JSON of an item. Nothing in it depends on the time of the
// answer: cached copies would lie, and no ETag would ever match.
type wireItem struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	ExpiresAt *int64 `json:"expires_at"` // Unix seconds
}

func wire(item *voximplant.KeyValueItem) wireItem {
	w := wireItem{Key: item.Key, Value: item.Value}
	if !item.ExpiresAt.IsZero() {
		unix := item.ExpiresAt.Unix()
		w.ExpiresAt = &unix
	}
	return w
}

// A form is a way to write an item, at a path of its own: a cache that leaves
// anything but the path out of its key cannot mix two forms up.
type form struct {
	prefix      string // of the path; the key follows
	contentType string
	encode      func(*voximplant.KeyValueItem) []byte
}

// formOf returns the form and the key that path names.
func (h *Handler) formOf(path string) (f form, key string, found bool) {
	f = jsonForm()
	switch {
	case strings.HasPrefix(path, f.prefix):
	case strings.HasPrefix(path, parsedPath+"/"):
		f = form{parsedPath + "/", jsonType, encodeParsed}
	case strings.HasPrefix(path, valuesPath+"/") && h.RawValues:
		f = form{valuesPath + "/", rawType, func(item *voximplant.KeyValueItem) []byte { return []byte(item.Value) }}
	default:
		return form{}, "", false
	}
	return f, strings.TrimPrefix(path, f.prefix), true
}

const (
	jsonType = "application/json; charset=utf-8"
	rawType  = "text/plain; charset=utf-8"
)

func jsonForm() form { return form{itemsPath + "/", jsonType, encodeItem} }

func encodeItem(item *voximplant.KeyValueItem) []byte {
	// Strings and a number: they always marshal.
	body, _ := json.Marshal(wire(item))
	return body
}

// encodeParsed adds the value as JSON where it is JSON, byte for byte: parsers
// differ on large numbers and on duplicate names.
func encodeParsed(item *voximplant.KeyValueItem) []byte {
	body := encodeItem(item)
	if !json.Valid([]byte(item.Value)) {
		return body
	}
	body = append(body[:len(body)-1], `,"value_json":`...)
	return append(append(body, item.Value...), '}')
}

// serveItem answers with the item in the form f, and returns the status.
func (h *Handler) serveItem(w http.ResponseWriter, r *http.Request, a lookup.Answer, f form, private bool) int {
	if f.contentType == rawType {
		// Whatever a browser is made to do with it, it is not a page.
		w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
		w.Header().Set("Content-Disposition", `attachment; filename="value.txt"`)
	}
	return h.serveFresh(w, r, f.encode(a.Item), f.contentType, a, private)
}

// serveFresh answers 200, or 304 where the caller holds the same
// representation, with the lifetime that a allows, and returns the status.
func (h *Handler) serveFresh(w http.ResponseWriter, r *http.Request, body []byte, contentType string, a lookup.Answer, private bool) int {
	f := fresh(a, h.MaxAge, private)
	header := w.Header()
	header.Set("Content-Type", contentType)
	tag := etag(header, fresh(lookup.Answer{Left: a.Left}, h.MaxAge, private), f, body)
	f.caching(a.At).set(header)
	if f.storable() {
		header["ETag"] = []string{tag} // spelled as RFC 9110 does, which Set would not
		if matches(r.Header.Values("If-None-Match"), tag, f.clipped) {
			w.WriteHeader(http.StatusNotModified)
			return http.StatusNotModified
		}
	}
	w.WriteHeader(http.StatusOK)
	w.Write(body)
	return http.StatusOK
}

// etag is a strong validator (RFC 9110 section 8.8.1) of body and of all that a
// 304 would renew in a cache: header, which is without the headers for caches,
// and the Cache-Control of an item that was read just now. Caches differ in what
// they take from a 304; nginx goes on forwarding what it stored first. So other
// settings make another tag. While f is clipped a tag holds for one second only.
func etag(header http.Header, readNow, f freshness, body []byte) string {
	names := slices.AppendSeq(make([]string, 0, 16), maps.Keys(header))
	slices.Sort(names)
	input := make([]byte, 0, 1<<10)
	for _, name := range names {
		if name != "X-Request-Id" { // which no two responses share
			input = append(append(input, name...), ": "...)
			input = append(append(input, strings.Join(header[name], ", ")...), '\n')
		}
	}
	input = append(append(input, readNow.cacheControl()...), '\n')
	if f.clipped {
		input = fmt.Appendln(input, f.remaining, f.maxAge)
	}
	digest := sha256.Sum256(append(append(input, '\n'), body...))
	return `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`
}

// matches is the weak comparison of RFC 9110 section 13.1.2 with the field
// If-None-Match. A "*" matches what anyone may hold, and so nothing whose life
// is about to end. A malformed field matches nothing.
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
