// Package nodeclient holds voximplanttest against something that was not written for it:
// the official Node client. It needs node, npm and, once, the npm registry, and so runs
// only when VOXKV_NODE_CLIENT is set.
package nodeclient

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"voxkv/internal/voximplanttest"
	"voxkv/test/tools"
)

const (
	accountID     = 1234567
	applicationID = 42
	patience      = 2 * time.Minute
)

// A step is one call of the client as nodeclient.mjs saw it.
type step struct {
	Received json.RawMessage `json:"received"` // the body of the answer
	Decoded  json.RawMessage `json:"decoded"`  // what the client returned for it
	Thrown   string          `json:"thrown"`   // or the error it threw
}

// The client types the results of both list methods as a single object, where the
// documentation shows arrays. It makes {} of any array and loses the items, so there only
// what it received tells anything. A null result it does not survive at all.
func TestOfficialClient(t *testing.T) {
	if os.Getenv("VOXKV_NODE_CLIENT") == "" {
		t.Skip("VOXKV_NODE_CLIENT is not set")
	}
	dir := tools.NPM(t, "nodeclient.mjs")
	s, host := serve(t, dir)
	before := time.Now().Unix()
	steps := run(t, dir, host)
	after := time.Now().Unix()

	items := s.Items()
	if len(items) != 1 {
		t.Fatalf("Items() = %v; want one item", items)
	}
	item := items[0]
	expiresAt := item.ExpiresAt.Unix()
	if item.Key != "node:+1;#ё" || item.Value != `{"a":"ё"}` {
		t.Errorf("Items() = %v; want the item the client set and did not delete", items)
	}
	if expiresAt < before+3600 || expiresAt > after+3600 {
		t.Errorf("ExpiresAt = %d; want 3600 s after the call at %d to %d", expiresAt, before, after)
	}
	checkSteps(t, steps, expiresAt)
	checkCalls(t, s)
}

func checkSteps(t *testing.T, steps map[string]step, expiresAt int64) {
	t.Helper()
	object := fmt.Sprintf(`{"key":"node:+1;#ё","value":"{\"a\":\"ё\"}","expires_at":%d}`, expiresAt)
	decoded := fmt.Sprintf(`{"result":{"key":"node:+1;#ё","value":"{\"a\":\"ё\"}","expiresAt":%d}}`, expiresAt)
	const refused = `{"error":{"code":116,"msg":"The 'application_id' parameter is invalid"},
		"errors":[{"code":116,"msg":"The 'application_id' parameter is invalid"}]}`
	tests := []struct {
		name, received, decoded string
	}{
		{"set", `{"result":` + object + `}`, decoded},
		{"get", `{"result":` + object + `}`, decoded},
		{"items", `{"result":[` + object + `]}`, `{"result":{}}`},
		{"delete", `{"result":1}`, `{"result":1}`},
		{"absent", `{"result":{}}`, `{"result":{}}`},
		{"nullResult", `{"result":null}`, ``},
		{"refused", refused, refused},
	}
	for _, tt := range tests {
		got := steps[tt.name]
		if !sameJSON(t, got.Received, tt.received) || !sameJSON(t, got.Decoded, tt.decoded) {
			t.Errorf("%s: received %s, decoded %s, thrown %q; want %s and %s",
				tt.name, got.Received, got.Decoded, got.Thrown, tt.received, tt.decoded)
		}
	}
	checkKeys(t, steps["keys"])
	if got := steps["nullResult"].Thrown; !strings.HasPrefix(got, "TypeError") {
		t.Errorf("a null result made the client throw %q; want a TypeError", got)
	}
}

// checkKeys looks at the page that holds the second key, whose expiry nothing else tells.
func checkKeys(t *testing.T, got step) {
	t.Helper()
	var received struct {
		Result []map[string]any `json:"result"`
	}
	if err := json.Unmarshal(got.Received, &received); err != nil {
		t.Fatalf("keys: received %s: %v", got.Received, err)
	}
	if page := received.Result; len(page) != 1 || page[0]["key"] != "node:2" || page[0]["value"] != nil {
		t.Errorf("keys: received %s; want the key node:2 alone", got.Received)
	}
	if !sameJSON(t, got.Decoded, `{"result":{}}`) {
		t.Errorf("keys: decoded %s; want an empty object", got.Decoded)
	}
}

func checkCalls(t *testing.T, s *voximplanttest.Server) {
	t.Helper()
	want := map[string]int{
		"SetKeyValueItem": 2, "GetKeyValueItem": 4, "GetKeyValueItems": 1,
		"GetKeyValueKeys": 1, "DelKeyValueItem": 1,
	}
	for method, n := range want {
		if got := s.Calls(method); got != n {
			t.Errorf("Calls(%s) = %d; want %d", method, got, n)
		}
	}
}

// serve starts the stand-in over TLS, which the client insists on, and puts the service
// account and the certificate into dir. It answers the key "null" with a null result.
func serve(t *testing.T, dir string) (*voximplanttest.Server, string) {
	t.Helper()
	account, err := voximplanttest.NewServiceAccount(accountID)
	if err != nil {
		t.Fatal(err)
	}
	s := &voximplanttest.Server{AccountID: accountID, ApplicationID: applicationID}
	s.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	s.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Form.Get("key") != "null" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, `{"result":null}`)
		return err == nil
	})
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	write(t, filepath.Join(dir, "ca.pem"), certificate)
	write(t, filepath.Join(dir, "credentials.json"), account.Credentials())
	return s, server.Listener.Addr().String()
}

func run(t *testing.T, dir, host string) map[string]step {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "nodeclient.mjs")
	node.Dir = dir
	node.Stderr = t.Output()
	node.Env = append(os.Environ(),
		"VOXIMPLANT_CREDENTIALS="+filepath.Join(dir, "credentials.json"),
		"VOXIMPLANT_HOST="+host,
		fmt.Sprintf("VOXIMPLANT_APPLICATION_ID=%d", applicationID),
		"NODE_EXTRA_CA_CERTS="+filepath.Join(dir, "ca.pem"),
		"no_proxy=127.0.0.1",
	)
	out, err := node.Output()
	if err != nil {
		t.Fatalf("node nodeclient.mjs: %v\n%s", err, out)
	}
	var steps map[string]step
	if err := json.Unmarshal(out, &steps); err != nil {
		t.Fatalf("nodeclient.mjs printed %q: %v", out, err)
	}
	return steps
}

// sameJSON compares the meaning of two documents. An empty want stands for no document.
func sameJSON(t *testing.T, got json.RawMessage, want string) bool {
	t.Helper()
	if len(got) == 0 || want == "" {
		return len(got) == 0 && want == ""
	}
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(g, w)
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
