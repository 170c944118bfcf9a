package voximplant

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxValueLength is the most characters a value may have.
	MaxValueLength = 2000

	// MaxTTL is the longest time to live.
	MaxTTL = 7_776_000 * time.Second

	// MaxCount is the most items of a page, DefaultCount the number if none is asked for.
	MaxCount     = 50
	DefaultCount = 10
)

// A LimitError is a parameter that the API would refuse, found before the
// call. Its text names the parameter and the limit, never the value.
type LimitError struct{ text string }

func (e *LimitError) Error() string { return e.text }

func limit(format string, args ...any) error {
	return &LimitError{fmt.Sprintf(format, args...)}
}

// A Lifetime is how long an item is kept: TTL, in whole seconds from 0 to
// MaxTTL, or until ExpiresAt. Exactly one of the two must be set.
type Lifetime struct {
	TTL       *time.Duration
	ExpiresAt time.Time
}

// end is when an item ends, to the second, that the API stored just before it
// answered at now with r. A ttl counts from its own clock.
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

// SetKeyValueItem stores value under key, in place of what is stored there,
// and returns the item as it was written. value has at most MaxValueLength
// characters. The error is a *LimitError or an *Error.
//
// The API answers with an item of this key, but the documents disagree whether
// that is the new or the one from before. So of its answer only the end is
// taken, and only where that fits the ttl: what the API reckoned is then right
// to the second, where ours may be one off.
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
	echo, err := r.item(key)
	if errors.Is(err, ErrNotFound) {
		err = malformed("an answer without the item")
	}
	if err != nil {
		return nil, r.malformed("SetKeyValueItem", err)
	}
	item := &KeyValueItem{Key: key, Value: value, ExpiresAt: life.end(r, time.Now()), Date: r.date}
	if life.TTL != nil && echo.Value == value && item.ExpiresAt.Sub(echo.ExpiresAt).Abs() <= time.Second {
		item.ExpiresAt = echo.ExpiresAt
	}
	return item, nil
}

// DelKeyValueItem removes the item stored under key. The error is ErrNotFound,
// a *LimitError or an *Error.
func (c *Client) DelKeyValueItem(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return limit("%v", err)
	}
	r, err := c.call(ctx, "DelKeyValueItem", url.Values{"key": {key}})
	if err != nil {
		return c.notFound(err)
	}
	switch deleted, err := number(r.result); {
	case err == nil && deleted == 1:
		return nil
	case err == nil && deleted == 0, r.empty(): // what an absent key gets is not documented
		return ErrNotFound
	}
	return r.malformed("DelKeyValueItem", malformed("an answer other than 1"))
}

// A Page is a part of a list. The zero Page is its beginning, DefaultCount items.
type Page struct {
	Offset int // 0, or what the page before told as the next
	Count  int // 1 to MaxCount, or 0 for DefaultCount
}

func (p Page) count() int {
	if p.Count == 0 {
		return DefaultCount
	}
	return p.Count
}

// askPrefix stands in the offset of a page whose list is asked for with the
// prefix itself, and so goes with the caller from page to page. No application
// has so many items.
const askPrefix = 1_000_000_000

// GetKeyValueItems returns the items of a page whose keys begin with prefix,
// which may not be empty, and the offset of the next page, 0 after the last.
// The error is a *LimitError or an *Error.
//
// The API takes a pattern for keys. By the newest documents that is their
// namespace, which is the text before the first colon, by older ones a prefix.
// So a list is asked for with the namespace of prefix. Where that finds nothing
// at all, the next page is the first of the list that prefix itself finds. What
// else a pattern finds is left out, so a page may be shorter than it could be,
// or empty, and not the last.
func (c *Client) GetKeyValueItems(ctx context.Context, prefix string, page Page) ([]KeyValueItem, int, error) {
	if prefix == "" {
		return nil, 0, limit("a prefix is required")
	}
	return c.list(ctx, "GetKeyValueItems", prefix, page)
}

// GetKeyValueKeys is GetKeyValueItems without the values. The prefix "" is that
// of all keys.
func (c *Client) GetKeyValueKeys(ctx context.Context, prefix string, page Page) ([]KeyValueItem, int, error) {
	return c.list(ctx, "GetKeyValueKeys", prefix, page)
}

func (c *Client) list(ctx context.Context, method, prefix string, page Page) ([]KeyValueItem, int, error) {
	params, err := page.params(prefix)
	if err != nil {
		return nil, 0, err
	}
	r, err := c.call(ctx, method, params)
	if err != nil {
		return nil, 0, err
	}
	items, err := r.items(method == "GetKeyValueItems")
	if err != nil {
		return nil, 0, r.malformed(method, err)
	}
	next := page.next(len(items), prefix)
	return slices.DeleteFunc(items, func(item KeyValueItem) bool { return !strings.HasPrefix(item.Key, prefix) }), next, nil
}

// params are those that ask for the page.
func (p Page) params(prefix string) (url.Values, error) {
	if p.Offset < 0 || p.Offset >= 2*askPrefix || p.Count < 0 || p.Count > MaxCount {
		return nil, limit("count is a number from 1 to %d, offset one from 0", MaxCount)
	}
	pattern, offset := namespace(prefix), p.Offset
	if offset >= askPrefix {
		pattern, offset = prefix, offset-askPrefix
	}
	params := url.Values{"count": {strconv.Itoa(p.count())}, "offset": {strconv.Itoa(offset)}}
	if prefix != "" {
		if err := CheckKey(prefix); err != nil {
			return nil, limit("as a prefix, %v", err)
		}
		params.Set("key", pattern)
	}
	return params, nil
}

// namespace is that of the keys that begin with prefix, as far as it tells it.
func namespace(prefix string) string {
	if before, _, _ := strings.Cut(prefix, ":"); before != "" {
		return before
	}
	return prefix
}

// next returns the offset of the page after one of n items, 0 if that was the
// last. The API tells no total; a short page is the last.
func (p Page) next(n int, prefix string) int {
	switch {
	case n == 0 && p.Offset == 0 && namespace(prefix) != prefix:
		return askPrefix
	case n < p.count():
		return 0
	}
	return p.Offset + n
}

// items reads a list, of items if values is true, else of keys.
func (r reply) items(values bool) ([]KeyValueItem, error) {
	if r.empty() {
		return []KeyValueItem{}, nil
	}
	list, err := wireItems(r.result)
	if err != nil {
		return nil, err
	}
	items := make([]KeyValueItem, 0, len(list))
	for _, w := range list {
		if !values {
			w.Value = new("")
		}
		item, err := w.item()
		if err != nil {
			return nil, err
		}
		item.Date = r.date
		items = append(items, *item)
	}
	return items, nil
}
