package main

import (
	"strings"
	"testing"

	"voxkv/test/tools"
)

// TestClaims: a caller with claims reads its own keys and nobody else's, whether the flag or the page sets them. A header
// sets none.
func TestClaims(t *testing.T) {
	t.Parallel()
	rules := map[string]string{"ALLOWED_KEYS": "order:{sub}:*"}
	byFlag, _ := start(t, rules, "-claims", `{"sub":"42"}`)
	byPage, _ := start(t, rules)
	check(t, "PUT", byPage+"/playground/claims", ` {"sub":42} `, 204, "")
	for _, root := range []string{byFlag, byPage} {
		check(t, "PUT", root+"/storage/order:42:x", "mine", 204, "")
		check(t, "PUT", root+"/storage/order:43:x", "theirs", 204, "")
		check(t, "GET", root+"/v1/items/order:42:x", "", 200, `"value":"mine"`)
		check(t, "GET", root+"/v1/items/order:43:x", "", 404, "not_found")
		if res, _ := tools.Do(t, "GET", root+"/v1/items/order:42:x", ""); !strings.HasPrefix(res.Header.Get("Cache-Control"), "private") {
			t.Errorf("Cache-Control = %q; want it private", res.Header.Get("Cache-Control"))
		}
		if _, html := tools.Do(t, "GET", root+"/", ""); !strings.Contains(html, `id="claims"`) || !strings.Contains(html, `value="{&#34;sub&#34;:`) {
			t.Errorf("the page does not show the claims: %s", html)
		}
		if res, _ := tools.Do(t, "PUT", root+"/playground/claims", `{"sub":"43"}`); res.StatusCode != 204 || res.Header.Get("Clear-Site-Data") != `"cache"` {
			t.Errorf("PUT claims = %d %v; want 204, and the browser's cache emptied of what the other user read", res.StatusCode, res.Header)
		}
		check(t, "GET", root+"/v1/items/order:43:x", "", 200, `"value":"theirs"`)
		for _, malformed := range []string{`sub`, `["43"]`, `null`, `{"sub":"42","sub":"42"}`, `{"sub":"` + strings.Repeat("4", maxClaims) + `"}`} {
			if res, body := tools.Do(t, "PUT", root+"/playground/claims", malformed); res.StatusCode != 400 {
				t.Errorf("PUT %.60s = %d %s; want 400", malformed, res.StatusCode, body)
			}
		}
		check(t, "GET", root+"/v1/items/order:43:x", "", 200, `"value":"theirs"`)
		check(t, "PUT", root+"/playground/claims", "", 204, "")
		if res, _ := tools.Do(t, "GET", root+"/v1/items/order:43:x", "", "Claims", `{"sub":"43"}`, "Authorization", "Bearer x"); res.StatusCode != 404 {
			t.Errorf("GET with claims in a header = %d; want 404", res.StatusCode)
		}
		check(t, "GET", root+"/playground/claims", "", 405, "")
	}
}

// TestClaimsWithCredentials: with a real account a caller may be simulated at an address of this machine alone, by the page
// too, since nothing but a name in a header would stand between others and the items.
func TestClaimsWithCredentials(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", "localhost:0"} {
		root, _ := startReal(t, nil, "-addr", addr, "-allowed-keys", "order:{n}", "-claims", `{"n":"1"}`)
		check(t, "GET", root+"/v1/items/order:1", "", 200, "for real")
		check(t, "PUT", root+"/playground/claims", `{"n":"2"}`, 204, "")
		check(t, "GET", root+"/v1/items/order:1", "", 404, "not_found")
	}
	root, _ := startReal(t, nil, "-addr", "0.0.0.0:0", "-allowed-keys", "order:{n}")
	check(t, "PUT", root+"/playground/claims", `{"n":"1"}`, 404, "")
	check(t, "GET", root+"/v1/items/order:1", "", 404, "not_found")
	if _, html := tools.Do(t, "GET", root+"/", ""); strings.Contains(html, `id="claims"`) {
		t.Errorf("the page offers claims: %s", html)
	}
}
