package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"voxkv/auth"
	"voxkv/internal/voximplanttest"
)

const (
	demoAccount     = 1
	demoApplication = 1
)

// demoKeys leaves secret:token out, so that one can see it not exist.
const demoKeys = "order:*,feature:*,promo:*,pool:*,a+b,a#b,a;b,ключЁё"

// An embeddedAPI is an in-memory Management API whose items can be changed over
// HTTP, and which can be made to fail.
type embeddedAPI struct {
	voximplanttest.Server

	mu      sync.Mutex // guards failing
	failing string     // the name of the fault
}

// embedded is the function in front of an embedded API.
func embedded(ctx context.Context, o options, environ map[string]string, stderr io.Writer) (*playground, error) {
	account, err := voximplanttest.NewServiceAccount(demoAccount)
	if err != nil {
		return nil, err
	}
	s := &embeddedAPI{Server: voximplanttest.Server{AccountID: demoAccount, ApplicationID: demoApplication}}
	s.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	putDemoItems(s, time.Now())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		if err := serve(ctx, listener, &s.Server, stderr); err != nil {
			fmt.Fprintln(stderr, "local: the embedded storage:", err)
		}
	}()
	key := func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey(account.Credentials())
	}
	environ = overlay(overlay(map[string]string{"ALLOWED_KEYS": demoKeys, "LOG_KEYS": "true"}, environ), map[string]string{
		"VOXIMPLANT_SECRET_ID":      "embedded",
		"VOXIMPLANT_APPLICATION_ID": fmt.Sprint(demoApplication),
		"VOXIMPLANT_API_URL":        "http://" + listener.Addr().String() + "/platform_api",
		"ALLOWED_KEYS":              o.allowedKeys,
	})
	delete(environ, "VOXIMPLANT_APPLICATION_NAME")
	f, err := build(ctx, o, environ, key, stderr)
	if err != nil {
		return nil, err
	}
	s.setFault(o.fault) // not before: the function would wait for it at its start
	p := newPlayground(f, s, nil)
	p.lambda = &lambdaAPI{o.functionName, f.Gateway()}
	return p, nil
}

func putDemoItems(s *embeddedAPI, now time.Time) {
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
		s.Put(item.key, item.value, now.Add(item.ttl))
	}
}
