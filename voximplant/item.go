package voximplant

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A KeyValueItem is one item of the storage.
type KeyValueItem struct {
	// Key is the key under which the item is stored.
	Key string

	// Value is the stored text. It is empty in a list of keys.
	Value string

	// ExpiresAt is when the item ends, in whole seconds. It is zero if the API gave
	// no time that can be used.
	ExpiresAt time.Time

	// Date is the time of the API's clock when it answered. It is zero if the API
	// did not give it.
	Date time.Time
}

// MaxAhead is how far the API's clock may be ahead of ours. If it is further
// ahead, it is taken to be wrong and is not used.
const MaxAhead = time.Hour

// Left returns how long the item still has to live at now. It is not positive
// after the end of the item, and means nothing if ExpiresAt is zero.
//
// ahead is how far the API's clock is ahead of ours, negative if it is behind.
// Left counts by the clock that leaves less time, so that an item is not used
// after its end by either clock.
func (i *KeyValueItem) Left(now time.Time, ahead time.Duration) time.Duration {
	if 0 < ahead && ahead <= MaxAhead {
		now = now.Add(ahead)
	}
	return i.ExpiresAt.Sub(now)
}

// GetKeyValueItem returns the item stored under key. The item may have expired on
// its way. The error is ErrNotFound or an *Error.
func (c *Client) GetKeyValueItem(ctx context.Context, key string) (*KeyValueItem, error) {
	r, err := c.call(ctx, "GetKeyValueItem", url.Values{"key": {key}})
	if err != nil {
		return nil, c.notFound(err)
	}
	return r.item(key)
}

// notFound returns ErrNotFound if err has one of c's NotFoundCodes, and else err.
func (c *Client) notFound(err error) error {
	if failed, ok := errors.AsType[*Error](err); ok && failed.Code != 0 && slices.Contains(c.notFoundCodes(), failed.Code) {
		return ErrNotFound
	}
	return err
}

func (c *Client) notFoundCodes() []int {
	if c.NotFoundCodes == nil {
		return []int{341} // "Record is not found by ID"
	}
	return c.NotFoundCodes
}

// An answeredItem is an item as the API writes it. Key and Value are pointers,
// because a member that is missing means something else than one that is empty.
type answeredItem struct {
	Key       *string        `json:"key"`
	Value     *string        `json:"value"`
	ExpiresAt jsontext.Value `json:"expires_at"`
}

// answered returns the items in r's result, which may be an array of items, one
// item, or empty.
func (r reply) answered() ([]answeredItem, error) {
	if r.empty() {
		return nil, nil
	}
	list := make([]answeredItem, 1)
	var into any = &list
	if r.result.Kind() != jsontext.KindBeginArray {
		into = &list[0]
	}
	if err := json.Unmarshal(r.result, into); err != nil {
		return nil, r.unexpected("a result that is no item")
	}
	return list, nil
}

// item returns the item of key in r's result. The error is ErrNotFound if the
// result is empty in any way, because no document says what the API answers for
// an absent key. If the result holds something else than this item, the answer is
// malformed. Items of other keys may stand beside it.
func (r reply) item(key string) (*KeyValueItem, error) {
	list, err := r.answered()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, ErrNotFound
	}
	list = slices.DeleteFunc(list, func(a answeredItem) bool { return a.Key == nil || *a.Key != key })
	if len(list) != 1 {
		return nil, r.unexpected("an answer without the one item that was asked for")
	}
	return r.itemOf(list[0])
}

// itemOf returns the item that a holds.
func (r reply) itemOf(a answeredItem) (*KeyValueItem, error) {
	switch {
	case a.Key == nil || *a.Key == "":
		return nil, r.unexpected("an item without a key")
	case a.Value == nil:
		return nil, r.unexpected("an item without a value")
	}
	return &KeyValueItem{Key: *a.Key, Value: *a.Value, ExpiresAt: expiry(a.ExpiresAt), Date: r.date}, nil
}

// The least numbers that expiry takes for milliseconds, microseconds and
// nanoseconds. As seconds, the first is in the year 5138.
const (
	leastMillis = 1e11
	leastMicros = 1e14
	leastNanos  = 1e17
)

// expiry reads expires_at, which the API documents as an integer of Unix seconds.
// It also reads a string with a number, a fraction, milliseconds and microseconds.
// Everything else is zero, which means that the time is not known.
func expiry(raw jsontext.Value) time.Time {
	n, err := number(raw)
	switch {
	case err != nil || !(n >= 1) || n >= leastNanos:
		return time.Time{}
	case n >= leastMicros:
		n /= 1e6
	case n >= leastMillis:
		n /= 1e3
	}
	return time.Unix(int64(n), 0).UTC()
}
