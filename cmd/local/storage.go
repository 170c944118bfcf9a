package main

import (
	"io"
	"net/http"
	"strings"
	"time"

	"voxkv/voximplant"
)

const (
	storagePath = "/storage/"
	defaultTTL  = 30 * 24 * time.Hour // the Management API's own
	maxTTL      = 90 * 24 * time.Hour
)

// serveStorage lists the items at /storage/ and changes the one at /storage/{key}.
func (s *embeddedAPI) serveStorage(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, storagePath)
	if key == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		s.listItems(w)
		return
	}
	if err := voximplant.CheckKey(key); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch r.Method {
	case http.MethodPut:
		s.putItem(w, r, key)
	case http.MethodDelete:
		s.Delete(key)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "PUT, DELETE")
		http.Error(w, "only PUT and DELETE", http.StatusMethodNotAllowed)
	}
}

func (s *embeddedAPI) listItems(w http.ResponseWriter) {
	type item struct {
		Key       string `json:"key"`
		Value     string `json:"value"`
		ExpiresAt int64  `json:"expires_at"`
		LocalMs   int64  `json:"local_ms"` // for how long the function may use a copy
		CacheMs   int64  `json:"cache_ms"` // and a cache
	}
	items := []item{}
	for _, i := range s.Items() {
		local, cache := s.keptFor(i.Key)
		items = append(items, item{i.Key, i.Value, i.ExpiresAt.Unix(), local.Milliseconds(), cache.Milliseconds()})
	}
	writeJSON(w, items)
}

// putItem stores the body under key for the duration ?ttl=.
func (s *embeddedAPI) putItem(w http.ResponseWriter, r *http.Request, key string) {
	ttl := defaultTTL
	if text := r.URL.Query().Get("ttl"); text != "" {
		var err error
		if ttl, err = time.ParseDuration(text); err != nil || ttl < 0 || ttl > maxTTL {
			http.Error(w, "ttl must be a duration from 0s to 2160h, such as 90s", http.StatusBadRequest)
			return
		}
	}
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8000))
	if err != nil || len([]rune(string(value))) > 2000 {
		http.Error(w, "a value has at most 2000 characters", http.StatusRequestEntityTooLarge)
		return
	}
	s.Put(key, string(value), time.Now().Add(ttl).Truncate(time.Second))
	w.WriteHeader(http.StatusNoContent)
}
