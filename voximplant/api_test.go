package voximplant_test

import (
	"context"
	"errors"
	"fmt"
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
	a.now = time.Unix(1_795_430_000, 0) // also as after a freeze: the token has expired
	a.check(t, "not found", 1)
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

// TestRotation: the API refuses the old key by a code, or by no more than a status.
func TestRotation(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 401, 403} {
		a := newAPI(t)
		a.Put(key, "v", time.Unix(1_795_430_000, 0))
		a.check(t, found, 1)
		old, _ := a.client.Tokens.Token(t.Context())
		a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			refused := status != 200 && r.Header.Get("Authorization") == "Bearer "+old
			if refused {
				w.WriteHeader(status)
			}
			return refused
		})
		a.RemoveKey(oldAccount().KeyID)
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

// newStorage is newAPI with the clock of the callers: expires_at is checked by it.
func newStorage(t *testing.T) *api {
	t.Helper()
	a := newAPI(t)
	a.now = time.Now().Truncate(time.Second)
	return a
}

// TestStorageOfTheAPI takes an item through its life.
func TestStorageOfTheAPI(t *testing.T) {
	t.Parallel()
	a := newStorage(t)
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %s; want %s", what, got, want)
		}
	}
	in := func(d time.Duration) int64 { return a.now.Add(d).Unix() }
	c, ctx := a.client, t.Context()
	check("deletion of nothing", del(key)(t, ctx, c), "deleted") // as the stand-in guesses
	check("list of nothing", items("test", voximplant.Page{})(t, ctx, c), "")
	check("list of nothing under a namespace", items("test:", voximplant.Page{})(t, ctx, c), "")
	stored := set(key, "v", lasts(time.Hour))(t, ctx, c)
	check("set", stored, fmt.Sprintf(`"v" until %d`, in(time.Hour))) // the clock goes on with the next call
	check("get", ask(t, ctx, c), stored)
	end := a.now.Add(time.Minute)
	check("set again", set(key, "w", voximplant.Lifetime{ExpiresAt: end})(t, ctx, c), fmt.Sprintf(`"w" until %d`, end.Unix()))
	check("items", items("test:", voximplant.Page{})(t, ctx, c), fmt.Sprintf(`test:1234 "w" until %d`, end.Unix()))
	check("keys", keys("", voximplant.Page{})(t, ctx, c), fmt.Sprintf(`test:1234 "" until %d`, end.Unix()))
	check("keys of another prefix", keys("order:", voximplant.Page{})(t, ctx, c), "")
	check("delete", del(key)(t, ctx, c), "deleted")
	check("get of what is deleted", ask(t, ctx, c), "not found")
	check("set for no time", set(key, "v", lasts(0))(t, ctx, c), fmt.Sprintf(`"v" until %d`, in(0)))
	check("get of what lasts no time", ask(t, ctx, c), "not found")
	c.ApplicationID = 43
	for name, call := range map[string]call{"set": set(key, "v", lasts(0)), "delete": del(key), "items": items("a", voximplant.Page{}), "keys": keys("", voximplant.Page{})} {
		check(name+" in another application", call(t, ctx, c), "configuration 116 200")
	}
}

// TestValuesOfTheAPI: what may be stored comes back, byte for byte.
func TestValuesOfTheAPI(t *testing.T) {
	t.Parallel()
	a := newStorage(t)
	for key, value := range map[string]string{
		"latin":                   strings.Repeat("z", 2000),
		"cyrillic":                strings.Repeat("я", 2000),
		"emoji":                   strings.Repeat("😀", 2000),
		"empty":                   "",
		"azAZ09аяАЯёЁ_-:;.#+":     "a\x00b\r\n\u2028\"\\ й и\u0306 😀 %2B+&=;",
		strings.Repeat("ё", 200):  `{"a":[1,2]}`,
		"one":                     "\ufffd",
		".":                       " ",
		"+15550001111":            "v",
		"application_id:43;b+c#d": "&key=other",
	} {
		stored, err := a.client.SetKeyValueItem(t.Context(), key, value, lasts(90*24*time.Hour))
		if err != nil {
			t.Errorf("SetKeyValueItem(%q) = %v; want an item", key, err)
			continue
		}
		got, err := a.client.GetKeyValueItem(t.Context(), key)
		if err != nil || got.Key != key || got.Value != value || stored.Value != value || !got.ExpiresAt.Equal(stored.ExpiresAt) {
			t.Errorf("GetKeyValueItem(%q) = %+v, %v; want %+v", key, got, err, stored)
		}
		list, _, err := a.client.GetKeyValueItems(t.Context(), key, voximplant.Page{})
		if err != nil || len(list) != 1 || list[0].Value != value || list[0].Key != key {
			t.Errorf("GetKeyValueItems(%q) = %+v, %v; want the item", key, list, err)
		}
		if err := a.client.DelKeyValueItem(t.Context(), key); err != nil {
			t.Errorf("DelKeyValueItem(%q) = %v; want no error", key, err)
		}
	}
	if left := a.Items(); len(left) != 0 {
		t.Errorf("%d items left; want none", len(left))
	}
}
