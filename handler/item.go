package handler

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

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
	header.Set("Cache-Control", f.cacheControl())
	if f.storable() {
		tag := etag(contentType, body, f)
		header.Set("Expires", a.At.Add(time.Duration(f.maxAge)*time.Second).UTC().Format(http.TimeFormat))
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

// etag is a strong validator of body. While f is clipped it holds for one
// second only; RFC 9110 section 8.8.1 allows that.
func etag(contentType string, body []byte, f freshness) string {
	input := slices.Concat([]byte(contentType), body)
	if f.clipped {
		input = fmt.Appendf(input, " %d %d", f.remaining, f.maxAge)
	}
	digest := sha256.Sum256(input)
	return `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`
}

// matches is the weak comparison of RFC 9110 section 13.1.2. A "*" matches what
// anyone may hold, and so nothing whose life is about to end.
func matches(ifNoneMatch []string, tag string, clipped bool) bool {
	for candidate := range strings.SplitSeq(strings.Join(ifNoneMatch, ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if strings.TrimPrefix(candidate, "W/") == tag || candidate == "*" && !clipped {
			return true
		}
	}
	return false
}
