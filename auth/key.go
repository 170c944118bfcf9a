// Package auth turns a Voximplant service-account key into bearer tokens:
// it reads the key from Secrets Manager or a file, signs RS256 JWTs with it,
// and fetches the key anew when the API refuses a token.
package auth

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxKeyID bounds a key id in characters. Voximplant's are UUIDs.
const maxKeyID = 100

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
	Result     *keyDocument   `json:"result"`
	AccountID  jsontext.Value `json:"account_id"`
	KeyID      string         `json:"key_id"`
	PrivateKey string         `json:"private_key"`
}

// ParseServiceAccountKey reads a credentials document: the flat file, or the
// answer of CreateKey that wraps it in "result". Consoles, shells and scripts
// change documents on their way; what leaves no doubt is read all the same, see
// unwrap and parsePrivateKey. account_id may be a number or a numeric string of
// any form, such as 7.7e9. Errors name what is wrong and never show what the
// document holds.
func ParseServiceAccountKey(document []byte) (*ServiceAccountKey, error) {
	return parseKey(document, minKeyBits)
}

// parseKey is ParseServiceAccountKey for a private key of at least minBits.
func parseKey(document []byte, minBits int) (*ServiceAccountKey, error) {
	text, err := unwrap(document)
	if err != nil {
		return nil, err
	}
	var doc keyDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, documentError(text, err)
	}
	if doc.Result != nil {
		doc = *doc.Result
	}
	account, err := parseAccountID(doc.AccountID)
	if err != nil {
		return nil, err
	}
	keyID, err := parseKeyID(doc.KeyID)
	if err != nil {
		return nil, err
	}
	private, err := parsePrivateKey(doc.PrivateKey, minBits)
	if err != nil {
		return nil, err
	}
	return &ServiceAccountKey{AccountID: account, KeyID: keyID, PrivateKey: private}, nil
}

// documentError says what is wrong with the JSON without quoting any of it,
// which the messages of the JSON library would.
func documentError(text []byte, err error) error {
	syntax, _ := errors.AsType[*jsontext.SyntacticError](err)
	wrong, _ := errors.AsType[*json.SemanticError](err)
	switch {
	case bytes.HasPrefix(text, []byte(pemBegin)):
		return errors.New("the document is a PEM alone, not the JSON file that holds it")
	case wrong != nil && wrong.JSONPointer != "":
		return fmt.Errorf("%s has the wrong JSON type", memberName(wrong.JSONPointer))
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("%s stands twice in the document", memberName(syntax.JSONPointer))
	case text[0] != '{':
		return errors.New("the document is not a JSON object")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the document is cut short")
	case syntax != nil:
		return fmt.Errorf("the document is not JSON from byte %d on", syntax.ByteOffset)
	}
	return errors.New("the document is not a JSON object")
}

// memberName is where p points, if that is one of our members: others may be
// named by anything, a secret too.
func memberName(p jsontext.Pointer) string {
	names := slices.Collect(p.Tokens())
	for _, name := range names {
		if !slices.Contains([]string{"result", "account_id", "key_id", "private_key"}, name) {
			return "a member"
		}
	}
	return strings.Join(names, ".")
}

func parseAccountID(raw jsontext.Value) (int64, error) {
	text := string(raw)
	switch raw.Kind() {
	case jsontext.KindInvalid, jsontext.KindNull:
		return 0, errors.New("account_id is missing")
	case jsontext.KindString:
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, errors.New("account_id is not a positive integer")
		}
	}
	id, ok := parseInteger(strings.TrimSpace(text))
	if !ok || id <= 0 {
		return 0, errors.New("account_id is not a positive integer")
	}
	return id, nil
}

// parseInteger reads a JSON number (RFC 8259 section 6) whose value is an
// integer, in whatever form: 60, 60.0, 7.7e9. No number is rounded.
func parseInteger(text string) (int64, bool) {
	const most = 64 // of characters, and of the exponent: far above any int64
	number := jsontext.Value(text)
	if len(text) > most || number.Kind() != jsontext.KindNumber || !number.IsValid() {
		return 0, false
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if e, err := strconv.Atoi(exponent); err != nil || e < -most || e > most {
			return 0, false
		}
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok || !value.IsInt() || !value.Num().IsInt64() {
		return 0, false
	}
	return value.Num().Int64(), true
}

// parseKeyID takes white space off the ends. What is no id may be the private
// key in the wrong place, and an id gets into logs.
func parseKeyID(text string) (string, error) {
	id := strings.TrimSpace(text)
	switch {
	case id == "":
		return "", errors.New("key_id is missing")
	case len(id) > maxKeyID, strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("key_id is not an id: it has a character other than visible ASCII, or more than %d", maxKeyID)
	}
	return id, nil
}
