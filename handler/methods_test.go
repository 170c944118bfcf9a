package handler_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"voxkv/internal/lookuptest"
)

// TestNoOperationsOverHTTP: HTTP reads items, whatever it is sent.
func TestNoOperationsOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Mixed)
	for target, status := range map[string]int{
		"/v1/items":                             400,
		"/v1/items?operation=keys":              400,
		"/v1/items?operation=list&prefix=order": 400,
		"/v1/items?prefix=order:":               400,
		"/v1/items/":                            400,
		"/v1/items/order:":                      404,
		"/v1/keys":                              404,
		"/v1/list?prefix=order:":                404,
		"/v1/items/long?operation=delete":       200,
	} {
		if got := s.get(t, target); got.status != status {
			t.Errorf("GET %s = %d %s; want %d", target, got.status, got.body, status)
		}
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		for _, payload := range []string{`{"operation":"set","key":"long","value":"v","ttl":60}`, `{"operation":"delete","key":"long"}`} {
			r := httptest.NewRequest(method, "/v1/items/long", strings.NewReader(payload))
			if got := s.serve(r); got.status != 405 {
				t.Errorf("%s = %d; want 405", method, got.status)
			}
		}
	}
}
