package voximplant_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/auth"
	"voxkv/internal/voximplanttest"
	"voxkv/voximplant"
)

// Two service accounts of one Voximplant account: before and after a rotation.
var (
	oldAccount   = sync.OnceValue(newAccount)
	newerAccount = sync.OnceValue(newAccount)
)

func newAccount() *voximplanttest.ServiceAccount {
	account, err := voximplanttest.NewServiceAccount(1234567)
	if err != nil {
		panic(err)
	}
	return account
}

// An api is the in-memory Management API with a client of it. Its clock goes
// on by a second for each token asked for, and so no two tokens are the same.
type api struct {
	*voximplanttest.Server
	client *voximplant.Client
	now    time.Time
	key    *voximplanttest.ServiceAccount // what the secret holds
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{now: time.Unix(1_795_000_000, 0), key: oldAccount()}
	a.Server = &voximplanttest.Server{AccountID: 1234567, ApplicationID: 42, ApplicationName: "app", Now: func() time.Time { return a.now }}
	a.AddKey(oldAccount().KeyID, &oldAccount().PrivateKey.PublicKey)
	server := httptest.NewServer(a.Server)
	t.Cleanup(server.Close)
	a.client = clientOf(t, server)
	a.client.Tokens = &auth.TokenSource{
		Key: func(context.Context) (*auth.ServiceAccountKey, error) {
			return auth.ParseServiceAccountKey(a.key.Credentials())
		},
		Now: func() time.Time {
			a.now = a.now.Add(time.Second)
			return a.now
		},
	}
	return a
}

// check asks for the item and compares the outcome and how many calls it took.
func (a *api) check(t *testing.T, want string, calls int) {
	t.Helper()
	before := a.Calls("GetKeyValueItem")
	got := ask(t, t.Context(), a.client)
	if n := a.Calls("GetKeyValueItem") - before; got != want || n != calls {
		t.Errorf("GetKeyValueItem = %s after %d calls; want %s after %d", got, n, want, calls)
	}
}

func TestItemsOfTheAPI(t *testing.T) {
	t.Parallel()
	expires := time.Unix(1_795_430_000, 0)
	for key, value := range map[string]string{
		key:                             "v",
		"empty":                         "",
		"azAZ09аяАЯёЁ_-:;.#+":           "a\x00b\r\n\u2028\"\\ й и\u0306 😀",
		"+15550001111":                  `{"a":[1,2]}`,
		".":                             " ",
		strings.Repeat("я", 200):        strings.Repeat("я", 2000),
		"a+b":                           "plus",
		"a;b":                           "semicolon",
		"a#b":                           "hash",
		"application_id:43;b+c#d.e-f_g": "&key=other",
	} {
		a := newAPI(t)
		a.Put(key, value, expires)
		got, err := a.client.GetKeyValueItem(t.Context(), key)
		if err != nil {
			t.Errorf("GetKeyValueItem(%q) = %v; want an item", key, err)
			continue
		}
		want := voximplant.KeyValueItem{Key: key, Value: value, ExpiresAt: expires.UTC(), Date: a.now.UTC()}
		if *got != want {
			t.Errorf("GetKeyValueItem(%q) = %+v; want %+v", key, *got, want)
		}
	}
}

func TestAnswersOfTheAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.check(t, "not found", 1)
	a.Put(key, "v", time.Time{})
	a.check(t, `"v" until unknown`, 1)
	a.Put(key, "v", time.Unix(1_795_430_000, 0))
	a.check(t, found, 1)
	a.client.ApplicationID, a.client.ApplicationName = 0, "app"
	a.check(t, found, 1)
	a.client.ApplicationName = "another"
	a.check(t, "configuration 107 200", 1)
	a.client.ApplicationID = 43
	a.check(t, "configuration 116 200", 1)
	a.client.ApplicationID = 42
	a.now = time.Unix(1_795_430_000, 0)
	a.check(t, "not found", 1)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Put(key, "v", time.Unix(1_795_430_000, 0))
	a.check(t, found, 1)
	a.RemoveKey(oldAccount().KeyID)
	a.AddKey(newerAccount().KeyID, &newerAccount().PrivateKey.PublicKey)
	a.key = newerAccount()
	a.check(t, found, 2)
	a.check(t, found, 1)
}

