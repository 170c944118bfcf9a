package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"voxkv/internal/gatewaytest"
	"voxkv/internal/runtimetest"
)

var kinds = map[string]gatewaytest.Kind{"REST API": gatewaytest.REST, "HTTP API": gatewaytest.HTTPAPI, "Function URL": gatewaytest.FunctionURL}

// through sends a request through a gateway, with the target as the client wrote it.
func (s *sandbox) through(t *testing.T, kind gatewaytest.Kind, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
	r.RequestURI = target
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	g := &gatewaytest.Gateway{Kind: kind, Invoke: func(_ context.Context, payload []byte) ([]byte, error) {
		result := s.invoke(t, payload)
		if result.FunctionError != nil {
			return nil, result.FunctionError
		}
		return result.Payload, nil
	}}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

// TestKeysInPaths is E5-4: a key is checked after it was decoded once.
func TestKeysInPaths(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "ALLOWED_KEYS=*")
	s.Voximplant.Put("к", "Cyrillic", time.Now().Add(time.Hour))
	for target, want := range map[string]map[gatewaytest.Kind]int{
		"/v1/items/%D0%BA":                              all(200),
		"/v1/items/к":                                   all(200),
		"/v1/items?key=%D0%BA":                          all(200),
		"/v1/items?key=.":                               all(200),
		"/v1/items?key=%2E":                             all(200),
		"/v1/items?key=..":                              all(404),
		"/v1/items/%25D0%25BA":                          {gatewaytest.REST: 400, gatewaytest.HTTPAPI: 200, gatewaytest.FunctionURL: 400}, // AWS decodes once more
		"/v1%2Fitems%2F.":                               {gatewaytest.REST: 404, gatewaytest.HTTPAPI: 400, gatewaytest.FunctionURL: 404}, // and before
		"/%76%31/items/order:1001":                      {gatewaytest.REST: 404, gatewaytest.HTTPAPI: 200, gatewaytest.FunctionURL: 404},
		"/x/v1/items/order:1001":                        all(404),
		"//v1/items/order:1001":                         all(404),
		"/v1/items/%zz":                                 all(400),
		"/v1/items/%":                                   all(400),
		"/v1/items/%D0":                                 all(400),
		"/v1/items/%C0%AE":                              all(400), // a dot, in more bytes than it takes
		"/v1/items/%ED%A0%80":                           all(400), // half a surrogate pair
		"/v1/items/a%2Fb":                               all(400),
		"/v1/items/a/b":                                 all(400),
		"/v1/items/a%20b":                               all(400),
		"/v1/items/a%00b":                               all(400),
		"/v1/items/a%0D%0AX:%20b":                       all(400),
		"/v1/items/":                                    all(400),
		"/v1/items?key=":                                all(400),
		"/v1/items/" + strings.Repeat("%D1%8F", 201):    all(400),
		"/v1/items/" + strings.Repeat("%D1%8F", 200):    all(200),
		"/v1/items/" + strings.Repeat("%D1%8F", 20_000): all(400),
		"/v1/items/%3Cscript%3E":                        all(400),
	} {
		for name, kind := range kinds {
			got := s.through(t, kind, "GET", target)
			if got.Code != want[kind] {
				t.Errorf("%s: GET %.60s = %d %.200s; want %d", name, target, got.Code, got.Body, want[kind])
			}
			if strings.Contains(got.Body.String(), "script") {
				t.Errorf("%s: GET %s reflects its input: %s", name, target, got.Body)
			}
		}
	}
}

func all(status int) map[gatewaytest.Kind]int {
	return map[gatewaytest.Kind]int{gatewaytest.REST: status, gatewaytest.HTTPAPI: status, gatewaytest.FunctionURL: status}
}

