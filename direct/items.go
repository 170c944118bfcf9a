package direct

import (
	"context"
	"errors"
	"slices"
	"time"

	"voxkv/allowlist"
	"voxkv/internal/problem"
	"voxkv/voximplant"
)

// Items reaches the stored items that exist for allowlist.CallerOf the context. All
// fields but Writable are required.
type Items struct {
	Client *voximplant.Client
	Scope  allowlist.List

	// Forget is called with the key after each write, whether it succeeded or not:
	// what is cached of the key may be wrong now.
	Forget func(key string)

	Writable bool

	// Timeout bounds one operation. It must be positive.
	Timeout time.Duration
}

// Set stores an item and returns it as it was written. The error is a
// *problem.Problem, a *voximplant.LimitError or a *voximplant.Error.
func (i *Items) Set(ctx context.Context, key, value string, life voximplant.Lifetime) (*voximplant.KeyValueItem, error) {
	if err := i.mayWrite(ctx, key); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, i.Timeout)
	defer cancel()
	defer i.Forget(key)
	return i.Client.SetKeyValueItem(ctx, key, value, life)
}

// Delete removes the item stored under key, if there is one. The errors are
// those of Set.
func (i *Items) Delete(ctx context.Context, key string) error {
	if err := i.mayWrite(ctx, key); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, i.Timeout)
	defer cancel()
	defer i.Forget(key)
	err := i.Client.DelKeyValueItem(ctx, key)
	if errors.Is(err, voximplant.ErrNotFound) {
		return nil
	}
	return err
}

func (i *Items) mayWrite(ctx context.Context, key string) error {
	switch {
	case !i.Writable:
		return problem.BadRequest(problem.WritesOff, "Writes are off; ALLOW_WRITES=true would allow them.")
	case !i.Scope.Decide(key, allowlist.CallerOf(ctx)).Allowed:
		return problem.BadRequest(problem.OutOfScope, "The key is outside ALLOWED_KEYS.")
	}
	return nil
}

// maxPages is the most pages of the API that are read for one page of ours.
const maxPages = 10

// List returns a page of the items whose keys begin with prefix, and the offset of
// the next page, 0 after the last. A page may be short, and even empty, if the API
// lists other items among them. The error is a *problem.Problem, a
// *voximplant.LimitError or a *voximplant.Error.
func (i *Items) List(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
	return i.pages(ctx, i.Client.GetKeyValueItems, prefix, page)
}

// ListKeys is List without the values.
func (i *Items) ListKeys(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
	return i.pages(ctx, i.Client.GetKeyValueKeys, prefix, page)
}

// A lister is GetKeyValueItems or GetKeyValueKeys.
type lister func(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error)

// pages refuses a prefix that keys outside the allow-list have too. It passes over
// empty pages, but only for half of the time that there is: the caller goes on
// where it stopped.
func (i *Items) pages(ctx context.Context, get lister, prefix string, page voximplant.Page) (items []voximplant.KeyValueItem, next int, err error) {
	if !i.Scope.Covers(prefix, allowlist.CallerOf(ctx)) {
		return nil, 0, problem.BadRequest(problem.OutOfScope, "The prefix of a list must begin with a prefix in ALLOWED_KEYS.")
	}
	ctx, cancel := context.WithTimeout(ctx, i.Timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	half := time.Now().Add(time.Until(deadline) / 2)
	for range maxPages {
		items, next, err = get(ctx, prefix, page)
		if err != nil {
			return nil, 0, err
		}
		items = slices.DeleteFunc(items, expired(time.Now()))
		if len(items) > 0 || next == 0 || time.Now().After(half) {
			break
		}
		page.Offset = next
	}
	return items, next, nil
}

// expired reports whether an item that was just received has expired.
func expired(now time.Time) func(voximplant.KeyValueItem) bool {
	return func(item voximplant.KeyValueItem) bool {
		return !item.ExpiresAt.IsZero() && item.Left(now, item.Date.Sub(now)) <= 0
	}
}
