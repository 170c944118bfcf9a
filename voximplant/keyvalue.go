package voximplant

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxKeyLength is the most characters a key may have.
const MaxKeyLength = 200

// CheckKey reports whether key is one that the storage can hold: 1 to 200
// characters (not bytes) of the documented alphabet. The error does not quote it.
func CheckKey(key string) error {
	switch {
	case key == "":
		return errors.New("the key is empty")
	case utf8.RuneCountInString(key) > MaxKeyLength:
		return errors.New("the key has more than 200 characters")
	case strings.ContainsFunc(key, illegal):
		return errors.New("the key has a character outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +")
	}
	return nil
}

// illegal reports whether r is outside [a-zA-Z0-9а-яА-ЯёЁ_\-:;.#+], the alphabet
// that SetKeyValueItem documents.
func illegal(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9',
		'а' <= r && r <= 'я', 'А' <= r && r <= 'Я', r == 'ё', r == 'Ё':
		return false
	}
	return !strings.ContainsRune("_-:;.#+", r)
}

// A KeyValueItem is one item of the storage.
type KeyValueItem struct {
	Key   string
	Value string

	// ExpiresAt is when the item ends, to the second; zero where the API gave
	// no usable time.
	ExpiresAt time.Time

	// Date is the API's clock when it answered; zero where it did not tell.
	Date time.Time
}

// MaxAhead is the most that the API's clock may be ahead of ours and be believed.
const MaxAhead = time.Hour

// Left returns how long the item has to live at now, by our clock or the API's,
// whichever says less; it is not positive once the item has ended. ahead is how
// far the API's clock was ahead of ours, negative if it was behind or is not
// known. An item whose ExpiresAt is zero has no such time.
func (i *KeyValueItem) Left(now time.Time, ahead time.Duration) time.Duration {
	if 0 < ahead && ahead <= MaxAhead {
		now = now.Add(ahead)
	}
	return i.ExpiresAt.Sub(now)
}

// GetKeyValueItem returns the item stored under key, which may have expired
// just now. The error is ErrNotFound or an *Error.
func (c *Client) GetKeyValueItem(ctx context.Context, key string) (*KeyValueItem, error) {
	r, err := c.call(ctx, "GetKeyValueItem", url.Values{"key": {key}})
	if err != nil {
		return nil, c.notFound(err)
	}
	item, err := r.item(key)
	if err != nil {
		return nil, r.malformed("GetKeyValueItem", err)
	}
	item.Date = r.date
	return item, nil
}

// notFound is ErrNotFound where err has a code that stands for it.
func (c *Client) notFound(err error) error {
	if failed, ok := errors.AsType[*Error](err); ok && failed.Code != 0 && slices.Contains(c.notFoundCodes(), failed.Code) {
		return ErrNotFound
	}
	return err
}

// codeNotFound is "Record is not found by ID".
const codeNotFound = 341

// wireItem tells members that are absent from those that are empty.
type wireItem struct {
	Key       *string        `json:"key"`
	Value     *string        `json:"value"`
	ExpiresAt jsontext.Value `json:"expires_at"`
}

// item reads the result of GetKeyValueItem. What the API answers for an absent
// key is documented nowhere, so every empty shape counts as absent. Whatever
// else holds no item of this key is no answer to the question. An array, which
// the list methods answer, may hold the item.
func (r reply) item(key string) (*KeyValueItem, error) {
	if r.empty() {
		return nil, ErrNotFound
	}
	list, err := wireItems(r.result)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(w wireItem) bool { return w.Key == nil || *w.Key != key })
	if len(list) != 1 {
		return nil, malformed("an answer without the one item that was asked for")
	}
	return list[0].item()
}

// wireItems reads an array of items, or a single one.
func wireItems(result jsontext.Value) (list []wireItem, err error) {
	if result.Kind() != jsontext.KindBeginArray {
		list = make([]wireItem, 1)
		err = json.Unmarshal(result, &list[0])
	} else {
		err = json.Unmarshal(result, &list)
	}
	if err != nil {
		return nil, malformed("a result that is no item")
	}
	return list, nil
}

func (w wireItem) item() (*KeyValueItem, error) {
	switch {
	case w.Key == nil || *w.Key == "":
		return nil, malformed("an item without a key")
	case w.Value == nil:
		return nil, malformed("an item without a value")
	}
	return &KeyValueItem{Key: *w.Key, Value: *w.Value, ExpiresAt: expiry(w.ExpiresAt)}, nil
}

const (
	leastMillis = 1e11 // as seconds, the year 5138
	leastMicros = 1e14
	leastNanos  = 1e17
)

// expiry reads expires_at in Unix seconds; it is zero if it is absent or
// unusable. The documentation gives an integer; numeric strings, fractions and
// milliseconds are read too, and everything else counts as unknown.
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
