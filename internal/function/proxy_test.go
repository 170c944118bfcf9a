package function

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"voxkv/internal/settingstest"
)

// TestProxies asks a second process, since net/http reads the variables of
// proxies once, which connections are made: those in plain text never to a
// proxy, and those of TLS through one, with CONNECT.
func TestProxies(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex // guards asked
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.Host)
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestConnections$", "-test.v")
	command.Env = append(os.Environ(), "VOXKV_TEST_CONNECTIONS=1", "HTTP_PROXY="+proxy.URL, "HTTPS_PROXY="+proxy.URL, "NO_PROXY=")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	at := strings.TrimPrefix(proxy.URL, "http://")
	for what, want := range map[string]string{
		"secret at http://10.255.255.1": "10.255.255.1:80",
		"API at http://10.255.255.1":    "10.255.255.1:80",
		"secret at https://aws.test":    at,
		"API at https://api.test":       at,
	} {
		if !strings.Contains(string(out), what+" connects to "+want+"\n") {
			t.Errorf("%s; want %s to connect to %s", out, what, want)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(asked)
	if want := []string{"CONNECT api.test:443", "CONNECT aws.test:443"}; !slices.Equal(slices.Compact(asked), want) {
		t.Errorf("the proxy was asked %q; want %q", asked, want)
	}
}

// TestConnections is the second process of TestProxies.
func TestConnections(t *testing.T) {
	if os.Getenv("VOXKV_TEST_CONNECTIONS") == "" {
		t.Skip("for TestProxies alone")
	}
	for _, endpoint := range []string{"http://10.255.255.1", "https://aws.test"} {
		secret, _ := newSecret(t, awsEnviron("AWS_ENDPOINT_URL", endpoint))
		connection(t, "secret at "+endpoint, func(ctx context.Context) { secret.Key(ctx) })
	}
	for _, root := range []string{"http://10.255.255.1", "https://api.test"} {
		f := newFunction(t, settingstest.Environ("VOXIMPLANT_API_URL", root), accountKey, io.Discard)
		connection(t, "API at "+root, f.Warm)
	}
}

// connection tells where do begins to connect to. What leads to nobody it ends.
func connection(t *testing.T, what string, do func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	do(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{ConnectStart: func(_, address string) {
		os.Stdout.WriteString(what + " connects to " + address + "\n")
		if !strings.HasPrefix(address, "127.") {
			cancel()
		}
	}}))
}
