package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"voxkv/auth"
	"voxkv/internal/secretsmanagertest"
	"voxkv/internal/voximplanttest"
)

const start = 1_800_000_000 // the Unix second at which every desk begins

var errKey = errors.New("key out of reach")

// A desk is a token source with everything it needs within reach of a test.
type desk struct {
	*auth.TokenSource
	now     time.Time
	account *voximplanttest.ServiceAccount // whose key Key gives
	err     error                          // what Key fails with
	reads   int                            // how often Key was asked
	log     strings.Builder
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{now: time.Unix(start, 0), account: oldAccount()}
	d.TokenSource = &auth.TokenSource{
		Key: func(context.Context) (*auth.ServiceAccountKey, error) {
			d.reads++
			if d.err != nil {
				return nil, d.err
			}
			return parsed(t, d.account), nil
		},
		Log: slog.New(slog.NewTextHandler(&d.log, nil)),
		Now: func() time.Time { return d.now },
	}
	return d
}

// ask calls Token, or Replace where refused is not "".
func (d *desk) ask(t *testing.T, refused string) (string, error) {
	t.Helper()
	if refused == "" {
		return d.Token(t.Context())
	}
	return d.Replace(t.Context(), refused)
}

// token returns a token that must be had.
func (d *desk) token(t *testing.T, refused string) string {
	t.Helper()
	token, err := d.ask(t, refused)
	if err != nil {
		t.Fatalf("Token = %v; want a token", err)
	}
	return token
}

// checkRefused expects the error that tells of a refused key.
func (d *desk) checkRefused(t *testing.T, refused string) {
	t.Helper()
	token, err := d.ask(t, refused)
	if token != "" {
		t.Fatalf("Token = a token; want an error of kind credentials")
	}
	checkError(t, err, "credentials", "refused")
}

func (d *desk) checkReads(t *testing.T, want int) {
	t.Helper()
	if d.reads != want {
		t.Errorf("Key was asked %d times; want %d", d.reads, want)
	}
}

func TestTokenClaims(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.now = d.now.Add(999 * time.Millisecond)
	parser := jwt.NewParser(jwt.WithJSONNumber(), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	token, err := parser.Parse(d.token(t, ""), func(*jwt.Token) (any, error) { return d.account.PrivateKey.Public(), nil })
	if err != nil {
		t.Fatalf("the token does not verify: %v", err)
	}
	if want := map[string]any{"alg": "RS256", "typ": "JWT", "kid": d.account.KeyID}; !maps.Equal(token.Header, want) {
		t.Errorf("header = %v; want %v", token.Header, want)
	}
	// The numbers must stand as they are: no string, no fraction, no exponent.
	want := jwt.MapClaims{"iss": json.Number(accountText), "iat": json.Number("1799999990"), "exp": json.Number("1800000900")}
	if got := token.Claims.(jwt.MapClaims); !maps.Equal(got, want) {
		t.Errorf("claims = %#v; want %#v", got, want)
	}
}

func TestTokenReuse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		after time.Duration
		reads int
	}{
		{"just over 60 seconds left", 840*time.Second - 1, 1},
		{"60 seconds left", 840 * time.Second, 2},
		{"after a long freeze", 9 * time.Hour, 2},
		{"clock set back", -time.Hour, 1},
	}
	for _, test := range tests {
		d := newDesk(t)
		first, want := d.token(t, ""), oldAccount().KeyID
		d.account = newerAccount() // by a rotation, which a new token takes up
		d.now = d.now.Add(test.after)
		second := d.token(t, "")
		if test.reads == 2 {
			want = newerAccount().KeyID
		}
		if (first == second) != (test.reads == 1) || keyID(t, second) != want {
			t.Errorf("%s: the second token is the first: %t, and of key %s; want one of %s", test.name, first == second, keyID(t, second), want)
		}
		d.checkReads(t, test.reads)
	}
}

func keyID(t *testing.T, token string) any {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Header["kid"]
}

func TestTokenRefusedTwice(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.token(t, "")
	d.now = d.now.Add(time.Minute)
	second := d.token(t, first)
	if second == first {
		t.Fatal("Replace = the refused token; want a new one")
	}
	for _, refused := range []string{"", first, "never heard of"} {
		if got := d.token(t, refused); got != second {
			t.Errorf("Token(refused %.15q) = another token; want the one signed last", refused)
		}
	}
	for _, wait := range []time.Duration{0, time.Second, 4*time.Second - 1} {
		d.now = d.now.Add(wait)
		d.checkRefused(t, second)
		d.checkRefused(t, first)
		d.checkRefused(t, "")
	}
	d.checkReads(t, 2)

	d.now = d.now.Add(1) // five seconds after the second token was made
	third := d.token(t, "")
	if third == second {
		t.Error("Token = the refused token; want a new one")
	}
	d.checkReads(t, 3)
	d.checkRefused(t, third)
	d.now = d.now.Add(5 * time.Second)
	d.account = newerAccount()
	if got := keyID(t, d.token(t, third)); got != newerAccount().KeyID {
		t.Errorf("kid = %s; want that of the rotated key, %s", got, newerAccount().KeyID)
	}
	d.checkReads(t, 4)
}

// TestRefusalWithAClockSetBack: the pause is never longer than it is.
func TestRefusalWithAClockSetBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.token(t, "")
	d.now = d.now.Add(time.Hour)
	d.checkRefused(t, d.token(t, first))
	d.now = d.now.Add(-time.Hour - time.Minute)
	if got := d.token(t, ""); got == first {
		t.Error("Token = the first token; want a new one")
	}
}

