package function

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/auth"
	"voxkv/internal/transport"
)

// TestTheLeast: on a network as it is, what the function waits for is what any
// program would have to wait for. In the bubble computing takes no time, so the
// times are exact.
func TestTheLeast(t *testing.T) {
	t.Parallel()
	for _, distance := range []time.Duration{0, 3 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		for version, handshake := range map[uint16]time.Duration{tls.VersionTLS13: distance, tls.VersionTLS12: 2 * distance} {
			t.Run(distance.String()+" "+tls.VersionName(version), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					testTheLeast(t, way{version, distance, 5 * time.Millisecond, time.Millisecond, 10 * time.Millisecond}, handshake)
				})
			})
		}
	}
}

func testTheLeast(t *testing.T, way way, handshake time.Duration) {
	w := newWorld(t, way)
	agent := ""
	w.storage.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		agent = r.UserAgent()
		return false
	})
	takes := func(what string, want time.Duration, do func()) {
		t.Helper()
		began := time.Now()
		do()
		if took := time.Since(began); took != want {
			t.Errorf("%s took %v; want %v", what, took, want)
		}
	}
	get := func() {
		t.Helper()
		value := time.Now().Format(time.TimeOnly)
		w.storage.Put("greeting", value, time.Now().Add(time.Hour))
		if answer := w.get(t, "greeting"); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), value) {
			t.Errorf("GET = %d %s; want %s, which is what is stored now", answer.Code, answer.Body, value)
		}
	}
	takes("Init", max(way.distance+handshake, 3*way.near+way.secretsTime), func() { w.Warm(t.Context()) })
	synctest.Wait() // until net/http has put the connection away
	w.api.want(t, "Init", counts{1, 1, 0})
	w.manager.want(t, "Init", counts{1, 1, 1})
	if w.output.Len() > 0 {
		t.Errorf("Init logs %s; want nothing", &w.output)
	}
	takes("the first request", way.distance+way.apiTime, get)
	w.api.want(t, "the first request", counts{1, 1, 1})
	if agent != "voxkv/test" {
		t.Errorf("User-Agent = %q; want voxkv/test", agent)
	}
	idle := w.client.Transport.(transport.Redacting).IdleConnTimeout
	time.Sleep(idle - time.Second)
	takes("a request just before the idle limit", way.distance+way.apiTime, get)
	w.api.want(t, "a request just before the idle limit", counts{1, 1, 2})
	time.Sleep(idle + time.Second)
	// The session is resumed: with TLS 1.2 that spares a round trip (RFC 5077 section 3.1).
	takes("a request after a pause", 3*way.distance+way.apiTime, get)
	w.api.want(t, "a request after a pause", counts{2, 2, 3})
	w.manager.want(t, "all", counts{1, 1, 1})
	if signed, _ := w.client.Tokens.(*auth.TokenSource).Counts(); signed != 1 {
		t.Errorf("%d signatures; want 1", signed)
	}
}
