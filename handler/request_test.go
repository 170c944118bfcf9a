package handler_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"voxkv/internal/lookuptest"
)

// TestPathHasNoAlias: an item has one path, and one more under the base path if
// there is one. Only the key in it is decoded, once.
func TestPathHasNoAlias(t *testing.T) {
	t.Parallel()
	tests := []struct {
		base, path string
		want       string // the key, or the code of the problem
	}{
		{"", "/v1/items/k", "k"},
		{"", "/v1/items/%6B", "k"},
		{"", "/v1/items/%D0%BA", "к"},
		{"", "/v1/items/к", "к"},
		{"", "/v1/items/a+b", "a+b"},
		{"", "/v1/parsed/k", "k"},
		{"/kv", "/v1/items/k", "k"},
		{"/kv", "/kv/v1/items/k", "k"},
		{"/kv", "/kv/v1/items/%6B", "k"},
		{"/kv", "/kv/v1/parsed/k", "k"},
		{"/a/b", "/a/b/v1/items/k", "k"},
		{"/v1", "/v1/v1/items/k", "k"},
		{"/v1", "/v1/items/k", "k"},
		{"/v1/items", "/v1/items/k", "k"},
		{"/v1/items", "/v1/items/v1/items/k", "k"},

		{"", "/v1/items/%256B", "invalid_key"},
		{"", "/v1/items/%zz", "invalid_key"},
		{"", "/v1/items/a%2Fb", "invalid_key"},
		{"", "/v1/items/a/v1/items/k", "invalid_key"},
		{"/kv", "/kv/v1/items/k%2F", "invalid_key"},

		{"", "/anything/v1/items/k", "no_route"},
		{"", "//v1/items/k", "no_route"},
		{"", "/v1//items/k", "no_route"},
		{"", "/./v1/items/k", "no_route"},
		{"", "/x/../v1/items/k", "no_route"},
		{"", "/v1%2Fitems%2Fk", "no_route"},
		{"", "/v1/items%2Fk", "no_route"},
		{"", "/v1%2fitems/к", "no_route"},
		{"", "/%76%31/items/k", "no_route"},
		{"", "/v1/item%73/k", "no_route"},
		{"", "/V1/items/k", "no_route"},
		{"", "/v1/Items/k", "no_route"},
		{"", "/v1/health/", "no_route"},
		{"", "/v1/he%61lth", "no_route"},
		{"", "/kv/v1/items/k", "no_route"},
		{"/kv", "/kvv1/items/k", "no_route"},
		{"/kv", "/kv/kv/v1/items/k", "no_route"},
		{"/kv", "/kv//v1/items/k", "no_route"},
		{"/kv", "/KV/v1/items/k", "no_route"},
		{"/kv", "/k%76/v1/items/k", "no_route"},
		{"/kv", "/kv%2Fv1/items/k", "no_route"},
		{"/kv", "/other/v1/items/k", "no_route"},
		{"/kv", "/other/kv/v1/items/k", "no_route"},
		{"/kv", "/kv", "no_route"},
		{"/v1", "/v1/v1/v1/items/k", "no_route"},
		{"/a/b", "/a/v1/items/k", "no_route"},
		{"/a/b", "/a%2Fb/v1/items/k", "no_route"},
	}
	for _, tt := range tests {
		s := newSite(lookuptest.Living(time.Hour, 0))
		s.BasePath = tt.base
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
			w := httptest.NewRecorder()
			s.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}})
			if want := tt.want; !strings.Contains(w.Body.String(), `"key":"`+want+`"`) && !strings.Contains(w.Body.String(), `"code":"`+want+`"`) {
				t.Errorf("BasePath %q: GET %s (%q, %q) = %d %s; want %s", tt.base, tt.path, u.Path, u.RawPath, w.Code, w.Body, want)
			}
		}
	}
}
