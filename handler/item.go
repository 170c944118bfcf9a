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

// serveItem answers 200, or 304 where the caller holds the same representation,
// and returns which.
func (h *Handler) serveItem(w http.ResponseWriter, r *http.Request, a lookup.Answer, private bool) int {
	// Strings and a number: they always marshal.
	body, _ := json.Marshal(wire(a.Item))
	f := fresh(a, h.MaxAge, private)
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", f.cacheControl(private))
	if f.storable() {
		tag := etag(body, f)
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
func etag(body []byte, f freshness) string {
	if f.clipped {
		body = fmt.Appendf(slices.Clip(body), " %d %d", f.remaining, f.maxAge)
	}
	digest := sha256.Sum256(body)
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
