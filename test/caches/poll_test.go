package caches

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"
)

// tick is the pause between two requests of a poller.
const tick = 100 * time.Millisecond

// A manner is a way of asking for an item.
type manner struct {
	name        string
	method      string
	header      http.Header
	conditional bool // ask for what differs from the last answer
	seldom      bool // ask once, and again only when the item has ended
}

var (
	plainly       = manner{name: "plainly", method: http.MethodGet}
	conditionally = manner{name: "conditionally", method: http.MethodGet, conditional: true}
	headOnly      = manner{name: "head only", method: http.MethodHead}
	inPart        = manner{name: "in part", method: http.MethodGet, header: http.Header{"Range": {"bytes=0-9"}}}
	staleToo      = manner{name: "stale too", method: http.MethodGet, header: http.Header{
		"Cache-Control": {"max-stale=3600, stale-if-error=3600"},
	}}
	seldom     = manner{name: "seldom", method: http.MethodGet, seldom: true}
	authorized = manner{name: "authorized", method: http.MethodGet, header: http.Header{"Authorization": {"Bearer caller"}}}
)

// An answer is what came back to one request, which started at start and took
// so long.
type answer struct {
	start  time.Time
	took   time.Duration
	status int // 0 if none came
	header http.Header
	body   string
}

// item reports whether the answer gives the item, or leave to use it.
func (a answer) item() bool {
	return slices.Contains([]int{http.StatusOK, http.StatusPartialContent, http.StatusNotModified}, a.status)
}

// poll asks url again and again until ctx ends.
func poll(ctx context.Context, client *http.Client, url string, m manner) []answer {
	again := time.NewTicker(tick)
	defer again.Stop()
	var answers []answer
	tag := ""
	for {
		a := ask(ctx, client, url, m, tag)
		answers = append(answers, a)
		if m.conditional && a.item() {
			tag = a.header.Get("ETag")
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return answers
		}
	}
}

// ask sends one request.
func ask(ctx context.Context, client *http.Client, url string, m manner, tag string) answer {
	a := answer{start: time.Now()}
	r, err := http.NewRequestWithContext(ctx, m.method, url, nil)
	if err != nil {
		return a
	}
	for name, values := range m.header {
		r.Header[name] = values
	}
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	res, err := client.Do(r)
	if err != nil {
		return a
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return a
	}
	a.status, a.header, a.body, a.took = res.StatusCode, res.Header, string(body), time.Since(a.start)
	return a
}