// The same key signs the same token all through a second, and yet there must be
// another one: a refusal may be of one request alone.
func TestTokenRefusedInTheSecondItWasSigned(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.token(t, "")
	d.now = d.now.Add(999 * time.Millisecond)
	second := d.token(t, first)
	if second == first {
		t.Error("Replace = the refused token; want another one")
	}
	d.checkReads(t, 2)
	d.checkRefused(t, second) // and so the key is to blame

	d = newDesk(t)
	first = d.token(t, "")
	d.account = newerAccount()
	if d.token(t, first) == first {
		t.Error("Token = the refused token; want one of the rotated key")
	}
}

func TestKeyFailing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.err = errKey
	for range 2 {
		if token, err := d.Token(t.Context()); token != "" || !errors.Is(err, errKey) {
			t.Errorf("Token = %q, %v; want the error of Key", token, err)
		}
	}
	d.err = nil
	d.token(t, "")
	d.token(t, "")
	for _, want := range [][2]int64{{1, 3}, {0, 0}} {
		if signed, read := d.Counts(); signed != want[0] || read != want[1] {
			t.Errorf("Counts = %d, %d; want %d, %d", signed, read, want[0], want[1])
		}
	}
}

// TestUnusableSecretIsNotReadForEachCall: what somebody must correct is read once
// in a cooldown, and the error stays the same meanwhile.
func TestUnusableSecretIsNotReadForEachCall(t *testing.T) {
	t.Parallel()
	denied := func(w http.ResponseWriter, _ *http.Request) bool {
		secretsmanagertest.WriteError(w, 400, "AccessDeniedException", "on purpose")
		return true
	}
	for cause, spoil := range map[string]func(*secretsmanagertest.Server){
		"key_id is missing":         func(s *secretsmanagertest.Server) { s.Put("voximplant", credentials("key_id", nil)) },
		"AccessDeniedException":     func(s *secretsmanagertest.Server) { s.Intercept(denied) },
		"ResourceNotFoundException": func(*secretsmanagertest.Server) {},
	} {
		fake, secret := serveSecrets(t)
		spoil(fake)
		d := newDesk(t)
		d.Key = secret.Key
		for range 2 { // cooldowns
			for range 100 {
				_, err := d.Token(t.Context())
				checkError(t, err, "configuration", cause)
				d.now = d.now.Add(49 * time.Millisecond)
			}
			d.now = d.now.Add(100 * time.Millisecond)
		}
		if got := fake.Calls(); got != 2 {
			t.Errorf("%s: in 10 s the secret was read %d times; want 2", cause, got)
		}
		fake.Intercept(nil)
		fake.Put("voximplant", string(oldAccount().Credentials()))
		d.token(t, "")
	}
}

// TestTokenWaitsNoLongerThanItsContext: one caller whose Key hangs holds no other.
func TestTokenWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		key, answer := d.Key, make(chan struct{})
		d.Key = func(ctx context.Context) (*auth.ServiceAccountKey, error) {
			<-answer // whatever its context says
			return key(ctx)
		}
		first := make(chan error)
		go func() {
			_, err := d.Token(t.Context())
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := d.Token(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 20*time.Millisecond {
			t.Errorf("Token = _, %v after %v; want %v after 20ms", err, time.Since(began), context.DeadlineExceeded)
		}
		close(answer)
		if err := <-first; err != nil {
			t.Errorf("the first Token = _, %v; want a token", err)
		}
		if token, err := d.Token(ctx); token == "" || err != nil {
			t.Errorf("Token with an ended context = _, %v; want the token at hand", err)
		}
	})
}

func TestKnownKeyServesWhereKeyFails(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} { // a renewal, and after a refusal
		d := newDesk(t)
		first, refused := d.token(t, ""), ""
		d.err = errKey
		d.now = d.now.Add(14 * time.Minute)
		if refuse {
			refused = first
		}
		second := d.token(t, refused)
		if second == first || keyID(t, second) != oldAccount().KeyID {
			t.Errorf("refused %t: Token = the same token; want a new one of the known key", refuse)
		}
		if log := d.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, errKey.Error()) {
			t.Errorf("refused %t: log = %q; want a warning with the error of Key", refuse, log)
		}
		checkNoSecret(t, "log", d.log.String())
	}
}

func TestKeyHanging(t *testing.T) {
	t.Parallel()
	for known, want := range map[bool]time.Duration{true: 2 * time.Second, false: 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			if known {
				d.token(t, "")
				d.now = d.now.Add(time.Hour)
			}
			d.Key = func(ctx context.Context) (*auth.ServiceAccountKey, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			began := time.Now()
			token, err := d.Token(ctx)
			if got := time.Since(began); got != want {
				t.Errorf("key known %t: Token took %v; want %v", known, got, want)
			}
			if ok := err == nil && token != ""; ok != known || !known && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("key known %t: Token = %.15q, %v; want a token only where a key is known", known, token, err)
			}
		})
	}
}

func TestConcurrentCallersShareOneKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		key := d.Key
		// all calls Token from many goroutines; Key answers when all of them wait.
		all := func(refused string) string {
			answer, tokens := make(chan struct{}), make(chan string)
			d.Key = func(ctx context.Context) (*auth.ServiceAccountKey, error) {
				<-answer
				return key(ctx)
			}
			for range 50 {
				go func() {
					token, _ := d.ask(t, refused)
					tokens <- token
				}()
			}
			synctest.Wait()
			close(answer)
			token := <-tokens
			for range 49 {
				if other := <-tokens; other == "" || other != token {
					t.Errorf("Token = %.15q beside %.15q; want one token for all", other, token)
				}
			}
			return token
		}
		first := all("")
		d.checkReads(t, 1)
		d.now = d.now.Add(time.Minute)
		if all(first) == first {
			t.Error("Token = the refused token; want a new one")
		}
		d.checkReads(t, 2)
	})
}
