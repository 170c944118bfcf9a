// Package allowlist says which keys exist for a caller: the rules of the setting
// ALLOWED_KEYS.
package allowlist

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"voxkv/voximplant"
)

// A List is the set of keys that exist for callers. The zero List is empty.
type List struct {
	exact    map[string]bool
	prefixes []string
}

// Parse reads a comma-separated list of exact keys and prefix* patterns.
// A lone * is everything.
func Parse(list string) (List, error) {
	l := List{exact: map[string]bool{}}
	for i, pattern := range strings.Split(list, ",") {
		if err := l.add(strings.TrimSpace(pattern)); err != nil {
			return List{}, fmt.Errorf("pattern %d: %w", i+1, err) // without the pattern, which may be a phone number
		}
	}
	return l, nil
}

func (l *List) add(pattern string) error {
	key, open := strings.CutSuffix(pattern, "*")
	if pattern == "" {
		return errors.New("it is empty")
	}
	if key != "" {
		if err := voximplant.CheckKey(key); err != nil {
			return err
		}
	}
	if open {
		l.prefixes = append(l.prefixes, key)
	} else {
		l.exact[key] = true
	}
	return nil
}

// UnmarshalText is Parse.
func (l *List) UnmarshalText(list []byte) (err error) {
	*l, err = Parse(string(list))
	return err
}

// Allows reports whether key is allowed.
func (l List) Allows(key string) bool {
	if l.exact[key] {
		return true
	}
	for _, prefix := range l.prefixes {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// Covers reports whether every key that begins with prefix is allowed.
func (l List) Covers(prefix string) bool {
	return slices.ContainsFunc(l.prefixes, func(open string) bool { return strings.HasPrefix(prefix, open) })
}

// Everything reports whether every key is allowed.
func (l List) Everything() bool { return l.Covers("") }

// LogValue has the prefixes and the number of the exact keys, but not those keys
// themselves: they may be phone numbers.
func (l List) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("exact", len(l.exact)), slog.Any("prefixes", append([]string{}, l.prefixes...)))
}
