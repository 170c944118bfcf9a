package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"voxkv/auth"
	"voxkv/internal/voximplanttest"
	"voxkv/voximplant"
)

const (
	demoAccount     = 1
	demoApplication = 1
	storagePath     = "/storage/"
	defaultTTL      = 30 * 24 * time.Hour // the Management API's own
	maxTTL          = 90 * 24 * time.Hour
)

// demoKeys leaves secret:token out, so that one can see it not exist.
const demoKeys = "order:*,feature:*,promo:*,pool:*,a+b,a#b,a;b,ключЁё"

// embedded is the function against a storage of its own, whose items can be
// changed at /storage/{key}.
func embedded(ctx context.Context, o options, environ map[string]string, stderr io.Writer) (http.Handler, error) {
	account, err := voximplanttest.NewServiceAccount(demoAccount)
	if err != nil {
		return nil, err
	}
	storage := &voximplanttest.Server{AccountID: demoAccount, ApplicationID: demoApplication}
	storage.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	putDemoItems(storage, time.Now())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		if err := serve(ctx, listener, storage); err != nil {
			fmt.Fprintln(stderr, "local: the embedded storage:", err)
		}
	}()
	key := func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey(account.Credentials())
	}
	environ = overlay(overlay(map[string]string{"ALLOWED_KEYS": demoKeys}, environ), map[string]string{
		"VOXIMPLANT_SECRET_ID":      "embedded",
		"VOXIMPLANT_APPLICATION_ID": fmt.Sprint(demoApplication),
		"VOXIMPLANT_API_URL":        "http://" + listener.Addr().String() + "/platform_api",
		"ALLOWED_KEYS":              o.allowedKeys,
	})
	delete(environ, "VOXIMPLANT_APPLICATION_NAME")
	f, err := build(ctx, environ, key, stderr)
	if err != nil {
		return nil, err
	}
	return withStorage(f, storage), nil
}

func putDemoItems(storage *voximplanttest.Server, now time.Time) {
	for _, item := range []struct {
		key, value string
		ttl        time.Duration
	}{
		{"order:1001", `{"courier":"+15550100","customer":"+15550199"}`, time.Hour},
		{"order:1002", "ringing", 30 * time.Second},
		{"feature:dark-mode", "on", maxTTL},
		{"promo:весна", "-15%", 5 * time.Minute},
		{"pool:moscow", "+74950000001;+74950000002", 2 * time.Minute},
		{"a+b", "plus", time.Hour},
		{"a#b", "hash", time.Hour},
		{"a;b", "semicolon", time.Hour},
		{"ключЁё", "Cyrillic", time.Hour},
		{"secret:token", "not for callers", time.Hour},
	} {
		storage.Put(item.key, item.value, now.Add(item.ttl))
	}
}

// withStorage serves the function, and the storage behind it for trying things out.
func withStorage(function http.Handler, storage *voximplanttest.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key, ok := strings.CutPrefix(r.URL.Path, storagePath); ok {
			changeStorage(w, r, storage, key)
			return
		}
		function.ServeHTTP(w, r)
	})
}

// changeStorage writes the body under key for ?ttl=, or deletes the item.
func changeStorage(w http.ResponseWriter, r *http.Request, storage *voximplanttest.Server, key string) {
	if err := voximplant.CheckKey(key); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch r.Method {
	case http.MethodPut:
		putItem(w, r, storage, key)
	case http.MethodDelete:
		storage.Delete(key)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "PUT, DELETE")
		http.Error(w, "only PUT and DELETE", http.StatusMethodNotAllowed)
	}
}

func putItem(w http.ResponseWriter, r *http.Request, storage *voximplanttest.Server, key string) {
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
	storage.Put(key, string(value), time.Now().Add(ttl).Truncate(time.Second))
	w.WriteHeader(http.StatusNoContent)
}

// printExamples prints command lines to paste.
func printExamples(w io.Writer, root string) {
	fmt.Fprintf(w, `
The storage behind it is embedded, with demo items and a key made just now. Try:

  an item             curl -i %[1]s/v1/items/order:1001
  the same, unchanged curl -i %[1]s/v1/items/feature:dark-mode -H "If-None-Match: $(curl -sI %[1]s/v1/items/feature:dark-mode | tr -d '\r' | sed -n 's/^ETag: //p')"
  a missing key       curl -i %[1]s/v1/items/order:missing
  one out of scope    curl -i %[1]s/v1/items/secret:token
  write an item       curl -i -X PUT '%[1]s/storage/order:2000?ttl=90s' -d 'on its way'
                      curl -i %[1]s/v1/items/order:2000
  delete it           curl -i -X DELETE %[1]s/storage/order:2000

Ctrl-C ends it.
`, root)
}
