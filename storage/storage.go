// Package storage is what trusted callers may do with the storage beyond
// asking for an item: list, set and delete, inside the allow-list and, for
// writes, only where they are switched on. It is offered to direct invocation
// alone, never over HTTP.
package storage

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

var (
	// ErrReadOnly says that writes are switched off.
	ErrReadOnly = errors.New("storage: writes are off; ALLOW_WRITES=true switches them on")

	// ErrOutOfScope says that a key is outside the allow-list.
	ErrOutOfScope = errors.New("storage: the key is outside ALLOWED_KEYS")

	// ErrWidePrefix says that keys outside the allow-list begin with a prefix too.
	ErrWidePrefix = errors.New("storage: the prefix is wider than those of ALLOWED_KEYS")
)

// A Storage reaches one application's storage. All fields but Writable are required.
type Storage struct {
	Client *voximplant.Client
	Scope  lookup.Scope

	// Forget is told each key after a write, whether that succeeded or not: what
	// was known of it before may be wrong.
	Forget func(key string)

	Writable bool

	// Timeout bounds one operation. It must be positive.
	Timeout time.Duration
}

// Set stores an item and returns it as it was written. The error is
// ErrReadOnly, ErrOutOfScope, a *voximplant.LimitError or a *voximplant.Error.
func (s *Storage) Set(ctx context.Context, key, value string, life voximplant.Lifetime) (*voximplant.KeyValueItem, error) {
	if err := s.mayWrite(key); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	defer s.Forget(key)
	return s.Client.SetKeyValueItem(ctx, key, value, life)
}

// Delete removes the item stored under key, if there is one. The errors are
// those of Set.
func (s *Storage) Delete(ctx context.Context, key string) error {
	if err := s.mayWrite(key); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	defer s.Forget(key)
	err := s.Client.DelKeyValueItem(ctx, key)
	if errors.Is(err, voximplant.ErrNotFound) {
		return nil
	}
	return err
}

func (s *Storage) mayWrite(key string) error {
	switch {
	case !s.Writable:
		return ErrReadOnly
	case !s.Scope.Allows(key):
		return ErrOutOfScope
	}
	return nil
}

// Items returns a page of the items whose keys begin with prefix, and the
// offset of the next page, 0 after the last. The error is ErrWidePrefix, a
// *voximplant.LimitError or a *voximplant.Error.
func (s *Storage) Items(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
	return s.list(ctx, s.Client.GetKeyValueItems, prefix, page)
}

// Keys is Items without the values.
func (s *Storage) Keys(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
	return s.list(ctx, s.Client.GetKeyValueKeys, prefix, page)
}

// list refuses a prefix that other keys have too: even how many there are
// would tell of keys that do not exist for callers. It takes the offset of the
// next page from the whole page, before items that have expired are left out,
// and those that do not begin with prefix, should the API ask for less.
func (s *Storage) list(ctx context.Context, get func(context.Context, string, voximplant.Page) ([]voximplant.KeyValueItem, error),
	prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
	if !s.Scope.Covers(prefix) {
		return nil, 0, ErrWidePrefix
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	items, err := get(ctx, prefix, page)
	if err != nil {
		return nil, 0, err
	}
	next, now := page.Next(len(items)), time.Now()
	items = slices.DeleteFunc(items, func(item voximplant.KeyValueItem) bool {
		ended := !item.ExpiresAt.IsZero() && item.Left(now, item.Date.Sub(now)) <= 0
		return ended || !strings.HasPrefix(item.Key, prefix)
	})
	return items, next, nil
}
