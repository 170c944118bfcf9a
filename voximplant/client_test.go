package voximplant_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/internal/relaytest"
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
		{"three faults", ask, []answer{says(503, ""), says(429, ""), code(4), says(200, item)}, 0, "failed 4 200 repeat", "1 1 1"},
		{"no connection", ask, []answer{fails(refused)}, 0, "unavailable 0 0 repeat", "1 1 1"},
		{"answer stalls once", ask, []answer{stalls, says(200, item)}, 0, found, "1 1"},
		{"no answer once", ask, []answer{hangs, says(200, item)}, 0, found, "1 1"},
		{"a fault not worth a repeat", ask, []answer{code(5), says(200, item)}, 0, "failed 5 200", "1"},
		{"absent", ask, []answer{code(341), says(200, item)}, 0, "not found", "1"},
		{"another item", ask, []answer{says(200, `{"result":{"key":"other","value":"v"}}`), says(200, item)}, 0, "malformed 0 200", "1"},
		{"wrong certificate", ask, []answer{fails(&tls.CertificateVerificationError{Err: errors.New("expired")}), says(200, item)}, 0, "unavailable 0 0", "1"},
		{"cancelled below", ask, []answer{fails(context.Canceled), says(200, item)}, 0, "unavailable 0 0", "1"},
		{"another is accepted", ask, []answer{code(456), says(200, item)}, 0, found, "1 2"},
		{"by status alone", ask, []answer{says(401, ""), says(200, item)}, 0, found, "1 2"},
		{"before a fault", ask, []answer{code(100), code(2), says(200, item)}, 0, found, "1 2 2"},
		{"by status 403", ask, []answer{says(403, "<html>"), says(200, item)}, 0, found, "1 2"},
		{"status 403 for all", ask, []answer{says(403, `{"error":{"msg":"m"}}`)}, 0, "credentials 0 403", "1 2"},
		{"status 403 for the only one", ask, []answer{says(403, "")}, 1, "credentials 0 403", "1"},
		{"status 403 with a code", ask, []answer{says(403, `{"error":{"code":104}}`)}, 0, "credentials 104 403", "1"},
		{"status 403 with a code that blames the token", ask, []answer{says(403, `{"error":{"code":433}}`), says(200, item)}, 0, found, "1 2"},
		{"there is no other", ask, []answer{code(433), says(200, item)}, 1, "credentials 433 200", "1"},
		{"all are refused", ask, []answer{code(100)}, 0, "credentials 100 200", "1 2 3"},
		{"set", set(key, "v", until(1795430000)), []answer{says(503, ""), code(484), says(200, item)}, 0, found, "1 1 1"},
		{"delete", del(key), []answer{fails(io.ErrUnexpectedEOF), says(200, `{"result":1}`)}, 0, "deleted", "1 1"},
		{"delete that went unheard", del(key), []answer{stalls, code(341)}, 0, "not found", "1 1"},
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
					ask(t, ctx, api.client(oneToken))
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

// TestEndsInTime: a call ends with its context. What the API said is better than a
// timeout, and better early than late.
func TestEndsInTime(t *testing.T) {
	t.Parallel()
	const never = 24 * time.Hour
	tests := []struct {
		name             string
		answer           answer
		timeout, cancels time.Duration
		want             string
		is               error // nil if the API said something
		tries            int
		after            time.Duration
	}{
		{"no answer", hangs, 5 * time.Second, never, "unavailable 0 0 repeat", context.DeadlineExceeded, 3, 5 * time.Second},
		{"half an answer", stalls, 5 * time.Second, never, "unavailable 0 0 repeat", context.DeadlineExceeded, 3, 5 * time.Second},
		{"a deadline amid a try", hangs, time.Second, never, "unavailable 0 0 repeat", context.DeadlineExceeded, 1, time.Second},
		{"cancelled before", hangs, 5 * time.Second, 0, "unavailable 0 0", context.Canceled, 1, 0},
		{"cancelled amid a try", hangs, 5 * time.Second, time.Second, "unavailable 0 0", context.Canceled, 1, time.Second},
		{"cancelled amid a pause", says(503, "", "Retry-After", "4"), 5 * time.Second, time.Second, "unavailable 0 503 repeat", nil, 1, time.Second},
		{"a pause beyond the deadline", says(429, "", "Retry-After", "5"), 5 * time.Second, never, "throttled 0 429 repeat", nil, 1, 0},
		// A call without a deadline waits, but not for years.
		{"a pause of centuries", says(504, "", "Retry-After", "Fri, 31 Dec 2400 23:59:59 GMT"), never, never, "unavailable 0 504 repeat", nil, 1, 0},
		{"a pause of no end", says(200, `{"error":{"code":484}}`, "Retry-After", "9223372036854775807"), never, never, "throttled 484 200 repeat", nil, 1, 0},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
			defer cancel()
			time.AfterFunc(test.cancels, cancel)
			began := time.Now()
			api := &network{answers: []answer{test.answer}}
			got, err := api.client(oneToken).GetKeyValueItem(ctx, key)
			outcome, took := outcome(t, got, err), time.Since(began)
			if outcome != test.want || test.is != nil && !errors.Is(err, test.is) || took != test.after || len(api.requests) != test.tries {
				t.Errorf("%s: GetKeyValueItem = %s, %v after %v and %d tries; want %s, %v after %v and %d",
					test.name, outcome, err, took, len(api.requests), test.want, test.is, test.after, test.tries)
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

// clientOf returns a client of h over HTTP, without sockets. It is for a bubble.
func clientOf(t *testing.T, h http.Handler) *voximplant.Client {
	t.Helper()
	near := relaytest.NewMemory()
	server := &http.Server{Handler: h}
	go server.Serve(near)
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return near.Dial() }}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return &voximplant.Client{Tokens: tokens(oneToken), ApplicationID: 42, BaseURL: "http://api.test/platform_api", Transport: transport}
}

// The server closes a connection just when it is used again, as load balancers do.
func TestConnectionClosedByTheServer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, ctx context.Context) {
		requests, tries := 0, 0
		client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if requests++; requests == 2 {
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, item)
		}))
		client.Tokens = tokens(func(string) (string, error) {
			tries++
			return bearer, nil
		})
		for range 2 {
			if got := ask(t, ctx, client); got != found {
				t.Errorf("GetKeyValueItem = %s; want %s", got, found)
			}
		}
		if requests != 3 || tries != 2 {
			t.Errorf("%d requests in %d tries; want 3 in 2: one sent again at once", requests, tries)
		}
	})
}

func TestWrongURL(t *testing.T) {
	t.Parallel()
	client := &voximplant.Client{Tokens: tokens(oneToken), BaseURL: "https://user:" + bearer + "@[::1/platform_api"}
	if got, want := ask(t, t.Context(), client), "configuration 0 0"; got != want {
		t.Errorf("GetKeyValueItem = %s; want %s", got, want)
	}
}
