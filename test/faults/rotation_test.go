//go:build linux

package faults

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"voxkv/auth"
	"voxkv/internal/e2etest"
	"voxkv/internal/function"
	"voxkv/voximplant"
)

// bare keeps copies from standing in for what upstream does not give.
var bare = []string{"LOCAL_MAX_AGE=0s", "STALE_MAX_AGE=0s"}

// concurrent is bare with as many requests at once as there are callers.
var concurrent = append([]string{fmt.Sprint("AWS_LAMBDA_MAX_CONCURRENCY=", callers)}, bare...)

const callers = 8

// requests lets n callers ask for items, one after the other each, until the
// test ends or stop is called, and returns their answers.
func (s *sandbox) requests(t *testing.T, n int) (answers <-chan answer, stop func()) {
	t.Helper()
	all, end := make(chan answer), make(chan bool)
	var running sync.WaitGroup
	for caller := range n {
		running.Go(func() {
			for i := caller; ; i++ {
				a := s.get(t, fmt.Sprint("order:", 1+i%9), 10*time.Second)
				select {
				case all <- a:
				case <-end:
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		close(end)
		running.Wait()
	})
	t.Cleanup(stop)
	return all, stop
}

// keyIDs returns the ids of the keys that signed the tokens of all calls from now on.
func (s *sandbox) keyIDs() func() []string {
	var mu sync.Mutex // guards ids
	var ids []string
	s.Voximplant.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		token, _, err := jwt.NewParser().ParseUnverified(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), jwt.MapClaims{})
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			ids = append(ids, fmt.Sprint(token.Header["kid"]))
		}
		return false
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(ids)
	}
}

// TestRotation: the key changes under way as Secrets Manager's rotation does
// it, and nobody notices.
func TestRotation(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, *sandbox) int{
		"one after the other": func(t *testing.T, s *sandbox) int { s.start(t, bootstrap, bare...); return 1 },
		"at once":             func(t *testing.T, s *sandbox) int { s.start(t, bootstrap, concurrent...); return callers },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t)
			n := start(t, s)
			s.checkRotation(t, n)
		})
	}
}

func (s *sandbox) checkRotation(t *testing.T, n int) {
	t.Helper()
	used := s.keyIDs()
	answers, stop := s.requests(t, n)
	expect := func(when string, reads int) {
		for range 10 * n {
			(<-answers).want(t, when, 200)
		}
		if got := s.Secrets.Calls(); got != reads {
			t.Errorf("%s: the secret was read %d times; want %d", when, got, reads)
		}
	}
	expect("at first", 1)
	version := s.Secrets.PutPending(e2etest.SecretID, string(accounts[1].Credentials()))
	expect("with a pending version", 1)
	s.Voximplant.AddKey(accounts[1].KeyID, &accounts[1].PrivateKey.PublicKey)
	s.Secrets.Promote(e2etest.SecretID, version)
	expect("with a new version, while both keys are good", 1)
	if ids := used(); slices.Contains(ids, accounts[1].KeyID) {
		t.Error("a key was used before there was a need")
	}
	s.Voximplant.RemoveKey(accounts[0].KeyID)
	expect("once the old key is refused", 2)
	stop()
	if ids := used(); ids[len(ids)-1] != accounts[1].KeyID {
		t.Error("the new key is not in use")
	}
	if stages := s.Secrets.Stages(); slices.ContainsFunc(stages, func(stage string) bool { return stage != "AWSCURRENT" }) {
		t.Errorf("stages asked for: %q; want AWSCURRENT alone", stages)
	}
}

// TestRevokedKey: a key that is really gone makes a clear problem and no
// storm, and a good one that is stored later comes into use without a restart.
func TestRevokedKey(t *testing.T) {
	t.Parallel()
	const pause = 5 * time.Second
	s := newSandbox(t, concurrent...)
	s.get(t, "order:1", 10*time.Second).want(t, "before", 200)
	nextSecond()
	before, revoked := s.counts(), time.Now()
	s.Voximplant.RemoveKey(accounts[0].KeyID)
	answers, stop := s.requests(t, callers)
	for range 500 {
		(<-answers).want(t, "with a revoked key", 502)
	}
	after := s.counts()
	// A pause may have begun just before, and one may have just ended.
	rounds := 1 + int(time.Since(revoked)/pause) + 1
	if reads := after.reads - before.reads; reads < 1 || reads > rounds {
		t.Errorf("in %v the secret was read %d times", time.Since(revoked), reads)
	}
	// The callers whose calls were under way when the key went may be refused too.
	if calls := after.calls - before.calls; calls > callers+2*callers*rounds {
		t.Errorf("in %v Voximplant was called %d times", time.Since(revoked), calls)
	}
	s.rotate()
	stored := time.Now()
	for a := range answers {
		if a.StatusCode == 200 {
			break
		}
		if time.Since(stored) > time.Minute {
			t.Fatal("a minute after a good key was stored it is not in use")
		}
		nextSecond()
	}
	stop()
}

// TestRenewal: what the stand-ins can only show in a quarter of an hour. While
// there is a key, nothing that Secrets Manager does keeps a token from being
// renewed, and once it is well again a rotated key comes into use unasked.
func TestRenewal(t *testing.T) {
	t.Parallel()
	for _, faults := range [][]fault{throttled, denied, nonsense, lost, mutes, malformed(), wrongKeys()} {
		for _, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				d.get(t, accounts[0].KeyID)
				f.do(t, d.sandbox)
				for range 2 {
					d.now = d.now.Add(9 * time.Hour) // as after a freeze
					d.get(t, accounts[0].KeyID)
				}
				d.mend(t)
				d.Voximplant.AddKey(accounts[1].KeyID, &accounts[1].PrivateKey.PublicKey)
				d.store(accounts[1])
				d.get(t, accounts[0].KeyID)
				d.now = d.now.Add(15 * time.Minute)
				d.get(t, accounts[1].KeyID)
				checkInside(t, "the log", d.log.String(), upstreamWords)
			})
		}
	}
}

// A desk is what the function is made of, with a clock that can be moved. The
// stand-in for Voximplant goes by the same clock: it refuses tokens that have
// expired.
type desk struct {
	*sandbox
	client *voximplant.Client
	now    time.Time
	log    strings.Builder
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{sandbox: newWorld(t), now: time.Now()}
	d.Voximplant.Now = func() time.Time { return d.now }
	d.Voximplant.Put("order:1", itemValue, time.Time{})
	secrets, err := function.SecretsManager(map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "stand-in",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://" + d.secrets.addr(),
	})
	if err != nil {
		t.Fatal(err)
	}
	secret := &auth.Secret{ID: e2etest.SecretID, GetSecretValue: secrets.GetSecretValue}
	d.client = &voximplant.Client{
		Tokens: &auth.TokenSource{
			Key: secret.Key,
			Log: slog.New(slog.NewJSONHandler(&d.log, nil)),
			Now: func() time.Time { return d.now },
		},
		ApplicationID: e2etest.ApplicationID,
		BaseURL:       d.APIURL(),
		Transport:     d.Client().Transport,
	}
	return d
}

// get expects an item at the first try, with a token of keyID.
func (d *desk) get(t *testing.T, keyID string) {
	t.Helper()
	used := d.keyIDs()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := d.client.GetKeyValueItem(ctx, "order:1"); err != nil {
		t.Errorf("GetKeyValueItem: %v", err)
	}
	if ids := used(); !slices.Equal(ids, []string{keyID}) {
		t.Errorf("tokens of %q; want one of %s", ids, keyID)
	}
}
