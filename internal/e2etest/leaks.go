package e2etest

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"voxkv/internal/voximplanttest"
)

// pieceLength is how much of a written secret betrays it. Any stretch of about
// twice the length holds a whole piece, and so does each line of a PEM block.
const pieceLength = 20

// A LeakFinder knows secrets and finds them in texts, whole or in part, however
// they are written there. The zero value knows none, and the shapes of all. Its
// methods may be called at any time by any number of goroutines.
type LeakFinder struct {
	mu     sync.Mutex        // guards what follows
	tokens map[string]bool   // that are known
	pieces map[string]string // what to look for, pieceLength bytes each, and the secret's name
	shorts map[string]string // the same, for what is shorter
}

// shapes are what a private key and what goes into an Authorization header look
// like, whoever's they are. A text without the hint has not the shape, which is
// sooner found out.
var shapes = []struct {
	name, hint string
	pattern    *regexp.Regexp
}{
	{"a PEM private key", "PRIVATE KEY", regexp.MustCompile(`BEGIN [A-Z ]*PRIVATE KEY`)},
	{"a DER private key", "MII", regexp.MustCompile(`MII[A-Za-z0-9+/_-]{5}AgEAA|MII[A-Za-z0-9+/_-]{5}IBAAKC`)},
	{"a JSON Web Token", "eyJ", regexp.MustCompile(`eyJ[A-Za-z0-9_-]{17}`)}, // longer than an ETag
	{"an Authorization value", "earer ", regexp.MustCompile(`[Bb]earer [A-Za-z0-9]`)},
	{"an AWS signature", "AWS4-HMAC-SHA256", regexp.MustCompile(`AWS4`)},
}

// AddAccount makes f know a service account: its key, and the number and the
// address of the account that it belongs to.
func (f *LeakFinder) AddAccount(a *voximplanttest.ServiceAccount) {
	f.addKey(a.PrivateKey)
	f.Add("the account id", strconv.FormatInt(a.AccountID, 10))
	f.Add("the account id", strconv.FormatFloat(float64(a.AccountID), 'e', -1, 64)) // as a JSON number read into any
	f.Add("the account's address", "owner@example.com")
}

// addKey leaves out the modulus, which is public.
func (f *LeakFinder) addKey(key *rsa.PrivateKey) {
	numbers := append([]*big.Int{key.D, key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv}, key.Primes...)
	for _, n := range numbers {
		f.Add("the private key", string(n.Bytes()))
		f.put("the private key", n.String())
	}
}

// AddToken makes f know a JSON Web Token by each of its parts.
func (f *LeakFinder) AddToken(token string) {
	if !f.isNew(token) {
		return
	}
	for part := range strings.SplitSeq(token, ".") {
		f.put("a token", part)
		if decoded, err := base64.RawURLEncoding.DecodeString(part); err == nil {
			f.Add("a token", string(decoded))
		}
	}
}

func (f *LeakFinder) isNew(token string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tokens == nil {
		f.tokens = map[string]bool{}
	}
	known := f.tokens[token]
	f.tokens[token] = true
	return !known
}

// Add makes f know a secret of at least 8 bytes, as it is and in the encodings
// that bytes get in logs and documents.
func (f *LeakFinder) Add(name, secret string) {
	if len(secret) < 8 {
		panic("e2etest: too short to be told from other text: " + name)
	}
	b := []byte(secret)
	quoted := strconv.Quote(secret)
	list := fmt.Sprint(b)
	for _, written := range []string{
		secret, quoted[1 : len(quoted)-1], list[1 : len(list)-1],
		hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
	} {
		f.put(name, written)
	}
	for shift := range 3 {
		// Of the first and the last group some bits belong to the neighbours.
		inner := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), b...))
		inner = inner[(shift*8+5)/6:]
		inner = inner[:len(inner)-1]
		f.put(name, inner)
		f.put(name, strings.NewReplacer("+", "-", "/", "_").Replace(inner))
	}
}

// put makes f look for written.
func (f *LeakFinder) put(name, written string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pieces == nil {
		f.pieces, f.shorts = map[string]string{}, map[string]string{}
	}
	if len(written) < pieceLength {
		f.shorts[written] = name
		return
	}
	for from := 0; from+pieceLength <= len(written); from += pieceLength {
		f.pieces[written[from:from+pieceLength]] = name
	}
}

// Check fails the test for each secret that text, which was found in where, holds.
// The secrets with the names told may be in it.
func (f *LeakFinder) Check(t testing.TB, where, text string, told ...string) {
	t.Helper()
	for _, name := range f.Find(text) {
		if !slices.Contains(told, name) {
			t.Errorf("%s holds %s: %.3000s", where, name, text)
		}
	}
}

// Find returns the names of the secrets in text, each once and in order. It
// also looks behind the escapes of JSON and URLs, and across line breaks.
func (f *LeakFinder) Find(text string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := map[string]bool{}
	for _, view := range views(text) {
		for _, shape := range shapes {
			found[shape.name] = found[shape.name] || strings.Contains(view, shape.hint) && shape.pattern.MatchString(view)
		}
		for written, name := range f.shorts {
			found[name] = found[name] || strings.Contains(view, written)
		}
		for from := 0; from+pieceLength <= len(view); from++ {
			if name, ok := f.pieces[view[from:from+pieceLength]]; ok {
				found[name] = true
			}
		}
	}
	maps.DeleteFunc(found, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(found))
}

var (
	escape  = regexp.MustCompile(`\\+u[0-9a-fA-F]{4}`)
	percent = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
	breaks  = strings.NewReplacer("\n", "", "\r", "", " ", "", `\n`, "", `\r`, "")
)

// views are text as it is and as its readers may read it.
func views(text string) []string {
	plain := escape.ReplaceAllStringFunc(text, func(e string) string {
		code, _ := strconv.ParseUint(e[len(e)-4:], 16, 16) // four hexadecimal digits always parse
		return string(rune(code))
	})
	plain = percent.ReplaceAllStringFunc(plain, func(e string) string {
		decoded, _ := url.PathUnescape(e) // so do two
		return decoded
	})
	plain = strings.ReplaceAll(plain, `\/`, "/")
	return []string{text, plain, breaks.Replace(plain)}
}
