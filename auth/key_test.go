package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"

	"voxkv/auth"
	"voxkv/internal/voximplanttest"
)

const (
	accountID   = 1234567891011
	accountText = "1234567891011"
)

// Two service accounts of one Voximplant account: before and after a rotation.
var (
	oldAccount   = sync.OnceValue(newAccount)
	newerAccount = sync.OnceValue(newAccount)
)

func newAccount() *voximplanttest.ServiceAccount {
	account, err := voximplanttest.NewServiceAccount(accountID)
	if err != nil {
		panic(err)
	}
	return account
}

// parsed is the key in the credentials of account.
func parsed(t testing.TB, account *voximplanttest.ServiceAccount) *auth.ServiceAccountKey {
	t.Helper()
	key, err := auth.ParseServiceAccountKey(account.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// credentials are those of the old account with a field set, or left out where value is nil.
func credentials(field string, value any) string {
	var doc map[string]any
	if err := json.Unmarshal(oldAccount().Credentials(), &doc); err != nil {
		panic(err)
	}
	maps.Copy(doc, map[string]any{"account_id": accountID, field: value})
	if value == nil {
		delete(doc, field)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// encode writes DER, the result of a function of x509, as PEM.
func encode(kind string) func(der []byte, err error) string {
	return func(der []byte, err error) string {
		if err != nil {
			panic(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
}

func rsaPEM(bits int) string {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return encode("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(key))
}

func ecPEM() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return encode("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(key))
}

// encryptedPEM has the frame of a PKCS#8 key under a passphrase (RFC 5958 section 3), and nothing inside.
func encryptedPEM() string {
	pbes2 := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}}
	return encode("ENCRYPTED PRIVATE KEY")(asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{pbes2, make([]byte, 1200)}))
}

func TestParseServiceAccountKey(t *testing.T) {
	t.Parallel()
	private := oldAccount().PrivateKey
	pkcs8 := encode("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(private))
	pkcs1 := encode("RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(private), nil)
	flat := string(oldAccount().Credentials())
	for name, document := range map[string]string{
		"flat":                          flat,
		"wrapped in result":             `{"result":` + flat + `}`,
		"beside a null result":          strings.Replace(flat, "{", `{"result":null,`, 1),
		"byte order mark":               "\ufeff" + flat,
		"trailing newline":              flat + "\r\n",
		"account_id as string":          credentials("account_id", accountText),
		"PKCS#8":                        credentials("private_key", pkcs8),
		"PKCS#1":                        credentials("private_key", pkcs1),
		"backslash n for newlines":      credentials("private_key", strings.ReplaceAll(pkcs8, "\n", `\n`)),
		"backslash r, backslash n":      credentials("private_key", strings.ReplaceAll(pkcs8, "\n", `\r\n`)),
		"CRLF":                          credentials("private_key", strings.ReplaceAll(pkcs8, "\n", "\r\n")),
		"no newline at the key's end":   credentials("private_key", strings.TrimSpace(pkcs8)),
		"fields we do not know of":      credentials("role", "Developer"),
		"fields that are not looked at": credentials("account_email", 5),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := auth.ParseServiceAccountKey([]byte(document))
			if err != nil {
				t.Fatalf("ParseServiceAccountKey = %v; want a key", err)
			}
			if key.AccountID != accountID || key.KeyID != oldAccount().KeyID || !key.PrivateKey.Equal(private) {
				t.Errorf("ParseServiceAccountKey = account %d, %v; want account %d, key %s", key.AccountID, key, accountID, oldAccount().KeyID)
			}
		})
	}
}

func TestParseServiceAccountKeyAcceptsLongerKeys(t *testing.T) {
	t.Parallel()
	key, err := auth.ParseServiceAccountKey([]byte(credentials("private_key", rsaPEM(3072))))
	if err != nil || key.PrivateKey.N.BitLen() != 3072 {
		t.Errorf("ParseServiceAccountKey = %v, %v; want a key of 3072 bits", key, err)
	}
}

// The errors are compared to the letter, so none of them shows the document.
func TestParseServiceAccountKeyErrors(t *testing.T) {
	t.Parallel()
	const (
		notObject  = "the document is not a JSON object"
		notInteger = "account_id is not a positive integer"
		noAccount  = "account_id is missing"
		notPrivate = "private_key is not an RSA private key in PEM form (PKCS#8 or PKCS#1, unencrypted)"
	)
	flat := string(oldAccount().Credentials())
	private := encode("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(oldAccount().PrivateKey))
	public := encode("PUBLIC KEY")(x509.MarshalPKIXPublicKey(&oldAccount().PrivateKey.PublicKey))
	tests := []struct{ name, document, want string }{
		{"empty", "", notObject},
		{"not JSON", private, notObject},
		{"cut short", flat[:len(flat)-20], notObject},
		{"something behind it", flat + flat, notObject},
		{"array", "[" + flat + "]", notObject},
		{"string", `"` + accountText + `"`, notObject},
		{"null", "null", noAccount},
		{"empty object", "{}", noAccount},
		{"empty result", `{"result":{}}`, noAccount},
		{"result of another type", `{"result":1234567891011}`, "result has the wrong JSON type"},
		{"account_id missing", credentials("account_id", nil), noAccount},
		{"account_id null", credentials("account_id", json.RawMessage("null")), noAccount},
		{"account_id zero", credentials("account_id", 0), notInteger},
		{"account_id negative", credentials("account_id", -accountID), notInteger},
		{"account_id with a fraction", credentials("account_id", json.RawMessage("1234567891011.0")), notInteger},
		{"account_id with an exponent", credentials("account_id", json.RawMessage("1e6")), notInteger},
		{"account_id beyond 64 bits", credentials("account_id", json.RawMessage("9223372036854775808")), notInteger},
		{"account_id empty", credentials("account_id", ""), notInteger},
		{"account_id not numeric", credentials("account_id", "account "+accountText), notInteger},
		{"account_id an object", credentials("account_id", map[string]int{"id": accountID}), notInteger},
		{"account_id in an array", credentials("account_id", []int{accountID}), notInteger},
		{"key_id missing", credentials("key_id", nil), "key_id is missing"},
		{"key_id empty", credentials("key_id", ""), "key_id is missing"},
		{"key_id a number", credentials("key_id", accountID), "key_id has the wrong JSON type"},
		{"wrapped key_id a number", `{"result":` + credentials("key_id", accountID) + `}`, "result.key_id has the wrong JSON type"},
		{"private_key missing", credentials("private_key", nil), "private_key is missing"},
		{"private_key empty", credentials("private_key", ""), "private_key is missing"},
		{"private_key an array", credentials("private_key", []string{private}), "private_key has the wrong JSON type"},
		{"private_key not PEM", credentials("private_key", "a"+private[30:]), notPrivate},
		{"private_key damaged", credentials("private_key", strings.Replace(private, "A", "!", 1)), notPrivate},
		{"private_key public", credentials("private_key", public), notPrivate},
		{"private_key of elliptic curve", credentials("private_key", ecPEM()), notPrivate},
		{"private_key encrypted", credentials("private_key", encryptedPEM()), notPrivate},
		{"private_key too short", credentials("private_key", rsaPEM(1024)), "private_key has 1024 bits; RS256 needs at least 2048"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			key, err := auth.ParseServiceAccountKey([]byte(test.document))
			if key != nil || err == nil || err.Error() != test.want {
				t.Errorf("ParseServiceAccountKey = %v, %v; want %q", key, err, test.want)
			}
		})
	}
}

func FuzzParseServiceAccountKey(f *testing.F) {
	flat := oldAccount().Credentials()
	for _, document := range [][]byte{
		flat, nil, []byte(`{"result":` + string(flat) + `}`), []byte(credentials("account_id", "7")),
		[]byte("null"), []byte(`[{}]`), bytes.Replace(flat, []byte("PRIVATE"), []byte("RSA PRIVATE"), 2),
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		key, err := auth.ParseServiceAccountKey(document)
		switch {
		case err != nil && key != nil:
			t.Errorf("ParseServiceAccountKey(%q) = a key and %v; want one of them", document, err)
		case err == nil && (key.AccountID <= 0 || key.KeyID == "" || key.PrivateKey.Validate() != nil):
			t.Errorf("ParseServiceAccountKey(%q) = account %d, %v; want all three fields", document, key.AccountID, key)
		}
	})
}

func TestServiceAccountKeyPrintsAsItsKeyID(t *testing.T) {
	t.Parallel()
	key := parsed(t, oldAccount())
	type holder struct {
		Key   auth.ServiceAccountKey
		Shown *auth.ServiceAccountKey
	}
	for kind, v := range map[string]any{
		"value": *key, "pointer": key, "holder": holder{*key, key}, "pointer to holder": &holder{*key, key},
		"slice": []any{*key, key}, "map": map[string]any{"key": key},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			checkHidden(t, kind+" by "+verb, fmt.Sprintf(verb, v))
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		checkHidden(t, kind+" by json", string(encoded))
		for format, handler := range map[string]func(io.Writer) slog.Handler{
			"slog JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
			"slog text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		} {
			var out strings.Builder
			slog.New(handler(&out)).Info("test", "key", v)
			checkHidden(t, kind+" by "+format, out.String())
		}
	}
}

// checkHidden looks in text for the key id, which shows that the key was
// printed at all, and for what must not be printed.
func checkHidden(t *testing.T, name, text string) {
	t.Helper()
	if !strings.Contains(text, oldAccount().KeyID) {
		t.Errorf("%s = %s; want key id %s in it", name, text, oldAccount().KeyID)
	}
	checkNoSecret(t, name, text)
}

// checkNoSecret looks in text for the account id and for pieces of the private
// key in the forms that fmt, JSON and PEM give it.
func checkNoSecret(t *testing.T, name, text string) {
	t.Helper()
	private := oldAccount().PrivateKey
	document := string(oldAccount().Credentials())
	body := document[strings.Index(document, `\n`)+2:]
	for _, secret := range []string{
		accountText, "-----BEGIN", body[:16], body[64:80],
		private.D.String()[:20], private.Primes[0].String()[:20], fmt.Sprintf("%x", private.D)[:20],
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("%s = %s; must not hold %q", name, text, secret)
		}
	}
}
