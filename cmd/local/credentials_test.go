package main

import "testing"

// TestRealAPI: a real account's items are served, inside the allow-list, and nothing of the embedded storage is there.
func TestRealAPI(t *testing.T) {
	t.Parallel()
	root, _ := startReal(t, nil)
	check(t, "GET", root+"/v1/items/order:1", "", 200, "for real")
	check(t, "GET", root+"/v1/items/secret", "", 404, "not_found")
	check(t, "POST", root+invokeVoxkv, `{"key":"order:1"}`, 200, "for real")
	check(t, "POST", root+invokeVoxkv, `{"key":"secret"}`, 200, "null")
	check(t, "PUT", root+"/storage/order:1", "v", 404, "no_route")
	check(t, "GET", root+"/storage/", "", 404, "no_route")
	check(t, "PUT", root+"/playground/fault", "hang", 404, "")
}
