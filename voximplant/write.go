package voximplant

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	// MaxValueLength is the most characters that a value may have.
	MaxValueLength = 2000

	// MaxTTL is the longest time to live, which is 90 days.
	MaxTTL = 7_776_000 * time.Second
)

// A Lifetime says how long an item is kept. Exactly one of its fields must be set.
type Lifetime struct {
	// TTL is the time to live, in whole seconds from 0 to MaxTTL. If nil, it is not
	// set.
	TTL *time.Duration

	// ExpiresAt is the time at which the item ends, which must not be past. If zero,
	// it is not set.
	ExpiresAt time.Time
}

// end returns when the item of an answer r ends, in whole seconds, if the answer
// came at now. The API counts a ttl by its own clock.
func (l Lifetime) end(r reply, now time.Time) time.Time {
	at := l.ExpiresAt
	if l.TTL != nil {
		if r.date.Sub(now).Abs() <= MaxAhead {
			now = r.date
		}
		at = now.Add(*l.TTL)
	}
	return time.Unix(at.Unix(), 0).UTC()
}

// set adds the lifetime to params.
func (l Lifetime) set(params url.Values, now time.Time) error {
	switch {
	case (l.TTL == nil) == l.ExpiresAt.IsZero():
		return limit("exactly one of ttl and expires_at is required")
	case l.TTL != nil && (*l.TTL < 0 || *l.TTL > MaxTTL || *l.TTL%time.Second != 0):
		return limit("ttl is a whole number of seconds from 0 to %d", int(MaxTTL.Seconds()))
	case l.TTL != nil:
		params.Set("ttl", strconv.Itoa(int(l.TTL.Seconds())))
	case l.ExpiresAt.Before(now) || l.ExpiresAt.Unix() >= leastMillis:
		return limit("expires_at is a time to come in Unix seconds, without milliseconds")
	default:
		params.Set("expires_at", strconv.FormatInt(l.ExpiresAt.Unix(), 10))
	}
	return nil
}

// SetKeyValueItem stores value under key, in place of what is stored there, and
// returns the item as it was written. value has at most MaxValueLength
// characters. The error is a *LimitError or an *Error.
func (c *Client) SetKeyValueItem(ctx context.Context, key, value string, life Lifetime) (*KeyValueItem, error) {
	params := url.Values{"key": {key}, "value": {value}}
	if err := CheckKey(key); err != nil {
		return nil, limit("%v", err)
	}
	if !utf8.ValidString(value) || utf8.RuneCountInString(value) > MaxValueLength {
		return nil, limit("the value is text of at most %d characters", MaxValueLength)
	}
	if err := life.set(params, time.Now()); err != nil {
		return nil, err
	}
	r, err := c.call(ctx, "SetKeyValueItem", params)
	if err != nil {
		return nil, err
	}
	answered, err := r.item(key)
	if errors.Is(err, ErrNotFound) {
		err = r.unexpected("an answer without the item")
	}
	if err != nil {
		return nil, err
	}
	item := &KeyValueItem{Key: key, Value: value, ExpiresAt: life.end(r, time.Now()), Date: r.date}
	// The API answers with an item, but the documents disagree whether that is the
	// new item or the one before. If it can only be the new one, its end is right to
	// the second, and ours may be a second off.
	if life.TTL != nil && answered.Value == value && item.ExpiresAt.Sub(answered.ExpiresAt).Abs() <= time.Second {
		item.ExpiresAt = answered.ExpiresAt
	}
	return item, nil
}

// DelKeyValueItem removes the item stored under key. The error is ErrNotFound, a
// *LimitError or an *Error.
func (c *Client) DelKeyValueItem(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return limit("%v", err)
	}
	r, err := c.call(ctx, "DelKeyValueItem", url.Values{"key": {key}})
	if err != nil {
		return c.notFound(err)
	}
	deleted, err := number(r.result)
	switch {
	case err == nil && deleted == 1:
		return nil
	case err == nil && deleted == 0, r.empty(): // The documents do not say what an absent key gets.
		return ErrNotFound
	}
	return r.unexpected("an answer other than 1")
}
