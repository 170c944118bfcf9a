package main

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"voxkv/test/tools"
)

// TestStorage writes, reads and deletes. LOCAL_MAX_AGE=0s shows each change at once.
func TestStorage(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{"LOCAL_MAX_AGE": "0s"})
	for query, life := range map[string]time.Duration{
		"?ttl=1h":    time.Hour,
		"?ttl=2160h": 90 * 24 * time.Hour,
		"?ttl=":      30 * 24 * time.Hour,
		"":           30 * 24 * time.Hour,
	} {
		before := time.Now()
		check(t, "PUT", root+"/storage/order:2000"+query, "on its way"+query, 204, "")
		after := time.Now()
		res, body := tools.Do(t, "GET", root+"/v1/items/order:2000", "")
		var item struct {
			Value     string `json:"value"`
			ExpiresAt int64  `json:"expires_at"`
		}
		if err := json.Unmarshal([]byte(body), &item); err != nil || res.StatusCode != 200 || item.Value != "on its way"+query {
			t.Errorf("GET after PUT %s = %d %s; want what was put", query, res.StatusCode, body)
		}
		if least, most := before.Add(life).Unix(), after.Add(life).Unix(); item.ExpiresAt < least || item.ExpiresAt > most {
			t.Errorf("GET after PUT %s: expires at %d; want %d to %d, %v after the PUT", query, item.ExpiresAt, least, most, life)
		}
	}
	check(t, "DELETE", root+"/storage/order:2000", "", 204, "")
	check(t, "GET", root+"/v1/items/order:2000", "", 404, "not_found")
	check(t, "DELETE", root+"/storage/order:2000", "", 204, "")

	check(t, "PUT", root+"/storage/order:2000?ttl=0s", "v", 204, "")
	check(t, "GET", root+"/v1/items/order:2000", "", 404, "not_found")

	longest := strings.Repeat("\U0001f4de", 2000)
	check(t, "PUT", root+"/storage/order:2000", longest, 204, "")
	check(t, "GET", root+"/v1/items/order:2000", "", 200, longest)
}

// TestStorageRefuses is without a network: a client that still sends when it is refused may lose the answer.
func TestStorageRefuses(t *testing.T) {
	t.Parallel()
	const badTTL = "ttl must be a duration from 0s to 2160h, such as 90s"
	tests := []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"PUT", "order:1?ttl=90", "v", 400, badTTL},
		{"PUT", "order:1?ttl=-1s", "v", 400, badTTL},
		{"PUT", "order:1?ttl=2160h1s", "v", 400, badTTL},
		{"PUT", "", "v", 400, "the key is empty"},
		{"PUT", "a%20b", "v", 400, "the key has a character outside"},
		{"DELETE", "a/b", "", 400, "the key has a character outside"},
		{"PUT", strings.Repeat("a", 201), "v", 400, "more than 200 characters"},
		{"PUT", "order:1", strings.Repeat("v", 2001), 413, "at most 2000 characters"},
		{"GET", "order:1", "", 405, "only PUT and DELETE"},
		{"POST", "order:1", "v", 405, "only PUT and DELETE"},
	}
	s := &embeddedAPI{}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		s.serveStorage(w, httptest.NewRequestWithContext(t.Context(), tt.method, "/storage/"+tt.path, strings.NewReader(tt.body)))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.text) || (w.Header().Get("Allow") == "PUT, DELETE") != (tt.status == 405) {
			t.Errorf("%s %.60s = %d %v %s; want %d and %q", tt.method, tt.path, w.Code, w.Header(), w.Body, tt.status, tt.text)
		}
	}
	w, huge := httptest.NewRecorder(), strings.NewReader(strings.Repeat("v", 1<<20))
	s.serveStorage(w, httptest.NewRequestWithContext(t.Context(), "PUT", "/storage/order:1", huge))
	if w.Code != 413 || huge.Len() == 0 {
		t.Errorf("PUT of a mebibyte = %d %s, and %d bytes are not read; want 413, and the most not read", w.Code, w.Body, huge.Len())
	}
	if items := s.Items(); len(items) != 0 {
		t.Errorf("stored is %v; want nothing", items)
	}
}

// TestStorageList: the list has what is stored, and how long copies of it may be used, which is what the rule for the key
// says whoever asks.
func TestStorageList(t *testing.T) {
	t.Parallel()
	root, _ := start(t, nil, "-allowed-keys", "order:*, status:{sub} max-age=3s, long max-age=2h")
	check(t, "DELETE", root+"/storage/feature:dark-mode", "", 204, "")
	type item struct {
		Key, Value string
		ExpiresAt  int64 `json:"expires_at"`
		LocalMs    int64 `json:"local_ms"`
		CacheMs    int64 `json:"cache_ms"`
	}
	now := time.Now().Unix()
	for _, want := range []item{
		{"order:2000", `<"&>`, now, 10_000, 60_000},
		{"status:1", "v", now, 1500, 3000},
		{"long", "v", now, 10_000, 7_200_000},
		{"secret:token", "v", now, 0, 0},
	} {
		check(t, "PUT", root+"/storage/"+want.Key+"?ttl=1h", want.Value, 204, "")
		_, body := tools.Do(t, "GET", root+"/storage/", "")
		var list []item
		if err := json.Unmarshal([]byte(body), &list); err != nil || strings.Contains(body, "dark-mode") {
			t.Errorf("the list is %s, %v; want JSON without the deleted item", body, err)
		}
		i := slices.IndexFunc(list, func(one item) bool { return one.Key == want.Key })
		if i < 0 || list[i].ExpiresAt < now+3600 {
			t.Fatalf("the list is %s; want %s in it, which ends in an hour", body, want.Key)
		}
		if list[i].ExpiresAt = now; list[i] != want {
			t.Errorf("listed is %v; want %v", list[i], want)
		}
	}
}
