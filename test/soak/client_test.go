package soak_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"voxkv/internal/gatewaytest"
	"voxkv/internal/runtimetest"
)

// A door is one way to the function.
type door interface {
	// serve sends a request and returns its answer.
	serve(r *http.Request) (reply, error)

	// strips304 reports whether a 304 loses its Content-Type on the way.
	strips304() bool
}

// A server is a door over HTTP.
type server struct {
	root   string
	client *http.Client
}

func (s *server) strips304() bool { return true } // net/http does

func (s *server) serve(r *http.Request) (reply, error) {
	u, err := url.Parse(s.root)
	if err != nil {
		return reply{}, err
	}
	r.URL.Scheme, r.URL.Host = u.Scheme, u.Host
	res, err := s.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, body}, err
}

// A lambda is the bootstrap behind the gateways, each in turn.
type lambda struct{ process *runtimetest.Process }

func (l *lambda) strips304() bool { return false }

var kinds = []gatewaytest.Kind{gatewaytest.HTTPAPI, gatewaytest.REST, gatewaytest.FunctionURL}

func (l *lambda) serve(r *http.Request) (reply, error) {
	var failed error
	gateway := gatewaytest.Gateway{Kind: kinds[rand.IntN(len(kinds))], Invoke: func(ctx context.Context, payload []byte) ([]byte, error) {
		result, err := l.invoke(ctx, payload)
		if err == nil && result.FunctionError != nil {
			err = result.FunctionError
		}
		failed = err
		return result.Payload, err
	}}
	r.Host, r.RemoteAddr = "api.example.com", "192.0.2.1:40000"
	w := &recorder{reply: reply{status: http.StatusOK, header: http.Header{}}}
	gateway.ServeHTTP(w, r)
	return w.reply, failed
}

// hurry is the context key of a deadline that the function is told.
type hurry struct{}

func (l *lambda) invoke(ctx context.Context, payload []byte) (runtimetest.Result, error) {
	deadline, _ := ctx.Value(hurry{}).(time.Time)
	return l.process.Invoke(ctx, runtimetest.Invocation{Payload: payload, Deadline: deadline})
}

// A recorder is an http.ResponseWriter that keeps what it gets.
type recorder struct{ reply }

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) { w.status = status }

func (w *recorder) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

// A client asks one question after the other and keeps ETags as a browser does.
type client struct {
	door
	oracle *oracle
	keys   []string
	zipf   *rand.Zipf
	counts map[string]int
	kept   map[string]tagged // by key
}

// A tagged is a receipt and its ETag.
type tagged struct {
	tag string
	receipt
}

func newClient(d door, o *oracle, keys []string) *client {
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	return &client{
		door: d, oracle: o, keys: keys, zipf: rand.NewZipf(random, 1.2, 4, uint64(len(keys)-1)),
		counts: map[string]int{}, kept: map[string]tagged{},
	}
}

// ask makes one request and judges its answer.
func (c *client) ask(ctx context.Context) error {
	switch n := rand.IntN(1000); {
	case n < 820:
		return c.item(ctx, c.keys[c.zipf.Uint64()])
	case n < 860:
		return c.fixed(ctx, "GET", c.path("soak:none:"+fmt.Sprint(rand.Uint64())), 404, "not_found")
	case n < 890:
		return c.fixed(ctx, "GET", c.path(hidden(rand.IntN(hiddenKeys))), 404, "not_found")
	case n < 910:
		bad := []string{"/v1/items/a%20b", "/v1/items/", "/v1/items/%zz", "/v1/items/%25D0", "/v1/items?key=", "/v1/items?key=a+b",
			"/v1/items/" + strings.Repeat("%D1%8F", 201), "/v1/items/a%0D%0Ab"}
		return c.fixed(ctx, "GET", bad[rand.IntN(len(bad))], 400, "invalid_key")
	case n < 920:
		return c.fixed(ctx, []string{"POST", "PUT", "DELETE"}[rand.IntN(3)], c.path(c.keys[0]), 405, "method_not_allowed")
	case n < 930:
		return c.fixed(ctx, "GET", "/v2/items/a", 404, "no_route")
	case n < 940:
		return c.fixed(ctx, "GET", "/v1/health", 200, "")
	case n < 950:
		return c.fixed(ctx, "OPTIONS", c.path(c.keys[0]), 204, "")
	}
	return c.special(ctx, c.keys[c.zipf.Uint64()])
}

// special is what only one of the doors has: direct invocation and short
// deadlines, or callers that go away.
func (c *client) special(ctx context.Context, key string) error {
	l, ok := c.door.(*lambda)
	if !ok {
		return c.giveUp(ctx, key)
	}
	if rand.IntN(5) == 0 {
		ctx = context.WithValue(ctx, hurry{}, time.Now().Add(600*time.Millisecond+rand.N(time.Second)))
		return c.item(ctx, key)
	}
	return c.direct(ctx, l, key)
}

func (c *client) path(key string) string { return "/v1/items/" + url.PathEscape(key) }

