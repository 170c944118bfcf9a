// Package auth turns a Voximplant service-account key into bearer tokens:
// it reads the key from Secrets Manager or a file, signs RS256 JWTs with it,
// and fetches the key anew when the API refuses a token.
package auth

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// minKeyBits is the least RSA modulus RFC 7518 section 3.3 allows for RS256.
const minKeyBits = 2048

// A ServiceAccountKey is what Voximplant's credentials file holds.
// It prints as its key id alone.
type ServiceAccountKey struct {
	AccountID  int64  // the "iss" of its tokens
	KeyID      string // the "kid" of its tokens
	PrivateKey *rsa.PrivateKey
}

// String tells the key id and nothing that is secret.
func (k ServiceAccountKey) String() string { return "service-account key " + k.KeyID }

// GoString is String, so that %#v hides what %v hides.
func (k ServiceAccountKey) GoString() string { return k.String() }

// LogValue is String, so that structured logs hide it too.
func (k ServiceAccountKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes String, so that no encoder prints the private key.
func (k ServiceAccountKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }

// keyDocument is the credentials file; CreateKey answers it wrapped in "result".
type keyDocument struct {
	Result     *keyDocument    `json:"result"`
	AccountID  json.RawMessage `json:"account_id"`
	KeyID      string          `json:"key_id"`
	PrivateKey string          `json:"private_key"`
}

// ParseServiceAccountKey reads a credentials document: the flat file, or the
// answer of CreateKey that wraps it in "result". account_id may be a number or
// a numeric string, private_key a PKCS#8 or PKCS#1 PEM whose newlines may be
// written as backslash-n. Errors name the field that is wrong and never show
// what the document holds.
func ParseServiceAccountKey(document []byte) (*ServiceAccountKey, error) {
	var doc keyDocument
	if err := json.Unmarshal(bytes.TrimPrefix(document, []byte("\ufeff")), &doc); err != nil {
		return nil, documentError(err)
	}
	if doc.Result != nil {
		doc = *doc.Result
	}
	account, err := parseAccountID(doc.AccountID)
	if err != nil {
		return nil, err
	}
	if doc.KeyID == "" {
		return nil, errors.New("key_id is missing")
	}
	private, err := parsePrivateKey(doc.PrivateKey)
	if err != nil {
		return nil, err
	}
	return &ServiceAccountKey{AccountID: account, KeyID: doc.KeyID, PrivateKey: private}, nil
}

// documentError says what is wrong with the JSON without quoting any of it,
// which encoding/json's own messages would.
func documentError(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return fmt.Errorf("%s has the wrong JSON type", wrong.Field)
	}
	return errors.New("the document is not a JSON object")
}

func parseAccountID(raw json.RawMessage) (int64, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return 0, errors.New("account_id is missing")
	}
	id, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil || id <= 0 {
		return 0, errors.New("account_id is not a positive integer")
	}
	return id, nil
}

func parsePrivateKey(text string) (*rsa.PrivateKey, error) {
	if text == "" {
		return nil, errors.New("private_key is missing")
	}
	// Secrets pasted into a console arrive with the two characters \n for each newline.
	text = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n").Replace(text)
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(text))
	if err != nil {
		return nil, errors.New("private_key is not an RSA private key in PEM form (PKCS#8 or PKCS#1, unencrypted)")
	}
	if bits := key.N.BitLen(); bits < minKeyBits {
		return nil, fmt.Errorf("private_key has %d bits; RS256 needs at least %d", bits, minKeyBits)
	}
	return key, nil
}