// TestHostileValues is the half of E5-16 that comes from the storage.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	raw := map[string]string{ // in the API's JSON, and what callers get
		`<script>alert(1)</script>`:        "<script>alert(1)</script>",
		`a\r\nSet-Cookie: a=b\r\n\r\n<b>`:  "a\r\nSet-Cookie: a=b\r\n\r\n<b>",
		`\u0000\u0001\u001f`:               "\x00\x01\x1f",
		`\u2028\u2029`:                     "\u2028\u2029",
		`lone \ud800 and \udc00`:           "", // is no text: a failure
		`\ud83d\ude00`:                     "😀",
		`\"}],\"statusCode\":500,\"x\":[{`: `"}],"statusCode":500,"x":[{`,
		`__proto__`:                        "__proto__",
	}
	values := make(chan string, 1)
	s.Voximplant.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		fmt.Fprintf(w, `{"result":{"key":%q,"value":"%s","expires_at":%d}}`, r.Form.Get("key"), <-values, time.Now().Unix()+600)
		return true
	})
	i := 0
	for written, want := range raw {
		i++
		values <- written
		status := map[bool]int{true: 200, false: 502}[want != ""]
		got := s.through(t, gatewaytest.HTTPAPI, "GET", fmt.Sprint("/v1/items/order:", i))
		var item struct{ Value string }
		if err := json.Unmarshal(got.Body.Bytes(), &item); got.Code != status || err != nil || item.Value != want {
			t.Errorf("%s: %d %q; want %q", written, got.Code, got.Body, want)
		}
		if strings.ContainsAny(got.Body.String(), "<>\x00\u2028\u2029") {
			t.Errorf("%s: the body %q holds what an HTML or JavaScript parser would take for its own", written, got.Body)
		}
		checkHeader(t, written, got.Header())
	}
}

// checkHeader checks that a value has added no header.
func checkHeader(t *testing.T, what string, header http.Header) {
	t.Helper()
	for name, values := range header {
		for _, value := range append(values, name) {
			if strings.ContainsAny(value, "\r\n\x00<>") || strings.Contains(value, "evil") {
				t.Errorf("%s: the header field %q: %q", what, name, value)
			}
		}
	}
	if header.Get("Set-Cookie") != "" {
		t.Errorf("%s: a cookie is set", what)
	}
}

// TestHostileRequests is the other half of E5-16: requests that every gateway should refuse, but that reach the function.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "CORS_ORIGINS=https://example.com", "LOG_KEYS=true")
	for _, evil := range []string{
		`<script>evil</script>`, `evil\r\nSet-Cookie: a=b`, `evil\u0000`, `evil\u2028`, `evil\ud800`, `\ud800\ud800evil`, "evil\xff\xfe", `../../evil`,
		`evil%0d%0aSet-Cookie:%20a=b`, `{\"evil\":1}`, `evil;\u202e`,
	} {
		for name, event := range map[string]string{
			"REST API":      `{"httpMethod":"GET","path":"/v1/items/%s","headers":{"Origin":"%s","X-Request-Id":"%s"},"requestContext":{"requestId":"%s"}}`,
			"HTTP API":      `{"version":"2.0","rawPath":"/v1/items/%s","headers":{"origin":"%s","if-none-match":"%s"},"requestContext":{"http":{"method":"GET","path":"%s"}}}`,
			"query":         `{"version":"2.0","rawPath":"/v1/items","rawQueryString":"key=%s","headers":{"origin":"%s","host":"%s","x":"%s"},"requestContext":{"http":{"method":"GET"}}}`,
			"method":        `{"version":"2.0","rawPath":"/v1/items/a","headers":{"origin":"%[2]s"},"requestContext":{"http":{"method":"%[1]s"}}}`,
			"load balancer": `{"httpMethod":"GET","path":"/v1/items/%s","multiValueHeaders":{"origin":["%s"],"%s":["%s"]},"requestContext":{"elb":{}}}`,
			"direct":        `{"key":"%s"}`,
			"direct batch":  `{"keys":["%s"]}`,
			"operation":     `{"operation":"%s"}`,
		} {
			payload := strings.ReplaceAll(event, "%s", evil)
			if name == "method" {
				payload = strings.NewReplacer("%[1]s", evil, "%[2]s", evil).Replace(event)
			}
			s.checkHostile(t, name+" "+evil, payload, evil)
		}
	}
	if out := s.Output(); strings.Contains(out, "\x00") || strings.Contains(out, "\u2028") || !utf8.ValidString(out) {
		t.Errorf("the log repeats control characters")
	}
}

