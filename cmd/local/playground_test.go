package main

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"voxkv/internal/settings"
)

func TestPage(t *testing.T) {
	t.Parallel()
	embedded, _ := start(t, map[string]string{})
	real, _ := start(t, map[string]string{"VOXIMPLANT_API_URL": newAPI(t)}, "-credentials", credentialsFile(t), "-application-id", "42", "-allowed-keys", "order:*")
	for root, controls := range map[string]bool{embedded: true, real: false} {
		res, html := send(t, "GET", root+"/", "")
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(html, `<form id="read">`) {
			t.Errorf("GET / = %d %s %s; want the page", res.StatusCode, res.Header.Get("Content-Type"), html)
		}
		for _, control := range []string{`id="write"`, `id="fault"`, `id="keys"`} {
			if strings.Contains(html, control) != controls {
				t.Errorf("the page has %s: %v; want %v", control, !controls, controls)
			}
		}
		check(t, "GET", root+"/playground/style.css", "", 200, "color-scheme")
		check(t, "GET", root+"/playground/page.js", "", 200, "import ")
		check(t, "GET", root+"/playground/requests.js", "", 200, "fetch(")
		check(t, "GET", root+"/playground/openapi.yaml", "", 200, "openapi: 3.1.0")
		check(t, "GET", root+"/playground/http-contract.md", "", 200, "# ")
		check(t, "GET", root+"/playground/embed.go", "", 404, "")
		check(t, "GET", root+"/playground/index.html", "", 404, "")
		check(t, "GET", root+"/playground/", "", 404, "")
		check(t, "POST", root+"/", "", 405, "")
		check(t, "GET", root+"/v1/health", "", 200, "ok")
		check(t, "GET", root+"/elsewhere", "", 404, "no_route")
	}
	check(t, "PUT", real+"/playground/fault", "hang", 404, "")
	check(t, "GET", real+"/storage/", "", 404, "no_route")
}

// TestPageIsAlone looks for what the page would load from elsewhere, or what its policy forbids.
func TestPageIsAlone(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(files, "playground/*")
	if err != nil || len(names) < 5 {
		t.Fatalf("embedded are %q, %v; want the page, its style and its scripts", names, err)
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, foreign := range []string{"http:", "https:", "//cdn", " style=", " onclick=", "innerHTML", "eval("} {
			if strings.Contains(string(text), foreign) {
				t.Errorf("%s has %s", name, foreign)
			}
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	p := newPlayground(http.NotFoundHandler(), settings.Settings{LocalMaxAge: new(time.Duration)}, &embeddedAPI{}, options{})
	const other, ours = "http://evil.test", "http://localhost:8080"
	tests := []struct {
		name   string
		host   string
		header []string
		path   string
		want   int
	}{
		{"a command line", "localhost:8080", nil, "/storage/", 200},
		{"by address", "127.0.0.1:8080", nil, "/storage/", 200},
		{"by another address of this machine", "127.1.2.3", nil, "/storage/", 200},
		{"by IPv6", "[::1]:8080", nil, "/storage/", 200},
		{"by IPv6 without a port", "[::1]", nil, "/storage/", 200},
		{"the page", "LOCALHOST:8080", []string{"Sec-Fetch-Site", "same-origin", "Origin", ours}, "/storage/", 200},
		{"the address bar", "localhost:8080", []string{"Sec-Fetch-Site", "none"}, "/storage/", 200},
		{"the page in an old browser", "localhost:8080", []string{"Origin", ours}, "/storage/", 200},
		{"a link to the page", "localhost:8080", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, "/", 200},

		{"a rebound name", "evil.test:8080", nil, "/", 403},
		{"a rebound name, itself", "evil.test:8080", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://evil.test:8080"}, "/storage/", 403},
		{"a name that looks like ours", "localhost.evil.test", nil, "/", 403},
		{"an address that looks like ours", "127.0.0.1.evil.test", nil, "/", 403},
		{"no host", "", nil, "/", 403},
		{"another machine's address", "192.0.2.1:8080", nil, "/", 403},
		{"another site", "localhost:8080", []string{"Sec-Fetch-Site", "cross-site", "Origin", other}, "/storage/", 403},
		{"another port", "localhost:8080", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, "/storage/", 403},
		{"another site in an old browser", "localhost:8080", []string{"Origin", other}, "/storage/", 403},
		{"a page without an origin", "localhost:8080", []string{"Origin", "null"}, "/storage/", 403},
		{"a link to the storage", "localhost:8080", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, "/storage/", 403},
		{"a script of another site", "localhost:8080", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, "/playground/page.js", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.path, nil)
			r.Host = tt.host
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("GET %s = %d %s; want %d", tt.path, w.Code, w.Body, tt.want)
			}
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("GET %s has %s; want no CORS", tt.path, name)
				}
			}
			if tt.want == 200 && !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'; script-src 'self';") {
				t.Errorf("GET %s has the policy %q", tt.path, w.Header().Get("Content-Security-Policy"))
			}
		})
	}
}

