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

// A tagged is what a client keeps of a 200.
type tagged struct {
	tag string
	representation
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
	case n < 830:
		return c.item(ctx, key)
	case n < 870:
		return c.fixed(ctx, path("soak:none:"+fmt.Sprint(rand.Uint64())), 404, "not_found")
	case n < 900:
		return c.fixed(ctx, path(hidden(rand.IntN(hiddenKeys))), 404, "not_found")
	case n < 920:
		return c.fixed(ctx, "/v1/items/a%20b", 400, "invalid_key")
	case n < 930:
		return c.item(context.WithValue(ctx, hurry{}, time.Now().Add(600*time.Millisecond+rand.N(time.Second))), key)
	}
	return c.direct(ctx, key)
}

func path(key string) string { return "/v1/items/" + url.PathEscape(key) }

// http sends a request through one of the gateways.
func (c *client) http(ctx context.Context, target string, header ...string) (reply, error) {
	var failed error
	gateway := gatewaytest.Gateway{Kind: kinds[rand.IntN(len(kinds))], Invoke: func(ctx context.Context, payload []byte) ([]byte, error) {
		result, err := c.invoke(ctx, payload)
		if err == nil && result.FunctionError != nil {
			err = result.FunctionError
		}
		failed = err
		return result.Payload, err
	}}
	w := gateway.Do(ctx, "GET", target, header...)
	return reply{w.Code, w.Header(), w.Body.Bytes()}, failed
}

func (c *client) invoke(ctx context.Context, payload []byte) (runtimetest.Result, error) {
	deadline, _ := ctx.Value(hurry{}).(time.Time)
	return c.process.Invoke(ctx, runtimetest.Invocation{Payload: payload, Deadline: deadline})
}

// item asks for an item, sometimes by query, or with a tag.
func (c *client) item(ctx context.Context, key string) error {
	q := question{key: key, hurried: ctx.Value(hurry{}) != nil}
	target := path(key)
	if rand.IntN(30) == 0 {
		q.private, target = true, "/v1/items?utm=x&key="+url.QueryEscape(key)
	}
	var header []string
	if kept, ok := c.kept[key]; ok && rand.IntN(10) < 4 {
		q.kept = kept
		header = []string{"If-None-Match", kept.tag}
	}
	h := c.oracle.histories[key]
	h.ask(&q)
	got, err := c.http(ctx, target, header...)
	h.answered(&q, q.hurried || got.status == 504)
	c.counts[fmt.Sprint(got.status)]++
	keep, wrong := c.oracle.judge(q, got)
	if err = errors.Join(err, wrong); err != nil {
		return fmt.Errorf("GET %s at %v: %w", target, q.start.UTC(), err)
	}
	if tag := got.header.Get("Etag"); tag != "" {
		c.kept[key] = tagged{tag, keep}
	}
	return nil
}

// fixed asks what has one right answer, whatever the storage holds. Faults of
// upstream may show for keys that are in scope.
func (c *client) fixed(ctx context.Context, target string, status int, code string) error {
	q := question{start: time.Now(), since: time.Now()}
	got, err := c.http(ctx, target)
	q.end = time.Now()
	switch {
	case got.status >= 500 && strings.Contains(target, "soak:none"):
		code = ""
		err = errors.Join(err, c.oracle.judgeFailure(q, got))
	case got.status != status || !bytes.Contains(got.body, []byte(code)):
		err = errors.Join(err, fmt.Errorf("status %d: %s; want %d %s", got.status, got.body, status, code))
	}
	c.counts[strings.TrimSpace(fmt.Sprint(got.status, " ", code))]++
	if err != nil {
		return fmt.Errorf("GET %.100s: %w", target, err)
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
