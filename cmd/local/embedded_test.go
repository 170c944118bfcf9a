package main

import (
	"testing"

	"voxkv/allowlist"
	"voxkv/internal/settingstest"
)

// TestEmbedded asks for paths as they go over the wire. net/http decodes a path before anybody reads it, and what runs here
// must still answer as on AWS.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{"BASE_PATH": "phone"})
	tests := []struct {
		path   string
		status int
		text   string
	}{
		{"/v1/items/order:1001", 200, `"key":"order:1001"`},
		{"/v1/items/%6Frder:1001", 200, `"key":"order:1001"`},
		{"/phone/v1/items/order:1001", 200, `"key":"order:1001"`},
		{"/phone/v1/parsed/order:1001", 200, `"key":"order:1001"`},
		{"/v1/items/a+b", 200, `"value":"plus"`},
		{"/v1/items/a%23b", 200, `"value":"hash"`},
		{"/v1/items/a;b", 200, `"value":"semicolon"`},
		{"/v1/items/%D0%BA%D0%BB%D1%8E%D1%87%D0%81%D1%91", 200, `"value":"Cyrillic"`},
		{"/v1/items/order:missing", 404, `"code":"not_found"`},
		{"/v1/items/secret:token", 404, `"code":"not_found"`},
		{"/v1/items/a%20b", 400, `"code":"invalid_key"`},
		{"/v1/health", 200, "ok"},
	}
	for _, tt := range tests {
		check(t, "GET", root+tt.path, "", tt.status, tt.text)
	}
	check(t, "DELETE", root+"/v1/items/order:1001", "", 405, `"code":"method_not_allowed"`)
	for _, path := range []string{
		"/anything/v1/items/order:1001", "//v1/items/order:1001", "/v1%2Fitems%2Forder:1001", "/%76%31/items/order:1001", "/v1/item%73/order:1001",
		"/phone/phone/v1/items/order:1001", "/phone//v1/items/order:1001", "/phon%65/v1/items/order:1001", "/phone%2Fv1/items/order:1001",
	} {
		check(t, "GET", root+path, "", 404, `"code":"no_route"`)
	}
}

// TestDemoKeys has every demo item served but the one that shows the allow-list.
func TestDemoKeys(t *testing.T) {
	t.Parallel()
	s := settingstest.Read(t, settingstest.Environ("ALLOWED_KEYS", demoKeys))
	for _, item := range demoItems() {
		if allowed := s.AllowedKeys.Decide(item.key, allowlist.Caller{}).Allowed; allowed != (item.key != "secret:token") {
			t.Errorf("%s is allowed: %v", item.key, allowed)
		}
	}
}
