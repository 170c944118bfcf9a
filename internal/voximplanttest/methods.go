package voximplanttest

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	// keyPattern is quoted from the documentation of SetKeyValueItem.
	keyPattern = `^[a-zA-Z0-9а-яА-ЯёЁ_\-:;.#+]*$`

	maxKeyLength   = 200     // runes; that runes are counted is a guess
	maxValueLength = 2000    // runes
	maxTTL         = 7776000 // seconds: 90 days
	maxCount       = 50
	defaultCount   = 10
)

type resultBody struct {
	Result any `json:"result"`
}

// An itemBody is an item in an answer. Its pointers are nil where the member is left out:
// a list of keys has no values, and an item may have no expiry.
type itemBody struct {
	Key       string  `json:"key"`
	Value     *string `json:"value,omitempty"`
	ExpiresAt *int64  `json:"expires_at,omitempty"`
}

func (i Item) keyBody() itemBody {
	if i.ExpiresAt.IsZero() {
		return itemBody{Key: i.Key}
	}
	return itemBody{Key: i.Key, ExpiresAt: new(i.ExpiresAt.Unix())}
}

func (i Item) body() itemBody {
	body := i.keyBody()
	body.Value = &i.Value
	return body
}

// setKeyValueItem overwrites an existing item, as the newer of two contradicting
// documents says.
func (s *Server) setKeyValueItem(form url.Values) (any, *apiError) {
	key, apiErr := keyParameter(form)
	if apiErr != nil {
		return nil, apiErr
	}
	value := form.Get("value")
	if !form.Has("value") {
		return nil, missing("value")
	}
	if utf8.RuneCountInString(value) > maxValueLength {
		return nil, tooLong("value", maxValueLength)
	}
	expiresAt, apiErr := expiry(form, s.now().Unix())
	if apiErr != nil {
		return nil, apiErr
	}
	item := Item{Key: key, Value: value, ExpiresAt: time.Unix(expiresAt, 0).UTC()}
	if before, ok := s.put(item); ok && s.AnswersBefore {
		item = before
	}
	return resultBody{item.body()}, nil
}

func (s *Server) getKeyValueItem(form url.Values) (any, *apiError) {
	key, apiErr := keyParameter(form)
	if apiErr != nil {
		return nil, apiErr
	}
	item, ok := s.item(key)
	switch {
	case ok:
		return resultBody{item.body()}, nil
	case s.NotFound != "":
		return json.RawMessage(s.NotFound), nil
	}
	return resultBody{struct{}{}}, nil
}

func (s *Server) getKeyValueItems(form url.Values) (any, *apiError) {
	if !form.Has("key") {
		return nil, missing("key")
	}
	return s.list(form, Item.body)
}

func (s *Server) getKeyValueKeys(form url.Values) (any, *apiError) {
	return s.list(form, Item.keyBody)
}

// delKeyValueItem answers 1 for an absent item too, which is a guess.
func (s *Server) delKeyValueItem(form url.Values) (any, *apiError) {
	key, apiErr := keyParameter(form)
	if apiErr != nil {
		return nil, apiErr
	}
	s.Delete(key)
	return resultBody{1}, nil
}

// list answers one page of the items that the pattern in key finds. That they come in
// the order of their keys is a guess.
func (s *Server) list(form url.Values, body func(Item) itemBody) (any, *apiError) {
	pattern := form.Get("key")
	if apiErr := checkKey(pattern); apiErr != nil {
		return nil, apiErr
	}
	count, apiErr := number(form, "count", defaultCount, 1, maxCount)
	if apiErr != nil {
		return nil, apiErr
	}
	offset, apiErr := number(form, "offset", 0, 0, 1<<31-1)
	if apiErr != nil {
		return nil, apiErr
	}
	items := s.itemsOf(pattern)
	items = items[min(int(offset), len(items)):]
	items = items[:min(int(count), len(items))]
	page := make([]itemBody, 0, len(items)) // an empty page is [], not null
	for _, item := range items {
		page = append(page, body(item))
	}
	return resultBody{page}, nil
}

func keyParameter(form url.Values) (string, *apiError) {
	key := form.Get("key")
	if key == "" {
		return "", missing("key")
	}
	return key, checkKey(key)
}

func checkKey(key string) *apiError {
	if utf8.RuneCountInString(key) > maxKeyLength {
		return tooLong("key", maxKeyLength)
	}
	if !regexp.MustCompile(keyPattern).MatchString(key) {
		return invalid("key")
	}
	return nil
}

// expiry returns the Unix second at which an item set at now expires. By the documents one
// of two parameters is required, and yet the first has a default. Here one is required.
func expiry(form url.Values, now int64) (int64, *apiError) {
	switch {
	case form.Has("ttl") && form.Has("expires_at"):
		return 0, newError(458, "Specify only one of the following parameters: ttl, expires_at")
	case form.Has("ttl"):
		ttl, apiErr := number(form, "ttl", 0, 0, maxTTL)
		return now + ttl, apiErr
	case form.Has("expires_at"):
		return number(form, "expires_at", 0, now, now+maxTTL)
	}
	return 0, missing("ttl")
}

// number returns the integer parameter name, or absent if the form does not have it.
func number(form url.Values, name string, absent, low, high int64) (int64, *apiError) {
	if !form.Has(name) {
		return absent, nil
	}
	n, err := strconv.ParseInt(form.Get(name), 10, 64)
	switch {
	case err != nil:
		return 0, invalid(name)
	case n < low || n > high:
		return 0, outOfRange(name, low, high)
	}
	return n, nil
}
