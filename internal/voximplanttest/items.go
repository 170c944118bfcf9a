package voximplanttest

import (
	"slices"
	"strings"
	"time"
)

// An Item is one entry of the key-value storage.
type Item struct {
	Key   string
	Value string

	// ExpiresAt is the first moment at which the item is gone, in whole seconds and
	// UTC. A zero time never comes, and the API omits it.
	ExpiresAt time.Time
}

// Put stores value under key in place of what was there. The item is absent from
// expiresAt on, which loses its fraction of a second, as the API knows none. An item
// with a zero expiresAt stays, and the API answers it without expires_at. Put does not
// hold key and value to the limits that SetKeyValueItem has.
func (s *Server) Put(key, value string, expiresAt time.Time) {
	if !expiresAt.IsZero() {
		expiresAt = time.Unix(expiresAt.Unix(), 0).UTC()
	}
	s.put(Item{Key: key, Value: value, ExpiresAt: expiresAt})
}

// put returns the item from before, ended or not, if there was one.
func (s *Server) put(item Item) (before Item, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items == nil {
		s.items = make(map[string]Item)
	}
	before, ok = s.items[item.Key]
	s.items[item.Key] = item
	return before, ok
}

// Delete removes the item stored under key, if there is one.
func (s *Server) Delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, key)
}

// ByNamespace lists the keys whose namespace is pattern. That is the text before the
// first colon; a key without one is its own namespace.
func ByNamespace(pattern, key string) bool { return namespace(key) == pattern }

// ByNamespacePrefix lists the keys whose namespace begins with pattern, so that "order"
// finds orders:1 and "order:" nothing.
func ByNamespacePrefix(pattern, key string) bool { return strings.HasPrefix(namespace(key), pattern) }

// ByPrefix lists the keys that begin with pattern.
func ByPrefix(pattern, key string) bool { return strings.HasPrefix(key, pattern) }

func namespace(key string) string {
	before, _, _ := strings.Cut(key, ":")
	return before
}

// Items returns the items that have not expired, sorted by key.
func (s *Server) Items() []Item {
	return s.itemsOf("")
}

// itemsOf returns the items that pattern finds, all if it is empty.
func (s *Server) itemsOf(pattern string) []Item {
	lists := s.Lists
	if lists == nil {
		lists = ByNamespace
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []Item
	for _, item := range s.items {
		if (pattern == "" || lists(pattern, item.Key)) && !item.expired(now) {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Key, b.Key) })
	return items
}

func (s *Server) item(key string) (Item, bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.items[key]
	return item, ok && !item.expired(now)
}

func (i Item) expired(now time.Time) bool {
	return !i.ExpiresAt.IsZero() && !now.Before(i.ExpiresAt)
}
