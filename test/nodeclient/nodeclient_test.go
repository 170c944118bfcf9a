// Package nodeclient holds voximplanttest against something that was not written for it:
// the official Node client. It needs node, npm and, once, the npm registry, and so runs
// only when VOXKV_NODE_CLIENT is set.
package nodeclient

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"voxkv/internal/voximplanttest"
	"voxkv/test/tools"
)

// want is, for each call that nodeclient.mjs makes, the body of the answer and what the client makes of it.
//
// The client types the results of both list methods as a single object, where the
// documentation shows arrays. It makes {} of any array and loses the items, so there only
// what it received tells anything. A null result it does not survive at all.
const want = `{
	"set":        {"received": {"result": {"key": "node:+1;#ё", "value": "{\"a\":\"ё\"}", "expires_at": 1}},
	               "decoded":  {"result": {"key": "node:+1;#ё", "value": "{\"a\":\"ё\"}", "expiresAt": 1}}},
	"setOther":   {"received": {"result": {"key": "node:2", "value": "", "expires_at": 1}},
	               "decoded":  {"result": {"key": "node:2", "value": "", "expiresAt": 1}}},
	"get":        {"received": {"result": {"key": "node:+1;#ё", "value": "{\"a\":\"ё\"}", "expires_at": 1}},
	               "decoded":  {"result": {"key": "node:+1;#ё", "value": "{\"a\":\"ё\"}", "expiresAt": 1}}},
	"items":      {"received": {"result": [{"key": "node:+1;#ё", "value": "{\"a\":\"ё\"}", "expires_at": 1}]}, "decoded": {"result": {}}},
	"keys":       {"received": {"result": [{"key": "node:2", "expires_at": 1}]}, "decoded": {"result": {}}},
	"delete":     {"received": {"result": 1}, "decoded": {"result": 1}},
	"absent":     {"received": {"result": {}}, "decoded": {"result": {}}},
	"nullResult": {"received": {"result": null}, "thrown": "TypeError"},
	"refused":    {"received": {"error":   {"code": 116, "msg": "The 'application_id' parameter is invalid"},
	                            "errors": [{"code": 116, "msg": "The 'application_id' parameter is invalid"}]},
	               "decoded":  {"error":   {"code": 116, "msg": "The 'application_id' parameter is invalid"},
	                            "errors": [{"code": 116, "msg": "The 'application_id' parameter is invalid"}]}}
}`

func TestOfficialClient(t *testing.T) {
	tools.Gate(t, "VOXKV_NODE_CLIENT")
	s := tools.NewStorage(t, &voximplanttest.Server{ApplicationID: 42})
	s.Intercept(answerNull)
	before := time.Now().Unix()
	got := run(t, s)
	after := time.Now().Unix()
	if got = regexp.MustCompile(`("expires(?:_a|A)t":)\d+`).ReplaceAllString(got, "${1}1"); !tools.SameJSON(t, got, want) {
		t.Errorf("the client says %s; want %s", got, want)
	}
	items := s.Items()
	if len(items) != 1 || items[0].Key != "node:+1;#ё" || items[0].Value != `{"a":"ё"}` {
		t.Fatalf("Items() = %v; want the item the client set and did not delete", items)
	}
	if at := items[0].ExpiresAt.Unix(); at < before+3600 || at > after+3600 {
		t.Errorf("ExpiresAt = %d; want 3600 s after the call at %d to %d", at, before, after)
	}
}

// answerNull answers the key "null" with a null result.
func answerNull(w http.ResponseWriter, r *http.Request) bool {
	if r.Form.Get("key") != "null" {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"result":null}`)
	return true
}

// run returns what nodeclient.mjs prints. It has s over TLS, on which the client insists.
func run(t *testing.T, s tools.Storage) string {
	t.Helper()
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	dir := tools.NPM(t, "nodeclient.mjs")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{
		"VOXIMPLANT_CREDENTIALS=" + s.CredentialsFile(t),
		"VOXIMPLANT_HOST=" + server.Listener.Addr().String(),
		"VOXIMPLANT_APPLICATION_ID=42",
		"NODE_EXTRA_CA_CERTS=" + filepath.Join(dir, "ca.pem"),
		"no_proxy=127.0.0.1",
	}
	return tools.Program{Dir: dir, Environ: environ, Command: []string{"node", "nodeclient.mjs"}}.Output(t)
}