// checkHostile sends a payload that must be refused, without a word of it in the answer.
func (s *sandbox) checkHostile(t *testing.T, name, payload, evil string) {
	t.Helper()
	result := s.invoke(t, []byte(payload))
	text := string(result.Payload)
	if !utf8.Valid(result.Payload) || !json.Valid(result.Payload) {
		t.Errorf("%s: the answer %q is no JSON", name, text)
	}
	batch := strings.Contains(payload, `"keys"`) && result.FunctionError == nil // names the keys that it was asked for
	if strings.Contains(text, "evil") && !batch {
		t.Errorf("%s: the answer repeats its input: %s", name, text)
	}
	if result.FunctionError != nil {
		if result.FunctionError.Type != "InvalidRequest" {
			t.Errorf("%s: %v", name, result.FunctionError)
		}
		return
	}
	var a answer
	if err := json.Unmarshal(result.Payload, &a); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if !batch && !slices.Contains([]int{400, 404, 405}, a.StatusCode) {
		t.Errorf("%s: %s; want it refused", name, text)
	}
	checkHeader(t, name, a.header())
}

// TestRequestHeadersChangeNothing is E5-17.
func TestRequestHeadersChangeNothing(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	for name, kind := range kinds {
		for _, target := range []string{"/v1/items/order:1001", "/v1/items/order:missing", "/v1/items/a%20b"} {
			want := s.plain(t, kind, target)
			for _, header := range [][2]string{
				{"Host", "evil.example"}, {"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-Proto", "http"}, {"X-Forwarded-For", "127.0.0.1"},
				{"X-Forwarded-Prefix", "/x"}, {"Forwarded", "host=evil.example;proto=http"}, {"Accept", "text/html"}, {"Accept-Language", "ru"},
				{"Accept-Encoding", "gzip, br"}, {"Accept-Charset", "koi8-r"}, {"Cookie", "a=b; c=d"}, {"User-Agent", "evil"}, {"Referer", "https://evil.example"},
				{"X-HTTP-Method-Override", "DELETE"}, {"X-Method-Override", "POST"}, {"X-HTTP-Method", "PUT"}, {"X-Original-URL", "/v1/items/secret:token"},
				{"X-Rewrite-URL", "/v1/items/secret:token"}, {"Range", "bytes=0-1"}, {"If-Modified-Since", "Mon, 23 Nov 2099 00:00:00 GMT"},
				{"If-Range", `"x"`}, {"Cache-Control", "no-cache"}, {"Pragma", "no-cache"}, {"Authorization", "Basic eDp5"}, {"X-Request-Id", "evil"},
				{"X-Amzn-Requestid", "evil"}, {"Content-Type", "text/html"}, {"Expect", "100-continue"}, {"Origin", "https://evil.example"},
			} {
				if got := s.plain(t, kind, target, header[0], header[1]); got != want {
					t.Errorf("%s: GET %s with %s: %s answers %s; without %s", name, target, header[0], header[1], got, want)
				}
			}
			for _, query := range []string{"?x=y", "?callback=evil", "?_method=DELETE", "?Key=secret:token", "?a=%zz", "?" + strings.Repeat("a=b&", 1000)} {
				if got := s.plain(t, kind, target+query); got != want {
					t.Errorf("%s: GET %s%.40s answers %s; without the query %s", name, target, query, got, want)
				}
			}
		}
	}
}

// plain returns the answer without the parts that are different for every request.
func (s *sandbox) plain(t *testing.T, kind gatewaytest.Kind, target string, header ...string) string {
	t.Helper()
	w := s.through(t, kind, "GET", target, header...)
	for _, name := range []string{"Date", "Expires", "X-Accel-Expires", "X-Request-Id", "X-Amzn-Requestid", "Apigw-Requestid", "Cache-Control", "Content-Length"} {
		w.Header().Del(name)
	}
	return fmt.Sprint(w.Code, w.Header(), withoutID(w.Body.String()))
}