func TestRevokedKey(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Put(key, "v", time.Unix(1_795_430_000, 0))
	a.check(t, found, 1)
	a.RemoveKey(oldAccount().KeyID)
	a.check(t, "credentials 433 200", 2)
	a.check(t, "credentials 0 0", 0) // no storm
	a.now = a.now.Add(5 * time.Second)
	a.check(t, "credentials 433 200", 1) // one new token, and no second try
	a.AddKey(newerAccount().KeyID, &newerAccount().PrivateKey.PublicKey)
	a.key = newerAccount()
	a.now = a.now.Add(5 * time.Second)
	a.check(t, found, 1)
}

// TestRotationByStatus: what a key that was replaced gets may be no more than a status.
func TestRotationByStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403} {
		a := newAPI(t)
		a.Put(key, "v", time.Unix(1_795_430_000, 0))
		a.check(t, found, 1)
		old := ""
		a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if old == "" {
				old = r.Header.Get("Authorization")
			}
			if r.Header.Get("Authorization") != old {
				return false
			}
			w.WriteHeader(status)
			return true
		})
		a.AddKey(newerAccount().KeyID, &newerAccount().PrivateKey.PublicKey)
		a.key = newerAccount()
		a.check(t, found, 2)
		a.check(t, found, 1)
	}
}

// TestForbiddenCalls: a 403 that has to do with the call, as of a firewall, and
// not with the token neither ends other calls nor makes a storm of new tokens.
func TestForbiddenCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		firewall := func(r *http.Request) (*http.Response, error) {
			if r.ParseForm(); r.Form.Get("key") == "bad" {
				return says(403, "<html>")(r)
			}
			return says(200, item)(r)
		}
		api := &network{answers: []answer{firewall}}
		source := &auth.TokenSource{Key: func(context.Context) (*auth.ServiceAccountKey, error) {
			return auth.ParseServiceAccountKey(oldAccount().Credentials())
		}}
		c := api.client(nil)
		c.Tokens = source
		check := func(when string, calls, reads int) {
			t.Helper()
			before := len(api.requests)
			_, err := c.GetKeyValueItem(ctx, "bad")
			if got := failure(t, err); got != "credentials 0 403" || len(api.requests)-before != calls {
				t.Errorf("%s: %s after %d calls; want credentials 0 403 after %d", when, got, len(api.requests)-before, calls)
			}
			if _, n := source.Counts(); n != int64(reads) {
				t.Errorf("%s: the key was read %d times; want %d", when, n, reads)
			}
			if got := ask(t, ctx, c); got != found {
				t.Errorf("%s: another item = %s; want %s", when, got, found)
			}
		}
		if got := ask(t, ctx, c); got != found {
			t.Errorf("GetKeyValueItem = %s; want %s", got, found)
		}
		source.Counts()
		time.Sleep(time.Second) // so that a new token is another one
		check("at first", 2, 1)
		for range 4 {
			time.Sleep(time.Second - time.Millisecond)
			check("at once again", 1, 0)
		}
		time.Sleep(time.Second + 4*time.Millisecond) // and so 5 s in all
		check("after a while", 2, 1)
		check("at once again", 1, 0)
	})
}

func TestClocksApart(t *testing.T) {
	t.Parallel()
	for behind, want := range map[time.Duration]string{
		-time.Hour:       "credentials 456 200",
		-time.Minute:     found,
		10 * time.Second: found,
		time.Minute:      "credentials 455 200",
	} {
		a := newAPI(t)
		a.Now = func() time.Time { return a.now.Add(-behind) }
		a.Put(key, "v", time.Unix(1_795_430_000, 0))
		if got := ask(t, t.Context(), a.client); got != want {
			t.Errorf("GetKeyValueItem from an API %v behind = %s; want %s", behind, got, want)
		}
	}
}

// A token that expired while the sandbox was frozen is replaced before it is sent.
func TestLongFreeze(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Put(key, "v", time.Unix(1_795_430_000, 0))
	a.check(t, found, 1)
	a.now = a.now.Add(24 * time.Hour)
	a.check(t, found, 1)
}

func TestSecretOutOfReach(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.client.Tokens = &auth.TokenSource{Key: auth.KeyFile("/nonexistent/key.json")}
	a.check(t, "configuration 0 0", 0)
	a.client.Tokens = &auth.TokenSource{Key: func(ctx context.Context) (*auth.ServiceAccountKey, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := a.client.GetKeyValueItem(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("GetKeyValueItem = %v; want context.DeadlineExceeded", err)
	}
}

func TestCallersSideBySide(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Now = func() time.Time { return time.Unix(1_795_000_000, 0) }
	a.Put(key, "v", time.Unix(1_795_430_000, 0))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := ask(t, t.Context(), a.client); got != found {
				t.Errorf("GetKeyValueItem = %s; want %s", got, found)
			}
		})
	}
	all.Wait()
}
