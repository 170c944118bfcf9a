// Package freshness holds what docs/freshness.md claims to a model of caches: it takes the headers from the real handler,
// and walks every way that a response can take through them.
package freshness

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"

	"voxkv/handler"
	"voxkv/internal/requestlog"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// A law is what the function lets caches do, by its settings.
type law struct {
	ceiling  int // CACHE_MAX_AGE, in seconds
	notFound int // NOT_FOUND_MAX_AGE, in seconds
	private  bool
}

const tick = time.Second / second

// item asks the handler for an item that was read age ticks ago and has left
// ticks to live, and returns the header.
func (l law) item(t *testing.T, left, age int) http.Header {
	t.Helper()
	now := time.Unix(end/second, 0).Add(-time.Duration(left) * tick)
	return l.ask(t, http.StatusOK, lookup.Answer{
		Item: &voximplant.KeyValueItem{Key: "k", Value: "v", ExpiresAt: time.Unix(end/second, 0)},
		At:   now, Age: time.Duration(age) * tick, Left: time.Duration(left) * tick,
	}, nil)
}

// absence is item for a key without one.
func (l law) absence(t *testing.T, age int) http.Header {
	t.Helper()
	return l.ask(t, http.StatusNotFound, lookup.Answer{At: time.Unix(end/second, 0), Age: time.Duration(age) * tick}, voximplant.ErrNotFound)
}

func (l law) ask(t *testing.T, status int, answer lookup.Answer, err error) http.Header {
	t.Helper()
	h := &handler.Handler{
		Lookup:         func(context.Context, string) (lookup.Answer, error) { return answer, err },
		MaxAge:         time.Duration(l.ceiling) * time.Second,
		NotFoundMaxAge: time.Duration(l.notFound) * time.Second,
		Private:        l.private,
		Origins:        []string{"*"},
		Log:            &requestlog.Log{Logger: slog.New(slog.DiscardHandler)},
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/items/k", nil))
	if w.Code != status {
		t.Fatalf("GET = %d; want %d", w.Code, status)
	}
	header := http.Header{}
	for name, values := range w.Header() {
		header.Set(name, values[0]) // the handler spells ETag as RFC 9110 does
	}
	return header
}

// read returns the lives that a header allows.
func read(t *testing.T, header http.Header) lives {
	t.Helper()
	control, err := cacheobject.ParseResponseCacheControl(header.Get("Cache-Control"))
	if err != nil {
		t.Fatalf("Cache-Control = %q: %v", header.Get("Cache-Control"), err)
	}
	var l lives
	if control.NoStore {
		return l
	}
	l.own = max(int(control.MaxAge), 0)
	if l.shared = int(control.SMaxAge); l.shared < 0 {
		l.shared = l.own
	}
	if control.PrivatePresent {
		l.shared = 0
	}
	return l
}

// lives returns, by the ticks that an item has left, what its answer allows. The
// longest of these lives is beyond all that the item's end changes.
func (l law) lives(t *testing.T) []lives {
	t.Helper()
	all := make([]lives, (2*l.ceiling+10)*second)
	for left := range all {
		if left > 0 {
			all[left] = read(t, l.item(t, left, 0))
		}
	}
	return all
}
