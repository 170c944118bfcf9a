package voximplant

import (
	"context"
	"errors"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxCount is the most items of a page.
	MaxCount = 50

	// DefaultCount is the number of items of a page whose Count is 0.
	DefaultCount = 10
)

// A Page is a part of a list. The zero Page is the first DefaultCount items.
type Page struct {
	// Offset is 0 for the first page, and for another what the page before it
	// returned as the offset of the next.
	Offset int

	// Count is the most items of the page, from 1 to MaxCount, or 0 for DefaultCount.
	Count int
}

func (p Page) count() int {
	if p.Count == 0 {
		return DefaultCount
	}
	return p.Count
}

// GetKeyValueItems returns the items of a page whose keys begin with prefix, and
// the offset of the next page, or 0 after the last. prefix must not be empty. The
// page leaves out the other items that the API finds, so it may be short or empty
// and not be the last. The error is a *LimitError or an *Error.
func (c *Client) GetKeyValueItems(ctx context.Context, prefix string, page Page) ([]KeyValueItem, int, error) {
	if prefix == "" {
		return nil, 0, limit("a prefix is required")
	}
	return c.list(ctx, "GetKeyValueItems", prefix, page)
}

// GetKeyValueKeys is GetKeyValueItems without the values. The empty prefix is
// that of all keys.
func (c *Client) GetKeyValueKeys(ctx context.Context, prefix string, page Page) ([]KeyValueItem, int, error) {
	return c.list(ctx, "GetKeyValueKeys", prefix, page)
}

// list asks for a page by each pattern for prefix in turn, until one finds items.
func (c *Client) list(ctx context.Context, method, prefix string, page Page) (items []KeyValueItem, next int, err error) {
	if err := page.check(prefix); err != nil {
		return nil, 0, err
	}
	for _, pattern := range patterns(prefix) {
		items, err = c.find(ctx, method, pattern, page)
		if errors.Is(err, ErrNotFound) {
			items = []KeyValueItem{}
		} else if err != nil {
			return nil, 0, err
		}
		if len(items) > 0 {
			break
		}
	}
	if len(items) >= page.count() { // The API does not say whether there are more.
		next = page.Offset + len(items)
	}
	return slices.DeleteFunc(items, func(item KeyValueItem) bool { return !strings.HasPrefix(item.Key, prefix) }), next, nil
}

func (p Page) check(prefix string) error {
	if p.Offset < 0 || p.Offset > math.MaxInt32 || p.Count < 0 || p.Count > MaxCount {
		return limit("count is a number from 1 to %d, offset one from 0", MaxCount)
	}
	if err := CheckKey(prefix); prefix != "" && err != nil {
		return limit("as a prefix, %v", err)
	}
	return nil
}

// patterns returns the patterns to send for the keys that begin with prefix. The
// documents disagree on what the API takes: by the newest, the namespace of a key,
// which is the text before its first colon, and by older ones a prefix. The
// namespace is sent first, because it finds the keys in both cases, and prefix only
// where the namespace finds nothing. Whatever the API takes, one and the same
// pattern finds all pages of a list, so the offset alone tells where to go on.
func patterns(prefix string) []string {
	namespace, _, colon := strings.Cut(prefix, ":")
	if !colon || namespace == "" {
		return []string{prefix}
	}
	return []string{namespace, prefix}
}

// find returns a page of all items that the API finds by pattern, or ErrNotFound.
func (c *Client) find(ctx context.Context, method, pattern string, page Page) ([]KeyValueItem, error) {
	params := url.Values{"count": {strconv.Itoa(page.count())}, "offset": {strconv.Itoa(page.Offset)}}
	if pattern != "" {
		params.Set("key", pattern)
	}
	r, err := c.call(ctx, method, params)
	if err != nil {
		return nil, c.notFound(err)
	}
	list, err := r.answered()
	if err != nil {
		return nil, err
	}
	items := make([]KeyValueItem, 0, len(list))
	for _, a := range list {
		if method == "GetKeyValueKeys" {
			a.Value = new("") // no value is asked for
		}
		item, err := r.itemOf(a)
		if err != nil {
			return nil, err
		}
		items = append(items, *item)
	}
	return items, nil
}
