package voximplant_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/voximplant"
)

// TestTries: a call is tried three times at the most, with a new token where the
// API refused the one before. Writes are repeated too: made twice, they come to
// the same.
func TestTries(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	tests := []struct {
		name    string
		call    call
		answers []answer
		tokens  int // how many tokens there are, 0 for any number
		want    string
		sent    string // the token of each try
	}{
		{"good at once", ask, []answer{says(200, item)}, 0, found, "1"},
		{"good after a fault", ask, []answer{code(2), says(200, item)}, 0, found, "1 1"},
		{"good after two", ask, []answer{says(503, ""), fails(refused), says(200, item)}, 0, found, "1 1 1"},
		{"absent after a fault", ask, []answer{says(500, ""), says(200, "{}")}, 0, "not found", "1 1"},
		{"three faults", ask, []answer{says(503, ""), says(429, ""), code(4), says(200, item)}, 0, "failed 4 200 repeat", "1 1 1"},
		{"no connection", ask, []answer{fails(refused)}, 0, "unavailable 0 0 repeat", "1 1 1"},
		{"connection lost", ask, []answer{fails(io.ErrUnexpectedEOF), says(200, item)}, 0, found, "1 1"},
		{"answer stalls once", ask, []answer{stalls, says(200, item)}, 0, found, "1 1"},
		{"no answer once", ask, []answer{hangs, says(200, item)}, 0, found, "1 1"},
		{"a fault not worth a repeat", ask, []answer{code(5), says(200, item)}, 0, "failed 5 200", "1"},
		{"a fault not worth a repeat after one that is", ask, []answer{code(2), code(116), says(200, item)}, 0, "configuration 116 200", "1 1"},
		{"absent", ask, []answer{code(341), says(200, item)}, 0, "not found", "1"},
		{"no sense", ask, []answer{says(200, "<html>"), says(200, item)}, 0, "malformed 0 200", "1"},
		{"another item", ask, []answer{says(200, `{"result":{"key":"other","value":"v"}}`), says(200, item)}, 0, "malformed 0 200", "1"},
		{"wrong certificate", ask, []answer{fails(&tls.CertificateVerificationError{Err: errors.New("expired")}), says(200, item)}, 0, "unavailable 0 0", "1"},
		{"cancelled below", ask, []answer{fails(context.Canceled), says(200, item)}, 0, "unavailable 0 0", "1"},
		{"another is accepted", ask, []answer{code(456), says(200, item)}, 0, found, "1 2"},
		{"by status alone", ask, []answer{says(401, ""), says(200, item)}, 0, found, "1 2"},
		{"after a fault", ask, []answer{code(2), code(100), says(200, item)}, 0, found, "1 1 2"},
		{"before a fault", ask, []answer{code(100), code(2), says(200, item)}, 0, found, "1 2 2"},
		{"by status 403", ask, []answer{says(403, "<html>"), says(200, item)}, 0, found, "1 2"},
		{"by status 403 after a fault", ask, []answer{code(2), says(403, ""), says(200, item)}, 0, found, "1 1 2"},
		{"status 403 for all", ask, []answer{says(403, `{"error":{"msg":"m"}}`)}, 0, "credentials 0 403", "1 2"},
		{"status 403 for the only one", ask, []answer{says(403, "")}, 1, "credentials 0 403", "1"},
		{"status 403 with a code", ask, []answer{says(403, `{"error":{"code":104}}`)}, 0, "credentials 104 403", "1"},
		{"status 403 with a code that blames the token", ask, []answer{says(403, `{"error":{"code":433}}`), says(200, item)}, 0, found, "1 2"},
		{"role not allowed", ask, []answer{code(104), says(200, item)}, 0, "credentials 104 200", "1"},
		{"there is no other", ask, []answer{code(433), says(200, item)}, 1, "credentials 433 200", "1"},
		{"another is refused too", ask, []answer{code(433), code(100), says(200, item)}, 2, "credentials 100 200", "1 2"},
		{"all are refused", ask, []answer{code(100)}, 0, "credentials 100 200", "1 2 3"},
		{"set", set(key, "v", until(1795430000)), []answer{says(503, ""), code(484), says(200, item)}, 0, found, "1 1 1"},
		{"delete", del(key), []answer{fails(io.ErrUnexpectedEOF), says(200, `{"result":1}`)}, 0, "deleted", "1 1"},
		{"delete that went unheard", del(key), []answer{stalls, code(341)}, 0, "not found", "1 1"},
		{"refused token", set(key, "v", until(1795430000)), []answer{code(456), says(200, item)}, 0, found, "1 2"},
		{"list", items("test", voximplant.Page{}), []answer{code(340), says(200, item)}, 0, "test:1234 " + found, "1 1"},
		{"set that is not understood", set(key, "v", lasts(time.Minute)), []answer{says(200, "{}"), says(200, item)}, 0, "malformed 0 200", "1"},
	}
	for _, test := range tests {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			api := &network{answers: test.answers}
			got := test.call(t, ctx, api.client(upTo(test.tokens)))
			var sent []string
			for _, r := range api.requests {
				sent = append(sent, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer token-"))
			}
			if got != test.want || strings.Join(sent, " ") != test.sent {
				t.Errorf("%s: outcome = %s with tokens %q; want %s with %q", test.name, got, sent, test.want, test.sent)
			}
		})
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	date := func(r *http.Request) (*http.Response, error) {
		return says(503, "", "Retry-After", time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat))(r)
	}
	tests := []struct {
		name            string
		answers         []answer
		shortest, first time.Duration // bounds of the first pause
		second          time.Duration // shortest second pause
	}{
		{"backoff", []answer{says(503, "")}, 100 * ms, 300 * ms, 200 * ms},
		{"network", []answer{fails(io.EOF)}, 100 * ms, 300 * ms, 200 * ms},
		{"Retry-After", []answer{says(429, "", "Retry-After", "1"), says(503, "")}, 1100 * ms, 1300 * ms, 200 * ms},
		{"Retry-After as date", []answer{date, says(503, "")}, 2100 * ms, 2300 * ms, 200 * ms},
		{"Retry-After with a code", []answer{says(200, `{"error":{"code":340}}`, "Retry-After", "1"), code(340)}, 1100 * ms, 1300 * ms, 200 * ms},
		{"duplicate detector", []answer{code(484)}, 1100 * ms, 1300 * ms, 1200 * ms},
		{"duplicate detector and a longer Retry-After", []answer{says(200, `{"error":{"code":484}}`, "Retry-After", "2"), code(2)}, 2100 * ms, 2300 * ms, 200 * ms},
		{"refused token", []answer{code(456)}, 100 * ms, 300 * ms, 200 * ms},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for range 50 { // there is chance in a pause
				inBubble(t, func(t *testing.T, ctx context.Context) {
					api := &network{answers: test.answers}
					ask(t, ctx, api.client(numbered()))
					if len(api.times) != 3 {
						t.Fatalf("%d tries; want 3", len(api.times))
					}
					first, second := api.times[1].Sub(api.times[0]), api.times[2].Sub(api.times[1])
					if first < test.shortest || first > test.first+ms || second < test.second {
						t.Errorf("pauses = %v, %v; want %v to %v, and %v at least", first, second, test.shortest, test.first, test.second)
					}
				})
			}
		})
	}
}

