package main

import "testing"

// TestPathHasNoAlias: net/http decodes a path before anybody reads it, and what runs here must still answer as on AWS.
func TestPathHasNoAlias(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{"BASE_PATH": "phone"})
	for _, path := range []string{"/v1/items/order:1001", "/v1/items/%6Frder:1001", "/phone/v1/items/order:1001", "/phone/v1/parsed/order:1001"} {
		check(t, "GET", root+path, "", 200, `"key":"order:1001"`)
	}
	for _, path := range []string{
		"/anything/v1/items/order:1001", "//v1/items/order:1001", "/v1%2Fitems%2Forder:1001", "/%76%31/items/order:1001", "/v1/item%73/order:1001",
		"/phone/phone/v1/items/order:1001", "/phone//v1/items/order:1001", "/phon%65/v1/items/order:1001", "/phone%2Fv1/items/order:1001",
	} {
		check(t, "GET", root+path, "", 404, `"code":"no_route"`)
	}
}
