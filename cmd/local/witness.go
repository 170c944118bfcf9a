package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
)

// markHeader is the header with which the page names a request, so that it can ask for its log line later. No cache
// varies by it.
const markHeader = "Playground-Request"

// maxVisits is how many requests of the page are remembered.
const maxVisits = 50

// A visit is a request of the page that reached the function, because the browser's cache did not answer it.
type visit struct {
	Status     int     `json:"status"`
	Cache      string  `json:"cache"`
	Ms         float64 `json:"ms"`
	UpstreamMs float64 `json:"upstream_ms"`

	mark  string
	ended chan struct{}
}

type visitKey struct{}

// visits are the last requests of the page.
type visits struct {
	mu     sync.Mutex // guards latest
	latest []*visit
}

// serve passes r to the function, and records it if it comes from the page.
func (v *visits) serve(function http.Handler, w http.ResponseWriter, r *http.Request) {
	mark := r.Header.Get(markHeader)
	if mark == "" {
		function.ServeHTTP(w, r)
		return
	}
	this := v.begin(mark)
	defer close(this.ended)
	function.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, this)))
}

func (v *visits) begin(mark string) *visit {
	this := &visit{mark: mark, ended: make(chan struct{})}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.latest = append(v.latest[max(0, len(v.latest)+1-maxVisits):], this)
	return this
}

// marked waits for the end of the visit with this mark and returns it. It returns nil if no such request reached the
// function.
func (v *visits) marked(ctx context.Context, mark string) *visit {
	v.mu.Lock()
	i := slices.IndexFunc(v.latest, func(seen *visit) bool { return seen.mark == mark })
	var found *visit
	if i >= 0 {
		found = v.latest[i]
	}
	v.mu.Unlock()
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

// A witness is a log handler that records the log line of each visit, also below the level of the log.
type witness struct{ slog.Handler }

func (h witness) Enabled(ctx context.Context, level slog.Level) bool {
	return ctx.Value(visitKey{}) != nil || h.Handler.Enabled(ctx, level)
}

func (h witness) Handle(ctx context.Context, r slog.Record) error {
	if this, ok := ctx.Value(visitKey{}).(*visit); ok && r.Message == requestMessage {
		attrs := attrsOf(r)
		this.Status, this.Cache = int(attrs["status"].Int64()), text(attrs, "cache")
		this.Ms, this.UpstreamMs = milliseconds(attrs, "ms"), milliseconds(attrs, "upstream_ms")
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}
