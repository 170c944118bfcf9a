package voximplant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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

// GetKeyValueItem returns the item stored under key, which may have expired
// just now. The error is ErrNotFound or an *Error.
func (c *Client) GetKeyValueItem(ctx context.Context, key string) (*KeyValueItem, error) {
	r, err := c.call(ctx, "GetKeyValueItem", url.Values{"key": {key}})
	if err != nil {
		return nil, c.notFound(err)
	}
	item, err := oneItem(r.result, key)
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
	Key       *string `json:"key"`
	Value     *string `json:"value"`
	ExpiresAt expiry  `json:"expires_at"`
}

// oneItem reads the result of GetKeyValueItem. What the API answers for an
// absent key is documented nowhere, so every empty shape counts as absent, and
// an array, which the list methods answer, may hold the item.
func oneItem(result json.RawMessage, key string) (*KeyValueItem, error) {
	switch trimmed := bytes.TrimSpace(result); {
	case len(trimmed) == 0, bytes.Equal(trimmed, []byte(`""`)):
		return nil, ErrNotFound
	case trimmed[0] == '[':
		return itemOf(trimmed, key)
	}
	var w wireItem
	if json.Unmarshal(result, &w) != nil {
		return nil, malformed("an item of the wrong JSON type")
	}
	return w.item(key)
}

// itemOf finds key in an array of items.
func itemOf(result json.RawMessage, key string) (*KeyValueItem, error) {
	var list []wireItem
	if json.Unmarshal(result, &list) != nil {
		return nil, malformed("a list of the wrong JSON type")
	}
	if len(list) == 0 {
		return nil, ErrNotFound
	}
	for _, w := range list {
		if w.Key != nil && *w.Key == key {
			return w.item(key)
		}
	}
	return nil, malformed("a list without the key that was asked for")
}

func (w wireItem) item(key string) (*KeyValueItem, error) {
	switch {
	case (w.Key == nil || *w.Key == "") && w.Value == nil:
		return nil, ErrNotFound
	case w.Key == nil || *w.Key != key:
		return nil, malformed("an item with another key than was asked for")
	case w.Value == nil:
		return nil, malformed("an item without a value")
	}
	return &KeyValueItem{Key: key, Value: *w.Value, ExpiresAt: w.ExpiresAt.time()}, nil
}

// An expiry is expires_at in Unix seconds, 0 if it is absent or unusable. The
// documentation gives an integer; numeric strings, fractions and milliseconds
// are read too, and everything else counts as unknown.
type expiry int64

const (
	leastMillis = 1e11 // as seconds, the year 5138
	leastMicros = 1e14
	leastNanos  = 1e17
)

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (e *expiry) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	switch {
	case err != nil || !(n > 0) || n >= leastNanos:
		n = 0
	case n >= leastMicros:
		n /= 1e6
	case n >= leastMillis:
		n /= 1e3
	}
	*e = expiry(math.Floor(n))
	return nil
}

func (e expiry) time() time.Time {
	if e == 0 {
		return time.Time{}
	}
	return time.Unix(int64(e), 0).UTC()
}
