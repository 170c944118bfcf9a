package requestlog

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// KeyHash returns the HashKey of a Log: it shows the key itself if plain, and
// otherwise a keyed hash. The secret of the hash is made anew for each process,
// since anyone could try out all phone numbers against a plain hash.
func KeyHash(plain bool) func(key string) string {
	if plain {
		return func(key string) string { return key }
	}
	secret := []byte(rand.Text())
	return func(key string) string {
		mac := hmac.New(sha256.New, secret)
		io.WriteString(mac, key)
		return hex.EncodeToString(mac.Sum(nil)[:8])
	}
}
