package lookup

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"voxkv/voximplant"
)

// A Scope is the set of keys that exist for callers. The zero Scope is empty.
type Scope struct {
	exact    map[string]bool
	prefixes []string
}

// ParseScope reads a comma-separated list of exact keys and prefix* patterns.
// A lone * is everything.
func ParseScope(list string) (Scope, error) {
	s := Scope{exact: map[string]bool{}}
	for i, pattern := range strings.Split(list, ",") {
		if err := s.add(strings.TrimSpace(pattern)); err != nil {
			return Scope{}, fmt.Errorf("pattern %d: %w", i+1, err) // without the pattern, which may be a phone number
		}
	}
	return s, nil
}

func (s *Scope) add(pattern string) error {
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
		s.prefixes = append(s.prefixes, key)
	} else {
		s.exact[key] = true
	}
	return nil
}

// UnmarshalText is ParseScope.
func (s *Scope) UnmarshalText(list []byte) (err error) {
	*s, err = ParseScope(string(list))
	return err
}

// Allows reports whether key is in the scope.
func (s Scope) Allows(key string) bool {
	if s.exact[key] {
		return true
	}
	for _, prefix := range s.prefixes {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// Covers reports whether every key that begins with prefix is in the scope.
func (s Scope) Covers(prefix string) bool {
	return slices.ContainsFunc(s.prefixes, func(open string) bool { return strings.HasPrefix(prefix, open) })
}

// Everything reports whether every key is in the scope.
func (s Scope) Everything() bool { return s.Covers("") }

// LogValue has the prefixes and the number of the exact keys, but not those keys
// themselves: they may be phone numbers.
func (s Scope) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("exact", len(s.exact)), slog.Any("prefixes", append([]string{}, s.prefixes...)))
}
