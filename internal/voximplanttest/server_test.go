package voximplanttest_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestPlacement sends the same call in every form the API takes. The key needs escaping
// everywhere.
func TestPlacement(t *testing.T) {
	t.Parallel()
	const key = "tel:+1;#ё"
	query := form("application_id", "42", "key", key)
	cmd := form("cmd", "GetKeyValueItem", "application_id", "42", "key", key)
	tests := []struct {
		name string
		r    *http.Request
	}{
		{"GET with query", get(t, "/platform_api/GetKeyValueItem?"+query)},
		{"GET with cmd", get(t, "/platform_api?"+cmd)},
		{"POST with query", post(t, "/platform_api/GetKeyValueItem?"+query, "")},
		{"POST with urlencoded body", post(t, "/platform_api/GetKeyValueItem", query)},
		{"POST with cmd in urlencoded body", post(t, "/platform_api", cmd)},
		{"POST with cmd after a slash", post(t, "/platform_api/", cmd)},
		{"POST with multipart body", multipartPost(t, "/platform_api/GetKeyValueItem", query)},
		{"POST with cmd in multipart body", multipartPost(t, "/platform_api", cmd)},
		{"POST with both", post(t, "/platform_api/GetKeyValueItem?application_id=42", form("key", key))},
		{"POST with query and multipart", multipartPost(t, "/platform_api?cmd=GetKeyValueItem&application_id=42", form("key", key))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.Put(key, "found", time.Time{})
			checkResult(t, send(t, s, tt.r), `{"key":"tel:+1;#ё","value":"found"}`)
			if got := s.Calls("GetKeyValueItem"); got != 1 {
				t.Errorf("Calls = %d; want 1", got)
			}
		})
	}
}

func TestUnreadableRequests(t *testing.T) {
	t.Parallel()
	const target = "/platform_api/GetKeyValueItem"
	typed := func(contentType, body string) *http.Request {
		r := post(t, target, body)
		r.Header.Set("Content-Type", contentType)
		return r
	}
	put := post(t, target, "")
	put.Method = http.MethodPut
	for _, tt := range []struct {
		name         string
		r            *http.Request
		status, code int
	}{
		{"JSON body", typed("application/json", `{"application_id":42,"key":"a"}`), 200, 485},
		{"multipart without boundary", typed("multipart/form-data", ""), 200, 101},
		{"bad escape in body", post(t, target, "key=%zz"), 200, 101},
		{"bare semicolon in query", get(t, target+"?application_id=42&key=a;b"), 200, 101},
		{"body too large", post(t, target, form("value", strings.Repeat("x", 2<<20))), 200, 101},
		{"another path", post(t, "/GetKeyValueItem", ""), 404, 0},
		{"longer root", post(t, "/platform_apis", ""), 404, 0},
		{"another verb", put, 405, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.r.Header.Set("Authorization", bearer(t, nil))
			w := httptest.NewRecorder()
			newServer(t).ServeHTTP(w, tt.r)
			var a answer
			_ = json.Unmarshal(w.Body.Bytes(), &a) // what is no call is answered in text
			if w.Code != tt.status || a.Error.Code != tt.code {
				t.Errorf("status %d, code %d; want %d, %d", w.Code, a.Error.Code, tt.status, tt.code)
			}
		})
	}
}

// TestCalls: every request counts, before it is checked and before it is intercepted.
func TestCalls(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Put("a", "v", time.Time{})
	checkResult(t, call(t, s, "GetKeyValueItem", "key=a"), `{"key":"a","value":"v"}`)
	checkCode(t, call(t, s, "GetKeyValueItem", "key=%20"), 496)
	checkCode(t, call(t, s, "Nonsense", ""), 103)
	s.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Form.Get("key") == "broken" {
			w.WriteHeader(http.StatusBadGateway)
		}
		return r.Form.Get("key") == "broken"
	})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, post(t, "/platform_api/GetKeyValueItem", "key=broken"))
	date, err := http.ParseTime(w.Header().Get("Date"))
	if w.Code != http.StatusBadGateway || err != nil || date.Unix() != start {
		t.Errorf("status of the intercepted call = %d, Date = %v, %v; want 502 at the server's time", w.Code, date, err)
	}
	checkResult(t, call(t, s, "GetKeyValueItem", "key=a"), `{"key":"a","value":"v"}`)
	s.Intercept(nil)
	checkResult(t, call(t, s, "GetKeyValueItem", "key=broken"), `{}`)
	s.RemoveKey(serviceAccount(t).KeyID)
	checkCode(t, call(t, s, "GetKeyValueItem", "key=a"), 433)
	for method, want := range map[string]int{"GetKeyValueItem": 6, "Nonsense": 1, "SetKeyValueItem": 0} {
		if got := s.Calls(method); got != want {
			t.Errorf("Calls(%s) = %d; want %d", method, got, want)
		}
	}
}

func get(t *testing.T, target string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
}

// multipartPost sends the parameters of form as the official clients do.
func multipartPost(t *testing.T, target, form string) *http.Request {
	t.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for name := range values {
		if err := parts.WriteField(name, values.Get(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, &body)
	r.Header.Set("Content-Type", parts.FormDataContentType())
	return r
}
