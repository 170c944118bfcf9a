package examples

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"voxkv/internal/cloudfronttest"
	"voxkv/test/tools"
)

const (
	linksDir  = "../../examples/links"
	linkKeyID = "K2JCJMDEHXQW5F"
)

// A module of its own costs voxkv no dependency, so this one runs with all tests.
func TestLinksFromGo(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "link")
	goInModule(t, linksDir+"/go", "build", "-o", binary, ".")
	testLinks(t, tools.Program{Command: []string{binary}}, rsaKey(t), ecdsaKey(t))
}

func TestLinksFromNode(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	testLinks(t, tools.Program{Dir: tools.NPM(t, linksDir+"/link.mjs"), Environ: []string{"NODE_NO_WARNINGS=1"}, Command: []string{"node", "link.mjs"}},
		rsaKey(t), ecdsaKey(t))
}

func TestLinksFromPython(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	python := tools.Python(t, "requirements.txt")
	testLinks(t, tools.Program{Dir: linksDir, Environ: []string{"PYTHONDONTWRITEBYTECODE=1"}, Command: []string{python, "link.py"}}, rsaKey(t))
}

func rsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecdsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// testLinks holds that all programs make links that open one item, with each of the keys.
func testLinks(t *testing.T, p tools.Program, keys ...crypto.Signer) {
	for _, key := range keys {
		f := newStorage(t).Function(t, nil)
		root := tools.Serve(t, &cloudfronttest.Distribution{Keys: map[string]crypto.PublicKey{linkKeyID: key.Public()}, Origin: f})
		l := with(p, []string{"VOXKV_URL=" + root, "LINK_KEY_ID=" + linkKeyID, "LINK_PRIVATE_KEY=" + privateKeyFile(t, key)})
		for _, key := range []string{"order:1001", "a+b", "a#b", "a;b", "ключЁё", ".", ".."} {
			opens(t, l, root, key)
		}
		// A minute ago, and not now: the SDK for Node rounds the end up to the next second.
		ended := with(l, nil, "order:1001", "-60").Output(t)
		if status, body := tools.Get(t, ended); status != http.StatusForbidden {
			t.Errorf("%s has ended, and answers %d %s", ended, status, body)
		}
		for _, args := range [][]string{{}, {"order:1001"}, {"order:1001", "an hour"}} {
			if stdout, stderr, code := with(l, nil, args...).Run(t); code == 0 || stdout != "" || stderr == "" {
				t.Errorf("%q: exit code %d, %q and %q", args, code, stdout, stderr)
			}
		}
	}
}

// privateKeyFile writes a key as openssl genpkey does.
func privateKeyFile(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "private.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// opens makes a link for an hour, which must open the item and nothing else.
func opens(t *testing.T, l tools.Program, root, key string) {
	t.Helper()
	before := time.Now().Unix()
	link := with(l, nil, key, "3600").Output(t)
	after := time.Now().Unix() + 1 // the SDK for Node rounds up
	parsed, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	// Encoded once, the key is in the path, or for two keys in the query.
	query := parsed.Query()
	if parsed.Path != "/v1/items/"+key && (parsed.Path != "/v1/items" || query.Get("key") != key) {
		t.Errorf("%s: the link is %s", key, link)
	}
	if end, err := strconv.ParseInt(query.Get("Expires"), 10, 64); err != nil || end < before+3600 || end > after+3600 {
		t.Errorf("%s: %s ends at %d; want an hour from now, %d to %d", key, link, end, before+3600, after+3600)
	}
	var item struct{ Value string }
	if status, body := tools.Get(t, link); status != http.StatusOK || json.Unmarshal([]byte(body), &item) != nil || item.Value != "value of "+key {
		t.Errorf("%s: %s answers %d %s", key, link, status, body)
	}
	unsigned, _, _ := strings.Cut(link, "Expires=")
	for name, other := range map[string]string{
		"unsigned":     unsigned,
		"another item": strings.Replace(link, root+parsed.EscapedPath(), root+"/v1/items/"+"%D1%8F:1", 1),
		"another end":  strings.Replace(link, "Expires=", "Expires=9", 1),
	} {
		if status, body := tools.Get(t, other); status != http.StatusForbidden {
			t.Errorf("%s, %s: %s answers %d %s", key, name, other, status, body)
		}
	}
}

// What CloudFront takes for the health check goes to the function as it came, and must be no other route there.
func TestHealthIsNoWayAroundLinks(t *testing.T) {
	t.Parallel()
	f := newStorage(t).Function(t, map[string]string{"RAW_VALUES": "true"})
	root := tools.Serve(t, &cloudfronttest.Distribution{Origin: f})
	for _, path := range []string{
		"/v1/items/../health", "/v1/items/%2e%2e/health", "/v1/items/order:1001/../../health", "/v1/items/order:1001/%2E%2E/%2e./health",
		"/v1/values/order:1001/../../health", "/v1/items/..%2Fhealth", "/v1/items/order:1001%2f..%2f..%2fhealth", "/v1//health", "/v1/./health",
		"/v1/items/order:1001/../../health?key=order:1001", "/v1/health/../health?key=order:1001", "/v1/health?key=order:1001",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, root, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.URL.Opaque = "//" + request.URL.Host + path
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode == http.StatusForbidden || strings.Contains(string(body), "value of") {
			t.Errorf("%s: %d %s, %v; want it to come to the function, and to be no item", path, response.StatusCode, body, err)
		}
	}
}