// item asks for an item, sometimes by query, with HEAD, or with tags.
func (c *client) item(ctx context.Context, key string) error {
	q := question{key: key, bare304: c.strips304(), hurried: ctx.Value(hurry{}) != nil, tags: map[string]receipt{}}
	method, target := "GET", c.path(key)
	if rand.IntN(30) == 0 {
		q.private, target = true, "/v1/items?utm=x&key="+url.QueryEscape(key)
	}
	if rand.IntN(30) == 0 {
		q.head, method = true, "HEAD"
	}
	r, err := request(ctx, method, target)
	if err != nil {
		return err
	}
	if kept, ok := c.kept[key]; ok && rand.IntN(10) < 4 {
		q.tags[kept.tag] = kept.receipt
		r.Header.Set("If-None-Match", []string{"", `"other", W/`}[rand.IntN(2)]+kept.tag)
	}
	q.start = time.Now()
	got, err := c.serve(r)
	q.end = time.Now()
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, target, err)
	}
	c.counts[fmt.Sprint(got.status)]++
	receipt, err := c.oracle.judge(q, got)
	if err = errors.Join(err, common(got)); err != nil {
		return fmt.Errorf("%s %s at %v: %w", method, target, q.start.UTC(), err)
	}
	if receipt.lifetime.own > 0 {
		c.kept[key] = tagged{got.header.Get("Etag"), receipt}
	}
	return nil
}

func request(ctx context.Context, method, target string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://api.example.com"+strings.ReplaceAll(target, "%zz", "%25zz"), http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "soak")
	if rand.IntN(2) == 0 {
		r.Header.Set("Origin", "https://example.com")
	}
	return r, nil
}

// fixed asks what has one right answer, whatever the storage holds. Faults of
// upstream may show for keys that are in scope.
func (c *client) fixed(ctx context.Context, method, target string, status int, code string) error {
	r, err := request(ctx, method, target)
	if err != nil {
		return err
	}
	q := question{start: time.Now()}
	got, err := c.serve(r)
	q.end = time.Now()
	if err != nil {
		return fmt.Errorf("%s %.100s: %w", method, target, err)
	}
	c.count(got.status, status, code)
	err = common(got)
	switch {
	case got.status != status && strings.Contains(target, "soak:none"):
		err = errors.Join(err, c.oracle.judgeFailure(q, got))
	case got.status != status:
		err = errors.Join(err, fmt.Errorf("status %d: %s; want %d", got.status, got.body, status))
	case code != "":
		err = errors.Join(err, judgeProblem(false, got, code))
	case bytes.Contains(got.body, []byte(marker)):
		err = errors.Join(err, fmt.Errorf("the body %s", got.body))
	}
	if err != nil {
		return fmt.Errorf("%s %.100s: %w", method, target, err)
	}
	return nil
}

// count counts a fixed answer under its code, any other under its status.
func (c *client) count(got, want int, code string) {
	if got != want {
		code = ""
	}
	c.counts[strings.TrimSpace(fmt.Sprint(got, " ", code))]++
}

// common is true of every answer.
func common(r reply) error {
	for _, name := range []string{"Cache-Control", "X-Request-Id", "X-Content-Type-Options", "Access-Control-Allow-Origin"} {
		if len(r.header[name]) != 1 {
			return fmt.Errorf("status %d with %d header fields %s", r.status, len(r.header[name]), name)
		}
	}
	return nil
}

// giveUp goes away while the answer is made.
func (c *client) giveUp(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, rand.N(2*time.Millisecond))
	defer cancel()
	r, err := request(ctx, "GET", c.path(key))
	if err != nil {
		return err
	}
	if _, err := c.serve(r); err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	c.counts["given up or in time"]++
	return nil
}

// direct invokes the function as another function does.
func (c *client) direct(ctx context.Context, l *lambda, key string) error {
	payload, err := json.Marshal(map[string]string{"key": key})
	if err != nil {
		return err
	}
	q := question{key: key, private: true, start: time.Now()}
	result, err := l.invoke(ctx, payload)
	q.end = time.Now()
	if err == nil {
		err = c.judgeDirect(q, result)
	}
	if err != nil {
		return fmt.Errorf("direct invocation with %s: %w", payload, err)
	}
	return nil
}

func (c *client) judgeDirect(q question, result runtimetest.Result) error {
	switch f := result.FunctionError; {
	case f != nil:
		c.counts["direct "+f.Type]++
		if !slices.Contains([]string{"UpstreamBusy", "UpstreamUnavailable", "UpstreamTimeout", "UpstreamFailure"}, f.Type) || !c.oracle.troubled(q.start) {
			return f
		}
		return nil
	case string(result.Payload) == "null":
		c.counts["direct null"]++
		return c.oracle.judgeAbsence(q)
	}
	c.counts["direct item"]++
	shown, life, err := decodeItem(result.Payload)
	if err != nil {
		return err
	}
	return c.oracle.judgeRepresentation(q, shown, lifetime{own: life})
}
