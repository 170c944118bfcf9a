package voximplanttest_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/internal/voximplanttest"
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

func TestUnreadableParameters(t *testing.T) {
	t.Parallel()
	jsonBody := post(t, "/platform_api/GetKeyValueItem", `{"application_id":42,"key":"a"}`)
	jsonBody.Header.Set("Content-Type", "application/json")
	noBoundary := post(t, "/platform_api/GetKeyValueItem", "")
	noBoundary.Header.Set("Content-Type", "multipart/form-data")
	tests := []struct {
		name string
		r    *http.Request
		want int
	}{
		{"JSON body", jsonBody, 485},
		{"multipart without boundary", noBoundary, 101},
		{"bad escape in body", post(t, "/platform_api/GetKeyValueItem", "key=%zz"), 101},
		{"bare semicolon in query", get(t, "/platform_api/GetKeyValueItem?application_id=42&key=a;b"), 101},
		{"body too large", post(t, "/platform_api/GetKeyValueItem", form("value", strings.Repeat("x", 2<<20))), 101},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			checkCode(t, send(t, s, tt.r), tt.want)
			if got := s.Calls("GetKeyValueItem"); got != 1 {
				t.Errorf("Calls = %d; want 1", got)
			}
		})
	}
}

func TestNoCall(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		method string
		path   string
		want   int
	}{
		{"another path", http.MethodPost, "/GetKeyValueItem", http.StatusNotFound},
		{"longer root", http.MethodPost, "/platform_apis", http.StatusNotFound},
		{"another verb", http.MethodPut, "/platform_api/GetKeyValueItem", http.StatusMethodNotAllowed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			newServer(t).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil))
			if w.Code != tt.want {
				t.Errorf("status = %d; want %d", w.Code, tt.want)
			}
		})
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	call(t, s, "GetKeyValueItem", "key=a")
	call(t, s, "GetKeyValueItem", "key=%20")
	refused := post(t, "/platform_api/GetKeyValueItem", "")
	refused.Header.Set("Authorization", "Bearer x")
	serve(t, s, refused)
	call(t, s, "Nonsense", "")
	for method, want := range map[string]int{"GetKeyValueItem": 3, "Nonsense": 1, "SetKeyValueItem": 0} {
		if got := s.Calls(method); got != want {
			t.Errorf("Calls(%s) = %d; want %d", method, got, want)
		}
	}
}

func TestIntercept(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Put("a", "v", time.Time{})
	s.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Form.Get("key") != "broken" {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, post(t, "/platform_api/GetKeyValueItem", "key=broken"))
	if w.Code != http.StatusBadGateway {
		t.Errorf("status of the intercepted call = %d; want 502", w.Code)
	}
	checkResult(t, call(t, s, "GetKeyValueItem", "key=a"), `{"key":"a","value":"v"}`)
	s.Intercept(nil)
	checkResult(t, call(t, s, "GetKeyValueItem", "key=broken"), `{}`)
	if got := s.Calls("GetKeyValueItem"); got != 3 {
		t.Errorf("Calls = %d; want 3", got)
	}
}

func TestDateFollowsNow(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newServer(t))
	t.Cleanup(server.Close)
	date, err := http.ParseTime(fetch(t, server.URL+"/platform_api/GetKeyValueItem").Get("Date"))
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Unix(start, 0); !date.Equal(want) {
		t.Errorf("Date = %v; want %v", date, want)
	}
}

func TestRealClock(t *testing.T) {
	t.Parallel()
	var s voximplanttest.Server
	s.Put("expired", "v", time.Now().Add(-time.Second))
	s.Put("kept", "v", time.Now().Add(time.Hour))
	if got := s.Items(); len(got) != 1 || got[0].Key != "kept" {
		t.Errorf("Items() = %v; want only kept", got)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	const callers = 16
	s := newServer(t)
	authorization := bearer(t, nil)
	var wg sync.WaitGroup
	for i := range callers {
		r := post(t, "/platform_api/SetKeyValueItem", fmt.Sprintf("application_id=42&key=k%d&value=v&ttl=60", i))
		r.Header.Set("Authorization", authorization)
		wg.Go(func() {
			s.Intercept(func(http.ResponseWriter, *http.Request) bool { return false })
			s.AddKey(fmt.Sprint(i), nil)
			s.ServeHTTP(httptest.NewRecorder(), r)
			s.RemoveKey(fmt.Sprint(i))
			s.Put("shared", "v", time.Time{})
			s.Delete("shared")
			s.Items()
			s.Calls("SetKeyValueItem")
		})
	}
	wg.Wait()
	if got := s.Calls("SetKeyValueItem"); got != callers {
		t.Errorf("Calls = %d; want %d", got, callers)
	}
	if got := len(s.Items()); got != callers {
		t.Errorf("len(Items()) = %d; want %d", got, callers)
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

// fetch returns the header of the answer to a call without a token.
func fetch(t *testing.T, target string) http.Header {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.Header
}