// What the API said is better than a timeout, and better early than late.
func TestPauseBeyondDeadline(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]answer{
		"throttled 0 429 repeat":   says(429, "", "Retry-After", "5"),
		"unavailable 0 504 repeat": says(504, "", "Retry-After", "Fri, 31 Dec 2400 23:59:59 GMT"),
		"throttled 484 200 repeat": says(200, `{"error":{"code":484}}`, "Retry-After", "9223372036854775807"),
	} {
		check := func(t *testing.T, ctx context.Context) {
			api := &network{answers: []answer{a}}
			began := time.Now()
			if got := ask(t, ctx, api.client(oneToken)); got != want || time.Since(began) != 0 || len(api.requests) != 1 {
				t.Errorf("GetKeyValueItem = %s after %v and %d tries; want %s at once", got, time.Since(began), len(api.requests), want)
			}
		}
		inBubble(t, check)
		if want != "throttled 0 429 repeat" { // A call without a deadline waits, but not for years.
			synctest.Test(t, func(t *testing.T) { check(t, t.Context()) })
		}
	}
}

func TestTryTimeout(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]answer{"no answer": hangs, "half an answer": stalls} {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			api := &network{answers: []answer{a}}
			began := time.Now()
			_, err := api.client(oneToken).GetKeyValueItem(ctx, key)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second || len(api.requests) != 3 {
				t.Errorf("%s: GetKeyValueItem = %v after %v and %d tries; want DeadlineExceeded after 5s and 3", name, err, time.Since(began), len(api.requests))
			}
			if pause := api.times[1].Sub(api.times[0]) - 2*time.Second; pause < 100*time.Millisecond || pause > 301*time.Millisecond {
				t.Errorf("%s: second try %v after the first was given up; want 100ms to 300ms", name, pause)
			}
		})
	}
}

