package voximplant_test

import (
	"context"
	"net/http"
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

// An api is the in-memory Management API with a client of it.
type api struct {
	*voximplanttest.Server
	client *voximplant.Client
	key    *voximplanttest.ServiceAccount // what the secret holds
}

// newAPI is for a bubble.
func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{key: oldAccount()}
	a.Server = &voximplanttest.Server{AccountID: 1234567, ApplicationID: 42, ApplicationName: "app"}
	a.AddKey(oldAccount().KeyID, &oldAccount().PrivateKey.PublicKey)
	a.client = clientOf(t, a.Server)
	a.client.Tokens = &auth.TokenSource{Key: func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey(a.key.Credentials())
	}}
	return a
}

// TestItemOfTheAPI takes an item through its life.
func TestItemOfTheAPI(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, ctx context.Context) {
		a := newAPI(t)
		for _, step := range []struct {
			call call
			want string
		}{
			{ask, "not found"},
			{del(key), "deleted"}, // as the stand-in guesses
			{items("test", voximplant.Page{}), ""},
			{items("test:", voximplant.Page{}), ""},
			{set(key, "v", lasts(time.Minute)), `"v" until 946684860`},
			{ask, `"v" until 946684860`},
			{set(key, "w", until(946684890)), `"w" until 946684890`},
			{items("test:", voximplant.Page{}), `test:1234 "w" until 946684890`},
			{keys("", voximplant.Page{}), `test:1234 "" until 946684890`},
			{keys("order:", voximplant.Page{}), ""},
			{in(0, "app", ask), `"w" until 946684890`},
			{in(0, "another", ask), "configuration 107 200"},
			{in(43, "", ask), "configuration 116 200"},
			{in(43, "", set(key, "v", lasts(0))), "configuration 116 200"},
			{in(43, "", del(key)), "configuration 116 200"},
			{in(43, "", items("a", voximplant.Page{})), "configuration 116 200"},
			{in(43, "", keys("", voximplant.Page{})), "configuration 116 200"},
			{in(42, "", del(key)), "deleted"},
			{ask, "not found"},
			{set(key, "v", lasts(0)), `"v" until 946684800`},
			{ask, "not found"},
		} {
			if got := step.call(t, ctx, a.client); got != step.want {
				t.Errorf("%+v: %s; want %s", a.Items(), got, step.want)
			}
		}
	})
}

func TestRevokedKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.Put(key, "v", time.Unix(1_795_430_000, 0))
		check := func(want string, calls int) {
			t.Helper()
			before := a.Calls("GetKeyValueItem")
			got := ask(t, t.Context(), a.client)
			if n := a.Calls("GetKeyValueItem") - before; got != want || n != calls {
				t.Errorf("GetKeyValueItem = %s after %d calls; want %s after %d", got, n, want, calls)
			}
		}
		check(found, 1)
		a.RemoveKey(oldAccount().KeyID)
		check("credentials 433 200", 2)
		check("credentials 0 0", 0) // no storm
		time.Sleep(5 * time.Second)
		check("credentials 433 200", 1) // one new token, and no second try
		a.AddKey(newerAccount().KeyID, &newerAccount().PrivateKey.PublicKey)
		a.key = newerAccount()
		time.Sleep(5 * time.Second)
		check(found, 1)
		time.Sleep(time.Hour) // the token has expired meanwhile
		check(found, 1)
	})
}

// TestForbiddenCalls: a firewall may answer 403 to one call, whatever its token is.
// That must neither end other calls nor cause many new tokens.
func TestForbiddenCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := &network{answers: []answer{func(r *http.Request) (*http.Response, error) {
			if r.PostFormValue("key") == "bad" {
				return says(403, "<html>")(r)
			}
			return says(200, item)(r)
		}}}
		replaced := 0
		c := api.client(func(refused string) (string, error) {
			if refused != "" {
				replaced++
			}
			return bearer, nil
		})
		check := func(when string, calls int) {
			t.Helper()
			before := len(api.requests)
			replaced = 0
			_, err := c.GetKeyValueItem(t.Context(), "bad")
			if got := failure(t, err); got != "credentials 0 403" || len(api.requests)-before != calls || replaced != calls-1 {
				t.Errorf("%s: %s after %d calls with %d new tokens; want credentials 0 403 after %d, each with another token",
					when, got, len(api.requests)-before, replaced, calls)
			}
			if got := ask(t, t.Context(), c); got != found {
				t.Errorf("%s: another item = %s; want %s", when, got, found)
			}
		}
		check("at first", 2)
		for range 4 {
			time.Sleep(time.Second - time.Millisecond)
			check("at once again", 1)
		}
		time.Sleep(time.Second + 4*time.Millisecond) // and so 5 s in all
		check("after a while", 2)
		check("at once again", 1)
	})
}

func TestCallersSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.Put(key, "v", time.Unix(1_795_430_000, 0))
		for range 20 {
			go func() {
				if got := ask(t, t.Context(), a.client); got != found {
					t.Errorf("GetKeyValueItem = %s; want %s", got, found)
				}
			}()
		}
		synctest.Wait()
	})
}
