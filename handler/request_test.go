package handler_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"voxkv/internal/lookuptest"
)

// TestPathHasNoAlias is E5-3 and E5-4: an item has one path, and one more under the
// base path if there is one. Only the key in it is decoded, once.
func TestPathHasNoAlias(t *testing.T) {
	t.Parallel()
	const (
		alphabet = "Not a key: the key has a character outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +."
		slash    = "A key cannot have a slash. Leave out the one at the end of the path."
		dots     = "A path cannot hold this key. Use /v1/items?key= for it."
		without  = "The path ends without a key. It must be "
	)
	tests := []struct {
		base, path string
		want       string // the key, or the code or the detail of the problem
	}{
		{"", "/v1/items/k", "k"},
		{"", "/v1/items/%6B", "k"},
		{"", "/v1/items/%D0%BA", "к"},
		{"", "/v1/items/a+b", "a+b"},
		{"", "/v1/items/a%2Bb", "a+b"},
		{"", "/v1/items/a%23b", "a#b"},
		{"", "/v1/items/a;b", "a;b"},
		{"", "/v1/items/a%3Bb", "a;b"},
		{"", "/v1/items/" + strings.Repeat("%D1%8F", 200), strings.Repeat("я", 200)},
		{"", "/v1/parsed/k", "k"},
		{"/kv", "/v1/items/k", "k"},
		{"/kv", "/kv/v1/items/k", "k"},
		{"/a/b", "/a/b/v1/items/k", "k"},
		{"/v1", "/v1/v1/items/k", "k"},
		{"/v1", "/v1/items/k", "k"},
		{"/v1/items", "/v1/items/k", "k"},
		{"/v1/items", "/v1/items/v1/items/k", "k"},

		{"", "/v1/items/%256B", alphabet},
		{"", "/v1/items/%zz", alphabet},
		{"", "/v1/items/%FF", alphabet},
		{"", "/v1/items/a%2Fb", alphabet},
		{"", "/v1/items/a/v1/items/k", alphabet},
		{"", "/v1/items/k/", slash},
		{"", "/v1/parsed/k/", slash},
		{"/kv", "/kv/v1/items/k%2F", slash},
		{"", "/v1/items/.", dots},
		{"", "/v1/items/%2E%2e", dots},
		{"", "/v1/items/", without + "/v1/items/{key}."},
		{"", "/v1/parsed/", without + "/v1/parsed/{key}."},
		{"", "/v1/values/", without + "/v1/values/{key}."},

		{"", "/v1/", "no_route"},
		{"", "/v1/itemsk", "no_route"},
		{"", "/anything/v1/items/k", "no_route"},
		{"", "//v1/items/k", "no_route"},
		{"", "/v1//items/k", "no_route"},
		{"", "/./v1/items/k", "no_route"},
		{"", "/x/../v1/items/k", "no_route"},
		{"", "/v1%2Fitems%2Fk", "no_route"},
		{"", "/v1/items%2Fk", "no_route"},
		{"", "/%76%31/items/k", "no_route"},
		{"", "/v1/item%73/k", "no_route"},
		{"", "/V1/items/k", "no_route"},
		{"", "/v1/health/", "no_route"},
		{"", "/kv/v1/items/k", "no_route"},
		{"/kv", "/kvv1/items/k", "no_route"},
		{"/kv", "/kv/kv/v1/items/k", "no_route"},
		{"/kv", "/kv//v1/items/k", "no_route"},
		{"/kv", "/k%76/v1/items/k", "no_route"},
		{"/kv", "/kv%2Fv1/items/k", "no_route"},
		{"/kv", "/other/v1/items/k", "no_route"},
		{"/kv", "/kv", "no_route"},
		{"/v1", "/v1/v1/v1/items/k", "no_route"},
		{"/a/b", "/a/v1/items/k", "no_route"},
		{"/a/b", "/a%2Fb/v1/items/k", "no_route"},
	}
	for _, tt := range tests {
		s := newSite(lookuptest.Living(time.Hour, 0))
		s.BasePath, s.RawValues = tt.base, true
		// As net/http parses it, and as a gateway that decodes nothing hands it on.
		parsed, err := url.ParseRequestURI(tt.path)
		if err != nil {
			parsed = &url.URL{Path: tt.path, RawPath: tt.path}
		}
		decoded, err := url.PathUnescape(tt.path)
		if err != nil {
			decoded = tt.path
		}
		for _, u := range []*url.URL{parsed, {Path: decoded, RawPath: tt.path}} {
			got := s.serve(&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}})
			checkEvery(t, got)
			if !strings.Contains(got.body, `":"`+tt.want+`"`) {
				t.Errorf("BasePath %q: GET %s (%q, %q) = %d %s; want %s", tt.base, tt.path, u.Path, u.RawPath, got.status, got.body, tt.want)
			}
		}
	}
}
