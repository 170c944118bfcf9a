package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// lifetime is the time from now to a token's exp. The API accepts an exp of at
	// most an hour after iat (code 454).
	lifetime = 15 * time.Minute

	// backdate is how far iat is before now. The API refuses a token whose iat is in
	// its future (code 455), and our clock may be ahead of its clock.
	backdate = 10 * time.Second

	// minLeft is the shortest remaining life of a token that is used again, so
	// that it does not expire on its way to the API.
	minLeft = time.Minute

	// cooldown is for how many seconds no other token is signed after the API
	// refused one, and the secret is not read again after it was found unusable.
	cooldown = 5

	// readTimeout bounds the reading of the secret where the key from before can be
	// used instead.
	readTimeout = 2 * time.Second
)

// A TokenSource makes RS256 bearer tokens (RFC 7515, RFC 7519) and uses each
// until shortly before it expires. Only Key is required. The methods may be
// called by several goroutines at once.
type TokenSource struct {
	// Key reads the service-account key. It is called for each new token, about
	// every quarter of an hour, so that a rotated key comes into use.
	Key func(context.Context) (*ServiceAccountKey, error)

	// Log receives a warning when Key fails and the key from before is used
	// instead. If nil, slog.Default() is used.
	Log *slog.Logger

	// Now reports the current time. If nil, time.Now is used.
	Now func() time.Time

	// mu guards the fields below. It is held while Key is called, because all
	// callers need the same answer.
	mu mutex

	key     *ServiceAccountKey // the key that signed token, or nil
	token   string             // the token that was signed last, or ""
	refused bool               // whether the API refused token

	// expiry is the exp of token. Times are Unix seconds, because the monotonic
	// clock of a time.Time stands still while Lambda freezes the sandbox.
	expiry int64

	// Until retryAt, callers that need a new token get failure instead.
	retryAt int64
	failure error

	signed, read atomic.Int64 // since the last call of Counts
}

// Counts returns how many tokens were signed and how often Key was asked since
// it was last called.
func (s *TokenSource) Counts() (signed, read int64) {
	return s.signed.Swap(0), s.read.Swap(0)
}

// String hides the token, which printing the fields would show.
func (s *TokenSource) String() string { return "auth.TokenSource" }

// GoString is String.
func (s *TokenSource) GoString() string { return s.String() }

// Token returns a bearer token that does not expire for another minute. It signs
// a new one where it has none.
//
// The error is an *Error, or another error of Key, or that of ctx: if ctx ends
// while another caller waits for Key, Token returns at once. An error of Key
// whose kind is "configuration" is returned to all callers of the next few
// seconds, so that a secret that somebody must correct is not read for each
// request.
func (s *TokenSource) Token(ctx context.Context) (string, error) {
	if err := s.mu.lock(ctx); err != nil {
		return "", err
	}
	defer s.mu.unlock()
	return s.current(ctx)
}

// Replace returns a token to use in place of refused, which the API refused. If
// that is the token in use, Replace reads the key again and signs a new token.
// The errors are those of Token.
//
// If the API refuses the new token too, the key is to blame. Token and Replace
// then fail for a few seconds with an *Error of kind "credentials", so that a
// revoked key does not cause a storm of requests.
func (s *TokenSource) Replace(ctx context.Context, refused string) (string, error) {
	if err := s.mu.lock(ctx); err != nil {
		return "", err
	}
	defer s.mu.unlock()
	if refused == s.token {
		s.refused = true
	}
	return s.current(ctx)
}

// current returns the token in use if it is good, and else a new one.
func (s *TokenSource) current(ctx context.Context) (string, error) {
	now := s.now().Unix()
	// The cooldown cannot be longer than itself, unless the clock was set back.
	coolingDown := now < s.retryAt && s.retryAt <= now+cooldown
	switch {
	case !s.refused && now+int64(minLeft/time.Second) < s.expiry:
		return s.token, nil
	case coolingDown:
		return "", s.failure
	case s.refused:
		s.retryAt, s.failure = now+cooldown, errRefused()
	}
	return s.renew(ctx, now)
}

// renew reads the key and signs a new token with it.
func (s *TokenSource) renew(ctx context.Context, now int64) (string, error) {
	key, err := s.readKey(ctx)
	if failed, ok := errors.AsType[*Error](err); ok && failed.kind == "configuration" {
		s.retryAt, s.failure = now+cooldown, err
	}
	if err != nil {
		return "", err
	}
	token, err := sign(key, now)
	// RS256 is deterministic: in the same second the same key gives the token that
	// was refused. One from a second before is another.
	if err == nil && s.refused && token == s.token {
		token, err = sign(key, now-1)
	}
	if err != nil {
		return "", err
	}
	s.signed.Add(1)
	s.key, s.token, s.expiry, s.refused = key, token, now+int64(lifetime/time.Second), false
	return token, nil
}

// readKey calls Key. If that fails, it returns the key from before, if there is one.
func (s *TokenSource) readKey(ctx context.Context) (*ServiceAccountKey, error) {
	s.read.Add(1)
	if s.key == nil {
		return s.Key(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	key, err := s.Key(ctx)
	if err == nil {
		return key, nil
	}
	s.log().WarnContext(ctx, "going on with the known service-account key", "error", err.Error())
	return s.key, nil
}

// A mutex is a sync.Mutex whose lock a caller awaits only until a context ends.
// The zero value is unlocked.
type mutex struct {
	once   sync.Once
	locked chan struct{} // has room for one element, and holds it while locked
}

// lock waits for m. Its error is that of ctx.
func (m *mutex) lock(ctx context.Context) error {
	m.once.Do(func() { m.locked = make(chan struct{}, 1) })
	select {
	case m.locked <- struct{}{}:
		return nil
	default:
	}
	// Only now does ctx count: where the lock is free and a token at hand, even a
	// caller whose ctx has ended gets it.
	select {
	case m.locked <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *mutex) unlock() { <-m.locked }

// sign makes a token as the Management API documents it: the header has kid, and
// iss, iat and exp are numbers, the times in Unix seconds.
func sign(key *ServiceAccountKey, now int64) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": key.AccountID,
		"iat": now - int64(backdate/time.Second),
		"exp": now + int64(lifetime/time.Second),
	})
	t.Header["kid"] = key.KeyID
	token, err := t.SignedString(key.PrivateKey)
	if err != nil {
		return "", &Error{kind: "configuration", err: fmt.Errorf("sign token: %w", err)}
	}
	return token, nil
}

func errRefused() error {
	return &Error{kind: "credentials", err: errors.New("the API refused this key moments ago")}
}

func (s *TokenSource) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *TokenSource) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}