// TestItemsOfARealAccountAreGuarded: no page of another origin reads them, but for those that CORS_ORIGINS names. Demo
// items are there for every page.
func TestItemsOfARealAccountAreGuarded(t *testing.T) {
	t.Parallel()
	const vite, ours = "http://localhost:5173", "http://localhost:8080"
	real := func(origins string) map[string]string {
		return map[string]string{"VOXIMPLANT_API_URL": newAPI(t), "CORS_ORIGINS": origins}
	}
	flags := []string{"-credentials", credentialsFile(t), "-application-id", "42", "-allowed-keys", "order:*"}
	open, _ := start(t, real(""), flags...)
	every, _ := start(t, real("*"), flags...)
	listed, _ := start(t, real(vite), flags...)
	demo, _ := start(t, map[string]string{})
	tests := []struct {
		name         string
		method, host string
		header       []string
		real, listed int
		demo         int
	}{
		{"a command line", "GET", "localhost:8080", nil, 200, 200, 200},
		{"the page", "GET", "localhost:8080", []string{"Sec-Fetch-Site", "same-origin"}, 200, 200, 200},
		{"the page, with its origin", "GET", "localhost:8080", []string{"Origin", ours}, 200, 200, 200},
		{"the address bar", "GET", "[::1]:8080", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 200, 200, 200},
		{"another site", "GET", "localhost:8080", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403, 403, 200},
		{"another site in an old browser", "GET", "localhost:8080", []string{"Origin", "https://evil.example"}, 403, 403, 200},
		{"another site's preflight", "OPTIONS", "localhost:8080", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, 403, 403, 204},
		{"a script of another site", "GET", "localhost:8080", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403, 403, 200},
		{"a frame or link of another site", "GET", "localhost:8080", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403, 403, 200},
		{"no origin in particular", "GET", "localhost:8080", []string{"Origin", "null"}, 403, 403, 200},
		{"an origin in the setting's words", "GET", "localhost:8080", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://*"}, 403, 403, 200},
		{"a developer's page", "GET", "localhost:8080", []string{"Sec-Fetch-Site", "same-site", "Origin", vite}, 403, 200, 200},
		{"a developer's preflight", "OPTIONS", "localhost:8080", []string{"Origin", vite, "Access-Control-Request-Method", "GET"}, 403, 204, 204},
		{"a rebound name", "GET", "evil.example:8080", []string{"Sec-Fetch-Site", "same-origin"}, 403, 403, 200},
		{"a rebound name, of a listed origin", "GET", "evil.example:8080", []string{"Origin", vite}, 403, 403, 200},
		{"another machine's name", "GET", "192.0.2.1:8080", nil, 403, 403, 200},
	}
	for _, tt := range tests {
		for root, want := range map[string]int{open: tt.real, every: tt.real, listed: tt.listed, demo: tt.demo} {
			key := "order:1"
			if root == demo {
				key = "order:1001"
			}
			for _, path := range []string{"/v1/items/" + key, "/v1/items?key=" + key} {
				res, body := send(t, tt.method, root+path, "", append(tt.header, "Host", tt.host)...)
				if res.StatusCode != want || want == 403 && (strings.Contains(body, "for real") || res.Header.Get("Access-Control-Allow-Origin") != "") {
					t.Errorf("%s: %s %s = %d %s; want %d", tt.name, tt.method, path, res.StatusCode, body, want)
				}
			}
		}
	}
	res, body := send(t, "GET", listed+"/v1/items/order:1", "", "Origin", vite)
	if res.Header.Get("Access-Control-Allow-Origin") != vite || !strings.Contains(body, "for real") {
		t.Errorf("GET by a listed origin = %v %s; want the item, and leave to read it", res.Header, body)
	}
}

func TestStorageList(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{})
	check(t, "PUT", root+"/storage/a:1?ttl=1h", `<"&>`, 204, "")
	check(t, "DELETE", root+"/storage/order:1001", "", 204, "")
	_, body := send(t, "GET", root+"/storage/", "")
	var items []struct {
		Key, Value string
		ExpiresAt  int64 `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(body), &items); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, item := range items {
		values[item.Key] = item.Value
		if item.ExpiresAt == 0 {
			t.Errorf("%s has no expiry", item.Key)
		}
	}
	if values["a:1"] != `<"&>` || values["ключЁё"] != "Cyrillic" || values["order:1001"] != "" {
		t.Errorf("GET /storage/ = %s; want the demo items, the new one and not the deleted one", body)
	}
}

func TestRoot(t *testing.T) {
	t.Parallel()
	tests := []struct{ addr, want string }{
		{"localhost:0", "http://localhost:8080"},
		{":0", "http://localhost:8080"},
		{"0.0.0.0:0", "http://localhost:8080"},
		{"[::]:0", "http://localhost:8080"},
		{"127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"[::1]:8080", "http://[::1]:8080"},
	}
	for _, tt := range tests {
		if got := root(tt.addr, addr("127.0.0.1:8080")); got != tt.want {
			t.Errorf("root(%q) = %s; want %s", tt.addr, got, tt.want)
		}
	}
}

type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }
