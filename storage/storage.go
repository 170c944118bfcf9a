// Package storage is what trusted callers may do with the storage beyond
// asking for an item: list, set and delete, inside the allow-list and, for
// writes, only where they are switched on. It is offered to direct invocation
// alone, never over HTTP.
package storage

import (
	"context"
	"errors"
	"slices"
	"time"

	"voxkv/internal/problem"
	"voxkv/lookup"
	"voxkv/voximplant"
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
// a *problem.Problem, a *voximplant.LimitError or a *voximplant.Error.
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
		return problem.BadRequest(problem.WritesOff, "Writes are off; ALLOW_WRITES=true switches them on.")
	case !s.Scope.Allows(key):
		return problem.BadRequest(problem.OutOfScope, "The key is outside ALLOWED_KEYS.")
	}
	return nil
}

// maxPages bounds the pages of the API that are read for one of ours.
const maxPages = 10

// Items returns a page of the items whose keys begin with prefix, and the
// offset of the next page, 0 after the last. A page may be short, and even
// empty, where the API lists other items beside them. The error is
// a *problem.Problem, a *voximplant.LimitError or a *voximplant.Error.
func (s *Storage) Items(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
	return s.list(ctx, s.Client.GetKeyValueItems, prefix, page)
}

// Keys is Items without the values.
func (s *Storage) Keys(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
	return s.list(ctx, s.Client.GetKeyValueKeys, prefix, page)
}

// A lister is GetKeyValueItems or GetKeyValueKeys.
type lister func(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error)

// list refuses a prefix that other keys have too. It passes over pages on which
// nothing is left, but leaves time for an answer: the caller goes on where it
// stopped.
func (s *Storage) list(ctx context.Context, get lister, prefix string, page voximplant.Page) (items []voximplant.KeyValueItem, next int, err error) {
	if !s.Scope.Covers(prefix) {
		return nil, 0, problem.BadRequest(problem.OutOfScope, "A list takes a prefix that begins with one of those in ALLOWED_KEYS.")
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	half := time.Now().Add(time.Until(deadline) / 2)
	for range maxPages {
		items, next, err = get(ctx, prefix, page)
		if err != nil {
			return nil, 0, err
		}
		items = slices.DeleteFunc(items, ended(time.Now()))
		if len(items) > 0 || next == 0 || time.Now().After(half) {
			break
		}
		page.Offset = next
	}
	return items, next, nil
}

// ended reports whether an item that was just received has ended.
func ended(now time.Time) func(voximplant.KeyValueItem) bool {
	return func(item voximplant.KeyValueItem) bool {
		return !item.ExpiresAt.IsZero() && item.Left(now, item.Date.Sub(now)) <= 0
	}
}