// TestDeadConnections: where one turns out to be dead, no try is lost on others.
func TestDeadConnections(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]answer{"hangs": hangs, "stalls": stalls, "fails": fails(io.ErrUnexpectedEOF)} {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			idle := &idleConnections{network: network{answers: []answer{first, says(200, item)}}}
			c := &voximplant.Client{Tokens: tokens(oneToken), ApplicationID: 42, Transport: idle}
			if got := ask(t, ctx, c); got != found || idle.closed != 1 {
				t.Errorf("the first try %s: %s, idle connections closed %d times; want %s, 1", name, got, idle.closed, found)
			}
			if got := ask(t, ctx, c); got != found || idle.closed != 1 {
				t.Errorf("after one that %s: %s, idle connections closed %d times; want %s, and not again", name, got, idle.closed, found)
			}
		})
	}
}

// idleConnections counts how often they are closed.
type idleConnections struct {
	network
	closed int
}

func (i *idleConnections) CloseIdleConnections() { i.closed++ }

func TestDeadlineAmidATry(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		api := &network{answers: []answer{hangs}}
		_, err := api.client(oneToken).GetKeyValueItem(ctx, key)
		if !errors.Is(err, context.DeadlineExceeded) || len(api.requests) != 1 {
			t.Errorf("GetKeyValueItem = %v after %d tries; want DeadlineExceeded after 1", err, len(api.requests))
		}
		checkText(t, err)
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		a     answer
		after time.Duration
		want  string
	}{
		{"before", hangs, 0, "unavailable 0 0"},
		{"amid a try", hangs, time.Second, "unavailable 0 0"},
		{"amid a pause", says(503, "", "Retry-After", "4"), time.Second, "unavailable 0 503 repeat"},
	}
	for _, test := range tests {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(test.after, cancel)
			began := time.Now()
			api := &network{answers: []answer{test.a}}
			if got := ask(t, ctx, api.client(oneToken)); got != test.want || time.Since(began) != test.after || len(api.requests) != 1 {
				t.Errorf("cancelled %s: GetKeyValueItem = %s after %v and %d tries; want %s after %v and 1",
					test.name, got, time.Since(began), len(api.requests), test.want, test.after)
			}
		})
	}
}

// clientOf returns a client of a server on loopback that has connections of its own.
func clientOf(t *testing.T, server *httptest.Server) *voximplant.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &voximplant.Client{
		Tokens: tokens(oneToken), ApplicationID: 42, BaseURL: server.URL + "/platform_api",
		Transport: transport,
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var strayed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		client := clientOf(t, server)
		if got, want := ask(t, t.Context(), client), fmt.Sprintf("malformed 0 %d", status); got != want {
			t.Errorf("GetKeyValueItem = %s; want %s", got, want)
		}
		server.Close()
	}
	if n := strayed.Load(); n != 0 {
		t.Errorf("%d requests followed the redirect; want none", n)
	}
}

// The server closes a connection just when it is used again, as load balancers do.
func TestConnectionClosedByTheServer(t *testing.T) {
	t.Parallel()
	var requests, tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, item)
	}))
	defer server.Close()
	client := clientOf(t, server)
	client.Tokens = tokens(func(string) (string, error) {
		tries.Add(1)
		return bearer, nil
	})
	for range 2 {
		if got := ask(t, t.Context(), client); got != found {
			t.Errorf("GetKeyValueItem = %s; want %s", got, found)
		}
	}
	if requests.Load() != 3 || tries.Load() != 2 {
		t.Errorf("%d requests in %d tries; want 3 in 2: one sent again at once", requests.Load(), tries.Load())
	}
}

// countConnections counts those that are made to a server that is not yet started.
func countConnections(server *httptest.Server) *atomic.Int32 {
	connections := new(atomic.Int32)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	return connections
}

func TestWrongCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	connections := countConnections(server)
	server.StartTLS()
	defer server.Close()
	client := clientOf(t, server)
	if got, want := ask(t, t.Context(), client), "unavailable 0 0"; got != want || connections.Load() != 1 {
		t.Errorf("GetKeyValueItem = %s after %d connections; want %s after 1", got, connections.Load(), want)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	client := clientOf(t, server)
	server.Close()
	if got, want := ask(t, t.Context(), client), "unavailable 0 0 repeat"; got != want {
		t.Errorf("GetKeyValueItem = %s; want %s", got, want)
	}
}

func TestWrongURL(t *testing.T) {
	t.Parallel()
	client := &voximplant.Client{Tokens: tokens(oneToken), BaseURL: "https://user:" + bearer + "@[::1/platform_api"}
	if got, want := ask(t, t.Context(), client), "configuration 0 0"; got != want {
		t.Errorf("GetKeyValueItem = %s; want %s", got, want)
	}
}
