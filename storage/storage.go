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
)

// A Storage reaches one application's storage. All fields but Writable are required.
type Storage struct {
	Client *voximplant.Client
	Scope  lookup.Scope

	// Learned is told what is known of a key after a write that began at since:
	// its item, nil after a deletion. Where the item's end is not known, all
	// that was known before is to be forgotten.
	Learned func(key string, since time.Time, item *voximplant.KeyValueItem)

	Writable bool

	// Timeout bounds one operation. It must be positive.
	Timeout time.Duration
}

// Set stores an item and returns it as the API answers it. The error is
// ErrReadOnly, ErrOutOfScope, a *voximplant.LimitError or a *voximplant.Error.
func (s *Storage) Set(ctx context.Context, key, value string, life voximplant.Lifetime) (*voximplant.KeyValueItem, error) {
	if err := s.mayWrite(key); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	since := time.Now()
	item, err := s.Client.SetKeyValueItem(ctx, key, value, life)
	switch {
	case err != nil:
		s.forget(key, since, err)
		return nil, err
	case item.Value != value:
		s.forget(key, since, nil) // perhaps that is the item from before the write
	default:
		s.Learned(key, since, item)
	}
	return item, nil
}

// forget drops what was known of key before a write whose outcome is unknown,
// unless err says that nothing was sent.
func (s *Storage) forget(key string, since time.Time, err error) {
	if _, unsent := errors.AsType[*voximplant.LimitError](err); unsent {
		return
	}
	s.Learned(key, since, &voximplant.KeyValueItem{Key: key})
}

// Delete removes the item stored under key, if there is one. The errors are
// those of Set.
func (s *Storage) Delete(ctx context.Context, key string) error {
	if err := s.mayWrite(key); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	since := time.Now()
	err := s.Client.DelKeyValueItem(ctx, key)
	if err != nil && !errors.Is(err, voximplant.ErrNotFound) {
		s.forget(key, since, err)
		return err
	}
	s.Learned(key, since, nil)
	return nil
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

// Items returns a page of the items whose keys begin with prefix, without
// those outside the allow-list, and the offset of the next page, 0 after the
// last. The error is a *voximplant.LimitError or a *voximplant.Error.
func (s *Storage) Items(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	items, err := s.Client.GetKeyValueItems(ctx, prefix, page)
	return s.inScope(items, prefix, page, err)
}

// Keys is Items without the values.
func (s *Storage) Keys(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	items, err := s.Client.GetKeyValueKeys(ctx, prefix, page)
	return s.inScope(items, prefix, page, err)
}

// inScope takes the offset of the next page from the whole page, before what
// is outside the allow-list is left out, and what does not begin with prefix,
// should the API ask for less than that.
func (s *Storage) inScope(items []voximplant.KeyValueItem, prefix string, page voximplant.Page, err error) ([]voximplant.KeyValueItem, int, error) {
	if err != nil {
		return nil, 0, err
	}
	next := page.Next(len(items))
	items = slices.DeleteFunc(items, func(item voximplant.KeyValueItem) bool {
		return !strings.HasPrefix(item.Key, prefix) || !s.Scope.Allows(item.Key)
	})
	return items, next, nil
}
