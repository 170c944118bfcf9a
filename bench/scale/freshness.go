package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"

	"voxkv/handler"
	"voxkv/internal/requestlog"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// freshness returns how long, in seconds, browsers and shared caches may keep
// what the function really sends for an item with so long to live, read so long
// ago; 0 is not at all.
func freshness(maxAge time.Duration) func(left, age time.Duration) (browser, shared float64) {
	var answer lookup.Answer
	h := &handler.Handler{
		Lookup:  func(context.Context, string) (lookup.Answer, error) { return answer, nil },
		MaxAge:  maxAge,
		Origins: []string{"*"},
		Log:     &requestlog.Log{Logger: slog.New(slog.DiscardHandler)},
	}
	return func(left, age time.Duration) (browser, shared float64) {
		now := time.Now()
		answer = lookup.Answer{At: now, Age: age, Left: left, Item: &voximplant.KeyValueItem{Key: "k", Value: "v", ExpiresAt: now.Add(left)}}
		return sent(h, "k")
	}
}

// sent asks h for key, and reads the header as a browser and as a shared cache does.
func sent(h http.Handler, key string) (browser, shared float64) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/items/"+key, nil))
	control, err := cacheobject.ParseResponseCacheControl(w.Header().Get("Cache-Control"))
	if err != nil || w.Code != http.StatusOK {
		panic(fmt.Sprintf("GET %s: %d %v, %v", key, w.Code, w.Header(), err))
	}
	return float64(max(control.MaxAge, 0)), float64(max(control.SMaxAge, 0)) // -1 where there is none
}
