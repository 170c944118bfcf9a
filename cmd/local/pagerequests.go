package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
)

// pageRequestHeader is the header in which the page sends the id that it gives to a request, so that it can ask for the
// request's log line later. No cache varies by it.
const pageRequestHeader = "Playground-Request"

// maxPageRequests is how many requests of the page are remembered.
const maxPageRequests = 50

// A pageRequest is what the log says of a request of the page that reached the function, because the browser's cache did
// not answer it.
type pageRequest struct {
	Status     int     `json:"status"`
	Cache      string  `json:"cache"`
	Ms         float64 `json:"ms"`
	UpstreamMs float64 `json:"upstream_ms"`

	id    string
	ended chan struct{}
}

type pageRequestKey struct{}

// pageRequests are the last requests of the page.
type pageRequests struct {
	mu     sync.Mutex // guards latest
	latest []*pageRequest
}

// serve passes r to the function, and records it if it comes from the page.
func (p *pageRequests) serve(function http.Handler, w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get(pageRequestHeader)
	if id == "" {
		function.ServeHTTP(w, r)
		return
	}
	this := p.begin(id)
	defer close(this.ended)
	function.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), pageRequestKey{}, this)))
}

func (p *pageRequests) begin(id string) *pageRequest {
	this := &pageRequest{id: id, ended: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = append(p.latest[max(0, len(p.latest)+1-maxPageRequests):], this)
	return this
}

// wait waits for the end of the request with this id and returns it. It returns nil if no such request reached the
// function.
func (p *pageRequests) wait(ctx context.Context, id string) *pageRequest {
	p.mu.Lock()
	i := slices.IndexFunc(p.latest, func(r *pageRequest) bool { return r.id == id })
	var found *pageRequest
	if i >= 0 {
		found = p.latest[i]
	}
	p.mu.Unlock()
	if found == nil {
		return nil
	}
	select {
	case <-found.ended:
		return found
	case <-ctx.Done():
		return nil
	}
}

// A pageRequestRecorder is a log handler that records the log line of each request of the page, also below the level of
// the log.
type pageRequestRecorder struct{ slog.Handler }

func (h pageRequestRecorder) Enabled(ctx context.Context, level slog.Level) bool {
	return ctx.Value(pageRequestKey{}) != nil || h.Handler.Enabled(ctx, level)
}

func (h pageRequestRecorder) Handle(ctx context.Context, r slog.Record) error {
	if this, ok := ctx.Value(pageRequestKey{}).(*pageRequest); ok && r.Message == requestMessage {
		attrs := attrsOf(r)
		this.Status, this.Cache = int(attrs["status"].Int64()), text(attrs, "cache")
		this.Ms, this.UpstreamMs = milliseconds(attrs, "ms"), milliseconds(attrs, "upstream_ms")
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}
