package requestlog_test

import (
	"regexp"
	"testing"

	"voxkv/internal/requestlog"
)

// TestKeyHash: a key looks the same in all lines of a process, and like no other key or process.
func TestKeyHash(t *testing.T) {
	t.Parallel()
	const key = "status:+15550100"
	hash, other := requestlog.KeyHash(false), requestlog.KeyHash(false)
	if got := hash(key); !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(got) || got != hash(key) || got == hash("status:1") || got == other(key) {
		t.Errorf("hashes = %s, %s, %s of another key, %s of another process; want two that are the same", got, hash(key), hash("status:1"), other(key))
	}
	if got := requestlog.KeyHash(true)(key); got != key {
		t.Errorf("plain: %s; want the key", got)
	}
}
