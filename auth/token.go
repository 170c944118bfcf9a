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
	// lifetime of a token; the API's limit is an hour from iat (code 454).
	lifetime = 15 * time.Minute

	// backdate keeps iat out of the API's future when our clock is fast (code 455).
	backdate = 10 * time.Second

	// earlyExpiry is what a token must still have to live, so that it does not expire on its way.
	earlyExpiry = time.Minute

	// pause is for how many seconds a key that was refused, or a secret that
	// somebody must mend, is neither tried nor read again.
	pause = 5

	// renewalWait bounds the reading of the secret while a known key can do instead.
	renewalWait = 2 * time.Second
)

// A TokenSource makes RS256 bearer tokens and reuses them until shortly before
// they expire. Only Key is required. It may be used from several goroutines.
type TokenSource struct {
	// Key reads the service-account key. It is asked for each new token, once
	// in about a quarter of an hour, so that a rotated key comes into use.
	Key func(context.Context) (*ServiceAccountKey, error)

	// Log is told when the known key is used because Key failed. If nil, slog.Default() is used.
	Log *slog.Logger

	// Now reports the current time. If nil, time.Now is used.
	Now func() time.Time

	mu      mutex // guards what follows; held while Key is asked, since all need the same answer
	key     *ServiceAccountKey
	token   string
	expiry  int64 // Unix seconds: a frozen sandbox stops the monotonic clock, so it is never compared
	refused bool  // the API refused token
	retryAt int64 // Unix seconds: until then why is the answer where no token is good
	why     error

	signed, read atomic.Int64 // since Counts
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

// Token returns a bearer token that is good for another minute at least.
// refused is a token that the API would not have, or "": in answer to it the
// key is read again and a new token signed. If that is refused too, every call
// of the next few seconds fails at once, with an *Error of kind "credentials".
// If Key fails with an error of kind "configuration" and no key is known, every
// call of the next few seconds fails with that error. Other errors are those of
// Key, or that of ctx, whose end ends the wait for another caller's answer too.
func (s *TokenSource) Token(ctx context.Context, refused string) (string, error) {
	if err := s.mu.lock(ctx); err != nil {
		return "", err
	}
	defer s.mu.unlock()
	now := s.now().Unix()
	if refused != "" && refused == s.token {
		s.refused = true
	}
	switch {
	case !s.refused && now+int64(earlyExpiry/time.Second) < s.expiry:
		return s.token, nil
	case now < s.retryAt && s.retryAt <= now+pause: // and not because the clock was set back
		return "", s.why
	case s.refused:
		s.retryAt, s.why = now+pause, errRefused()
	}
	return s.renew(ctx, now)
}

// renew signs a new token, with the known key if there is no newer to be had.
func (s *TokenSource) renew(ctx context.Context, now int64) (string, error) {
	key, err := s.readKey(ctx)
	if failed, ok := errors.AsType[*Error](err); ok && failed.kind == "configuration" {
		s.retryAt, s.why = now+pause, err
	}
	if err != nil {
		return "", err
	}
	token, err := sign(key, now)
	if err != nil {
		return "", err
	}
	s.signed.Add(1)
	// RS256 is deterministic: the same key in the same second gives the token just refused.
	if s.refused && token == s.token {
		return "", errRefused()
	}
	s.key, s.token, s.expiry, s.refused = key, token, now+int64(lifetime/time.Second), false
	return token, nil
}

// readKey asks Key, and falls back on the key it knows.
func (s *TokenSource) readKey(ctx context.Context) (*ServiceAccountKey, error) {
	s.read.Add(1)
	if s.key == nil {
		return s.Key(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, renewalWait)
	defer cancel()
	key, err := s.Key(ctx)
	if err == nil {
		return key, nil
	}
	s.log().WarnContext(ctx, "going on with the known service-account key", "error", err.Error())
	return s.key, nil
}

// A mutex is a sync.Mutex that nobody waits for longer than a context lasts.
// The zero value is unlocked.
type mutex struct {
	once   sync.Once
	locked chan struct{} // holds an element while it is locked
}

// lock waits for m. Its error is that of ctx.
func (m *mutex) lock(ctx context.Context) error {
	m.once.Do(func() { m.locked = make(chan struct{}, 1) })
	select {
	case m.locked <- struct{}{}:
		return nil
	default: // had even after the end of ctx where nobody holds it, since a token may be at hand
	}
	select {
	case m.locked <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *mutex) unlock() { <-m.locked }

// sign makes the token of voximplant-api: numeric iss, kid, iat and exp in seconds.
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
