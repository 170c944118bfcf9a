// Package auth makes the bearer tokens of the Voximplant Management API. It reads
// a service-account key from Secrets Manager or a file, signs RS256 JWTs with it,
// and reads the key again when the API refuses a token, because the key may have
// been rotated.
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

// maxKeyID is the most characters of a key id. Voximplant's ids are UUIDs, which have 36.
const maxKeyID = 100

// A ServiceAccountKey is the content of Voximplant's credentials file. It prints
// as its key id alone, because the rest is secret.
type ServiceAccountKey struct {
	// AccountID is the iss of the tokens.
	AccountID int64

	// KeyID is the kid of the tokens.
	KeyID string

	// PrivateKey signs the tokens.
	PrivateKey *rsa.PrivateKey
}

// String returns the key id.
func (k ServiceAccountKey) String() string { return "service-account key " + k.KeyID }

// GoString returns the same as String, so that %#v does not print the private key.
func (k ServiceAccountKey) GoString() string { return k.String() }

// LogValue returns the same as String, so that slog does not print the private key.
func (k ServiceAccountKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes what String returns, so that JSON does not show the private key.
func (k ServiceAccountKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }

// A keyDocument is the credentials file, or the answer of CreateKey, which has
// the same members in "result".
type keyDocument struct {
	Result     *keyDocument   `json:"result"`
	AccountID  jsontext.Value `json:"account_id"`
	KeyID      string         `json:"key_id"`
	PrivateKey string         `json:"private_key"`
}

// ParseServiceAccountKey reads a credentials document, which is Voximplant's file
// or the answer of CreateKey. Consoles, shells and scripts often change such a
// document before it is stored. It is read all the same where it can mean only
// one key; unwrap and parsePrivateKey say which changes these are. account_id may
// be a number or a string with one, in any form, such as 7.7e9. The errors say
// what is wrong, and quote nothing of the document.
func ParseServiceAccountKey(document []byte) (*ServiceAccountKey, error) {
	return parseKey(document, minKeyBits)
}

// parseKey is ParseServiceAccountKey with another limit than minKeyBits.
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

// documentError says what is wrong with the JSON. The messages of the JSON
// library are not used, because they quote the document.
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

// memberName is the path to the member at p. It is not told for a member that is
// not ours, whose name may be anything, even the secret.
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

// parseInteger reads a JSON number (RFC 8259 section 6) in any form whose value is
// an integer: 60, 60.0, 7.7e9. It does not round.
func parseInteger(text string) (int64, bool) {
	const most = 64 // the most characters, and the largest exponent; no int64 needs more
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

// parseKeyID reads an id with white space around it. It refuses what does not look
// like an id, because ids are logged, and the private key may have been put here.
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