// TestListedOrigins is E5-18.
func TestListedOrigins(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "CORS_ORIGINS=https://example.com,https://app.example.org:8443", "LOCAL_MAX_AGE=60s")
	s.Voximplant.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		down := r.Form.Get("key") == "order:down"
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return down
	})
	allowed := map[string]bool{"https://example.com": true, "https://app.example.org:8443": true}
	for _, row := range []struct {
		status int
		target string
		header []string
	}{
		{200, "/v1/items/order:1001", nil},
		{304, "/v1/items/order:1001", []string{"If-None-Match", "*"}},
		{404, "/v1/items/secret:token", nil},
		{400, "/v1/items/a%20b", nil},
		{503, "/v1/items/order:down", nil},
	} {
		for _, origin := range []string{
			"https://example.com", "https://app.example.org:8443", "https://EXAMPLE.com", "HTTPS://example.com", "http://example.com", "https://example.com:443",
			"https://example.com:8443", "https://app.example.org", "https://example.com.evil.org", "https://evil-example.com", "https://sub.example.com",
			"https://example.com/", "https://example.com,https://evil.org", "null", "*", "",
		} {
			header := row.header
			if origin != "" {
				header = append([]string{"Origin", origin}, header...)
			}
			for name, kind := range kinds {
				got := s.through(t, kind, "GET", row.target, header...)
				want := ""
				if allowed[origin] {
					want = origin
				}
				if got.Code != row.status || got.Header().Get("Access-Control-Allow-Origin") != want || got.Header().Get("Vary") != "Origin" {
					t.Errorf("%s: GET %s from %q = %d, Access-Control-Allow-Origin %q, Vary %q; want %d, %q, Origin",
						name, row.target, origin, got.Code, got.Header().Get("Access-Control-Allow-Origin"), got.Header().Get("Vary"), row.status, want)
				}
				if got.Header().Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: GET %s from %q allows credentials", name, row.target, origin)
				}
			}
		}
	}
}

