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

	demo    []demoItem
	keptFor func(key string) (local, cache time.Duration) // how long copies may be used
}

// embedded is the function in front of an embedded API.
func embedded(ctx context.Context, o options, v *variables, stderr io.Writer) (*playground, error) {
	account, err := voximplanttest.NewServiceAccount(demoAccount)
	if err != nil {
		return nil, err
	}
	s := &embeddedAPI{Server: voximplanttest.Server{AccountID: demoAccount, ApplicationID: demoApplication}}
	s.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	s.putDemoItems()
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
	v.values["VOXIMPLANT_API_URL"] = "http://" + listener.Addr().String() + "/platform_api"
	f, settings, err := build(ctx, o, v, key, stderr)
	if err != nil {
		return nil, err
	}
	p := newPlayground(f, settings, s, o)
	p.lambda = &lambdaAPI{o.functionName, f.Gateway()}
	p.examples(v.values["ALLOWED_KEYS"])
	s.keptFor = p.keptFor
	s.putExample(p.read)
	go s.renewDemo(ctx)
	s.setFault(o.fault) // not before: the function would wait for it at its start
	return p, nil
}

// prepareEmbedded sets the variables for an embedded API, but for its URL.
func prepareEmbedded(v *variables, o options) {
	const demo = "the demo"
	v.drop("without -credentials the storage is the embedded one", "VOXIMPLANT_SECRET_ID", "VOXIMPLANT_APPLICATION_ID", "VOXIMPLANT_APPLICATION_NAME", "VOXIMPLANT_API_URL")
	v.flag("ALLOWED_KEYS", o.allowedKeys, "-allowed-keys")
	v.offer("ALLOWED_KEYS", demoKeys, demo)
	v.offer("LOG_KEYS", "true", demo)
	v.offer("RAW_VALUES", "true", demo)
	v.values["VOXIMPLANT_SECRET_ID"], v.values["VOXIMPLANT_APPLICATION_ID"] = "embedded", fmt.Sprint(demoApplication) // of no interest to anybody
}
