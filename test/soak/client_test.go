package soak_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"voxkv/internal/gatewaytest"
	"voxkv/internal/runtimetest"
)

var kinds = []gatewaytest.Kind{gatewaytest.HTTPAPI, gatewaytest.REST, gatewaytest.FunctionURL}

// hurry is the context key of a deadline that the function is told.
type hurry struct{}

// A client asks one question after the other and keeps ETags as a browser does.
type client struct {
	process *runtimetest.Process
	oracle  *oracle
	keys    []string
	zipf    *rand.Zipf
	counts  map[string]int
	kept    map[string]tagged // by key
}

// A tagged is a receipt and its ETag.
type tagged struct {
	tag string
	receipt
}

func newClient(p *runtimetest.Process, o *oracle, keys []string) *client {
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	return &client{
		process: p, oracle: o, keys: keys, zipf: rand.NewZipf(random, 1.2, 4, uint64(len(keys)-1)),
		counts: map[string]int{}, kept: map[string]tagged{},
	}
}

// ask makes one request and judges its answer.
func (c *client) ask(ctx context.Context) error {
	key := c.keys[c.zipf.Uint64()]
	switch n := rand.IntN(1000); {
	case n < 820:
		return c.item(ctx, key)
	case n < 860:
		return c.fixed(ctx, "GET", path("soak:none:"+fmt.Sprint(rand.Uint64())), 404, "not_found")
	case n < 890:
		return c.fixed(ctx, "GET", path(hidden(rand.IntN(hiddenKeys))), 404, "not_found")
	case n < 910:
		bad := []string{"/v1/items/a%20b", "/v1/items/", "/v1/items/%zz", "/v1/items/%25D0", "/v1/items?key=", "/v1/items?key=a+b",
			"/v1/items/" + strings.Repeat("%D1%8F", 201), "/v1/items/a%0D%0Ab"}
		return c.fixed(ctx, "GET", bad[rand.IntN(len(bad))], 400, "invalid_key")
	case n < 920:
		return c.fixed(ctx, []string{"POST", "PUT", "DELETE"}[rand.IntN(3)], path(key), 405, "method_not_allowed")
	case n < 930:
		return c.fixed(ctx, "GET", "/v2/items/a", 404, "no_route")
	case n < 940:
		return c.fixed(ctx, "GET", "/v1/health", 200, "")
	case n < 950:
		return c.fixed(ctx, "OPTIONS", path(key), 204, "")
	case n < 960:
		return c.item(context.WithValue(ctx, hurry{}, time.Now().Add(600*time.Millisecond+rand.N(time.Second))), key)
	}
	return c.direct(ctx, key)
}

func path(key string) string { return "/v1/items/" + url.PathEscape(key) }

// http sends a request through one of the gateways.
func (c *client) http(ctx context.Context, method, target string, header ...string) (reply, error) {
	var failed error
	gateway := gatewaytest.Gateway{Kind: kinds[rand.IntN(len(kinds))], Invoke: func(ctx context.Context, payload []byte) ([]byte, error) {
		result, err := c.invoke(ctx, payload)
		if err == nil && result.FunctionError != nil {
			err = result.FunctionError
		}
		failed = err
		return result.Payload, err
	}}
	if rand.IntN(2) == 0 {
		header = append(header, "Origin", "https://example.com")
	}
	w := gateway.Do(ctx, method, target, header...)
	got := reply{w.Code, w.Header(), w.Body.Bytes()}
	return got, errors.Join(failed, common(got))
}

func (c *client) invoke(ctx context.Context, payload []byte) (runtimetest.Result, error) {
	deadline, _ := ctx.Value(hurry{}).(time.Time)
	return c.process.Invoke(ctx, runtimetest.Invocation{Payload: payload, Deadline: deadline})
}

// item asks for an item, sometimes by query, with HEAD, or with tags.
func (c *client) item(ctx context.Context, key string) error {
	q := question{key: key, hurried: ctx.Value(hurry{}) != nil, tags: map[string]receipt{}}
	method, target := "GET", path(key)
	if rand.IntN(30) == 0 {
		q.private, target = true, "/v1/items?utm=x&key="+url.QueryEscape(key)
	}
	if rand.IntN(30) == 0 {
		q.head, method = true, "HEAD"
	}
	var header []string
	if kept, ok := c.kept[key]; ok && rand.IntN(10) < 4 {
		q.tags[kept.tag] = kept.receipt
		header = []string{"If-None-Match", []string{"", `"other", W/`}[rand.IntN(2)] + kept.tag}
	}
	h := c.oracle.histories[key]
	h.ask(&q)
	got, err := c.http(ctx, method, target, header...)
	h.answered(&q, got.status == 504)
	c.counts[fmt.Sprint(got.status)]++
	receipt, wrong := c.oracle.judge(q, got)
	if err = errors.Join(err, wrong); err != nil {
		return fmt.Errorf("%s %s at %v: %w", method, target, q.start.UTC(), err)
	}
	if receipt.lifetime.own > 0 {
		c.kept[key] = tagged{got.header.Get("Etag"), receipt}
	}
	return nil
}

// fixed asks what has one right answer, whatever the storage holds. Faults of
// upstream may show for keys that are in scope.
func (c *client) fixed(ctx context.Context, method, target string, status int, code string) error {
	q := question{start: time.Now(), since: time.Now()}
	got, err := c.http(ctx, method, target)
	q.end = time.Now()
	switch {
	case got.status != status && strings.Contains(target, "soak:none"):
		code = ""
		err = errors.Join(err, c.oracle.judgeFailure(q, got))
	case got.status != status:
		err = errors.Join(err, fmt.Errorf("status %d: %s; want %d", got.status, got.body, status))
	case code != "":
		err = errors.Join(err, judgeProblem(false, got, code))
	case bytes.Contains(got.body, []byte(marker)):
		err = errors.Join(err, fmt.Errorf("the body %s", got.body))
	}
	c.counts[strings.TrimSpace(fmt.Sprint(got.status, " ", code))]++
	if err != nil {
		return fmt.Errorf("%s %.100s: %w", method, target, err)
	}
	return nil
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

// direct invokes the function as another function does.
func (c *client) direct(ctx context.Context, key string) error {
	payload, err := json.Marshal(map[string]string{"key": key})
	if err != nil {
		return err
	}
	q := question{key: key, private: true}
	h := c.oracle.histories[key]
	h.ask(&q)
	result, err := c.invoke(ctx, payload)
	h.answered(&q, result.FunctionError != nil && result.FunctionError.Type == "UpstreamTimeout")
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
		if !slices.Contains([]string{"UpstreamBusy", "UpstreamUnavailable", "UpstreamTimeout", "UpstreamFailure"}, f.Type) {
			return f
		}
		return c.oracle.judgeTrouble(q, false)
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