// oversized are payloads as large as Lambda allows, or with absurd numbers of members, and the answers that they may get.
func oversized() map[string]struct {
	payload string
	want    []string // error types and statuses
} {
	type row = struct {
		payload string
		want    []string
	}
	const size = 6 << 20
	httpEvent := func(path, query, headers string) string {
		return `{"version":"2.0","rawPath":"` + path + `","rawQueryString":"` + query + `","headers":{` + headers + `},"requestContext":{"http":{"method":"GET"}}}`
	}
	restEvent := func(headers, query string) string {
		return `{"httpMethod":"GET","path":"/v1/items/order:1001","headers":{` + headers + `},"multiValueQueryStringParameters":{` + query + `},"requestContext":{}}`
	}
	var parameters strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&parameters, `"p%d":["v"],`, i)
	}
	return map[string]row{
		"a key of 6 MB":                  {`{"key":"` + strings.Repeat("a", size-20) + `"}`, []string{"InvalidRequest"}},
		"a key and 6 MB":                 {`{"key":"order:1001","x":"` + strings.Repeat("a", size-40) + `"}`, []string{"InvalidRequest"}},
		"a key and 1 MB":                 {`{"key":"order:1001","x":"` + strings.Repeat("a", 1<<20-40) + `"}`, []string{"item"}},
		"6 MB of keys":                   {`{"keys":["a"` + strings.Repeat(`,"a"`, size/4-10) + `]}`, []string{"InvalidRequest"}},
		"6 MB of nothing":                {strings.Repeat(" ", size-2) + "{}", []string{"InvalidRequest"}},
		"6 MB of numbers":                {`{"x":[1` + strings.Repeat(",1", size/2-10) + `]}`, []string{"InvalidRequest"}},
		"a value of 6 MB":                {`{"operation":"set","key":"order:1001","value":"` + strings.Repeat("a", size-70) + `","ttl":1}`, []string{"InvalidRequest"}},
		"a body of 6 MB":                 {strings.Replace(httpEvent("/v1/items/order:1001", "", ""), `"GET"}}`, `"POST"}},"body":"`+strings.Repeat("a", size-200)+`"`, 1), []string{"405"}},
		"a header of 1 MB":               {httpEvent("/v1/items/order:1001", "", `"if-none-match":"`+strings.Repeat("x", 1<<20)+`"`), []string{"200"}},
		"1 MB of entity tags":            {httpEvent("/v1/items/order:1001", "", `"if-none-match":"`+strings.Repeat(`\"x\",`, 1<<18)+`"`), []string{"200"}},
		"an origin of 1 MB":              {httpEvent("/v1/items/order:1001", "", `"origin":"`+strings.Repeat("x", 1<<20)+`"`), []string{"200"}},
		"100,000 headers":                {restEvent(strings.ReplaceAll(strings.TrimSuffix(parameters.String(), ","), `["v"]`, `"v"`), ""), []string{"200"}},
		"a path of 1 MB":                 {httpEvent("/v1/items/"+strings.Repeat("a", 1<<20), "", ""), []string{"400"}},
		"a path of 1 MB of escapes":      {httpEvent("/v1/items/"+strings.Repeat("%25", 1<<18), "", ""), []string{"400"}},
		"1 MB of slashes":                {httpEvent(strings.Repeat("/v1/items/", 1<<17), "", ""), []string{"400"}},
		"100,000 parameters":             {httpEvent("/v1/items/order:1001", strings.Repeat("a=b&", 100_000), ""), []string{"200"}},
		"a key after 100,000 parameters": {httpEvent("/v1/items", strings.Repeat("a=b&", 100_000)+"key=order:1001", ""), []string{"200", "400"}},
		"100,000 keys":                   {httpEvent("/v1/items", strings.Repeat("key=order:1001&", 100_000), ""), []string{"400"}},
		"100,000 decoded parameters":     {restEvent("", parameters.String()+`"key":["order:1001"]`), []string{"200"}},
		"100,000 levels of a REST query": {restEvent("", `"key":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)), []string{"InvalidRequest"}},
		"10,000 levels":                  {strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), []string{"InvalidRequest"}},
		"1,000,000 levels":               {strings.Repeat(`{"a":`, 1_000_000) + "1" + strings.Repeat("}", 1_000_000), []string{"InvalidRequest"}},
		"1,000,000 lists":                {`{"key":"order:1001","x":` + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + "}", []string{"InvalidRequest"}},
		"9,000 lists beside a key":       {`{"key":"order:1001","x":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + "}", []string{"item"}},
		"two keys, the last allowed":     {`{"key":"secret:token","key":"order:1001"}`, []string{"InvalidRequest"}},
		"two keys, the last not":         {`{"key":"order:1001","key":"secret:token"}`, []string{"InvalidRequest"}},
		"two paths":                      {`{"version":"2.0","rawPath":"/v1/items/order:1001","rawPath":"/v1/items/secret:token","headers":{},"requestContext":{"http":{"method":"GET"}}}`, []string{"InvalidRequest"}},
		"a key in capitals beside one":   {`{"key":"order:1001","KEY":"secret:token"}`, []string{"item"}},
		"half a surrogate pair":          {`{"key":"order:1001","x":"\ud83d"}`, []string{"InvalidRequest"}},
		"half a pair in a list":          {`[{"key":"order:1001","x":"\ud83d"}]`, []string{"InvalidRequest"}},
		"two contexts":                   {`{"rawPath":"/v1/items/order:1001","version":"2.0","requestContext":{"elb":{}},"requestContext":{"http":{"method":"GET"}}}`, []string{"InvalidRequest"}},
		"a huge number for a key":        {`{"key":1e999999999}`, []string{"InvalidRequest"}},
		"a long number":                  {`{"key":"order:1001","x":` + strings.Repeat("9", 1<<19) + `}`, []string{"item"}},
		"a huge count":                   {`{"operation":"list","prefix":"order:","count":1e400}`, []string{"InvalidRequest"}},
		"a key and a bad byte":           {"{\"key\":\"order:1001\xff\"}", []string{"InvalidRequest"}},
		"a key and NUL":                  {`{"key":"order:1001\u0000"}`, []string{"InvalidRequest"}},
		"a bare NUL":                     {"\x00", []string{"InvalidRequest"}},
		"half an event":                  {`{"version":"2.0","rawPath":"/v1/items/ord`, []string{"InvalidRequest"}},
		"two events":                     {`{"key":"order:1001"}{"key":"order:1001"}`, []string{"InvalidRequest"}},
	}
}

// TestOversizedEvents: no payload takes more time than an invocation has, takes
// much memory, or is answered with anything but a refusal or the one right answer.
func TestOversizedEvents(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	for name, row := range oversized() {
		result := s.invoke(t, []byte(row.payload))
		if got := verdict(result); !slices.Contains(row.want, got) || len(result.Payload) > 4096 {
			t.Errorf("%s: %s in %d bytes: %.200s; want one of %v", name, got, len(result.Payload), result.Payload, row.want)
		}
	}
	if got := s.event(t, "http-api-item"); got.StatusCode != 200 {
		t.Errorf("afterwards an item is answered with %d", got.StatusCode)
	}
	peak, err := s.PeakRSS()
	if err != nil {
		t.Skip(err)
	}
	// The template gives the function 128 MB at the least.
	if t.Logf("peak %d MB", peak>>20); peak > 96<<20 {
		t.Errorf("peak memory %d MB", peak>>20)
	}
}

// verdict returns the error type, the status of the HTTP answer, "item" or "null".
func verdict(result runtimetest.Result) string {
	var a struct{ StatusCode int }
	switch {
	case result.FunctionError != nil:
		return result.FunctionError.Type
	case string(result.Payload) == "null":
		return "null"
	case json.Unmarshal(result.Payload, &a) == nil && a.StatusCode > 0:
		return fmt.Sprint(a.StatusCode)
	}
	return "item"
}

// TestMissingKeysEvictNothing is E5-24 with fewer keys, over HTTP and directly.
func TestMissingKeysEvictNothing(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "CACHE_MAX_AGE=1h", "LOCAL_MAX_AGE=1h", "NOT_FOUND_MAX_AGE=1h", "LOCAL_MAX_ITEMS=100", "LOG_LEVEL=error")
	var mu sync.Mutex // guards asked
	asked := map[string]int{}
	count := func() (item, distinct int) {
		mu.Lock()
		defer mu.Unlock()
		return asked["order:1001"], len(asked)
	}
	s.Voximplant.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		asked[r.Form.Get("key")]++
		return false
	})
	s.event(t, "http-api-item")
	small, err := s.PeakRSS()
	if err != nil {
		t.Skip(err)
	}
	const keys, each = 2000, 50
	for i := range keys / each / 2 {
		keys := make([]string, each)
		for j := range keys {
			keys[j] = fmt.Sprintf("order:none:%d:%d:%s", i, j, strings.Repeat("я", 150))
		}
		payload, err := json.Marshal(map[string]any{"keys": keys})
		if err != nil {
			t.Fatal(err)
		}
		s.invoke(t, payload)
		for j := range keys {
			if got := s.through(t, gatewaytest.REST, "GET", "/v1/items/"+url.PathEscape(fmt.Sprint("order:nowhere:", i, ":", j))); got.Code != 404 {
				t.Fatalf("a missing key: %d %s", got.Code, got.Body)
			}
		}
	}
	before, distinct := count()
	if distinct != keys+1 {
		t.Errorf("%d keys were asked for; want each of %d and the item's", distinct, keys)
	}
	got := s.event(t, "http-api-item")
	if after, _ := count(); got.StatusCode != 200 || after != before {
		t.Errorf("the item was evicted: %d, asked for %d times more", got.StatusCode, after-before)
	}
	large, err := s.PeakRSS()
	if err != nil || large > small+32<<20 {
		t.Errorf("peak memory grew from %d to %d MB, %v", small>>20, large>>20, err)
	}
}
