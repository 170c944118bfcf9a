package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

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

func ecPEM(kind string, marshal func(key any) ([]byte, error)) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return encode(kind)(marshal(key))
}

// inUTF16 encodes text with a byte order mark or, where mark is "", without.
func inUTF16(mark string, order binary.AppendByteOrder, text string) string {
	document := []byte(mark)
	for _, unit := range utf16.Encode([]rune(text)) {
		document = order.AppendUint16(document, unit)
	}
	return string(document)
}

// quoted is text as a JSON string.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// inLines breaks text after every 76 characters, as MIME does.
func inLines(text string) string {
	var lines strings.Builder
	for line := range slices.Chunk([]byte(text), 76) {
		lines.Write(line)
		lines.WriteString("\r\n")
	}
	return lines.String()
}

// wrapped are the ways in which a document may arrive.
func wrapped(flat string) map[string]string {
	const littleEndian, bigEndian = "\xff\xfe", "\xfe\xff"
	return map[string]string{
		"flat":                            flat,
		"wrapped in result":               `{"result":` + flat + `}`,
		"beside a null result":            strings.Replace(flat, "{", `{"result":null,`, 1),
		"beside members in capitals":      strings.Replace(flat, "{", `{"ACCOUNT_ID":"x","Key_Id":7,"Private_Key":[],"RESULT":{},`, 1),
		"byte order mark":                 "\ufeff" + flat,
		"UTF-16, little-endian":           inUTF16(littleEndian, binary.LittleEndian, flat),
		"UTF-16, big-endian":              inUTF16(bigEndian, binary.BigEndian, flat),
		"UTF-16 without a mark":           inUTF16("", binary.LittleEndian, flat),
		"UTF-16, big-endian, no mark":     inUTF16("", binary.BigEndian, flat),
		"base64":                          inBase64(flat),
		"base64 in lines":                 inLines(inBase64(flat)),
		"base64 without padding":          strings.TrimRight(inBase64(flat+" "), "="),
		"base64 for URLs":                 base64.URLEncoding.EncodeToString([]byte(flat)),
		"base64 of UTF-16":                inBase64(inUTF16(littleEndian, binary.LittleEndian, flat)),
		"encoded twice":                   quoted(flat),
		"encoded three times":             quoted(quoted(flat)),
		"base64 of what is encoded twice": inBase64(quoted(flat)),
		"base64 as a JSON string":         quoted(inBase64(flat)),
	}
}

func TestParseServiceAccountKey(t *testing.T) {
	t.Parallel()
	private := oldAccount().PrivateKey
	pkcs8 := encode("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(private))
	pkcs1 := encode("RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(private), nil)
	public := encode("PUBLIC KEY")(x509.MarshalPKIXPublicKey(&private.PublicKey))
	documents := wrapped(string(oldAccount().Credentials()))
	newlines := func(with string) string { return credentials("private_key", strings.ReplaceAll(pkcs8, "\n", with)) }
	maps.Copy(documents, map[string]string{
		"account_id as string":            credentials("account_id", accountText),
		"account_id as string with space": credentials("account_id", " "+accountText+"\n"),
		"key_id with space at its ends":   credentials("key_id", "\t "+oldAccount().KeyID+" \r\n"),
		"PKCS#1":                          credentials("private_key", pkcs1),
		"backslash n for newlines":        newlines(`\n`),
		"backslash r, backslash n":        newlines(`\r\n`),
		"escaped four times":              newlines(`\\\\\\\\n`),
		"CRLF":                            newlines("\r\n"),
		"spaces for newlines":             newlines(" "),
		"line breaks in the JSON string":  strings.ReplaceAll(credentials("private_key", pkcs8), `\n`, "\n"),
		"no white space at all":           credentials("private_key", strings.Join(strings.Fields(pkcs8), "")),
		"private_key encoded twice":       credentials("private_key", quoted(pkcs8)),
		"private_key with slashes as PHP": credentials("private_key", strings.ReplaceAll(pkcs8, "/", `\/`)),
		"private_key in base64":           credentials("private_key", inLines(inBase64(pkcs8))),
		"private_key after its public":    credentials("private_key", public+pkcs8),
		"private_key before its public":   credentials("private_key", "Bag Attributes: none\n"+pkcs8+public),
		"fields we do not know of":        credentials("role", "Developer"),
	})
	for name, document := range documents {
		key, err := auth.ParseServiceAccountKey([]byte(document))
		if err != nil || key.AccountID != accountID || key.KeyID != oldAccount().KeyID || !key.PrivateKey.Equal(private) {
			t.Errorf("%s: ParseServiceAccountKey = %v, %v; want account %d, key %s", name, key, err, accountID, oldAccount().KeyID)
		}
	}
}

func TestParseServiceAccountKeyAccountID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"7.7e9": 7_700_000_000, "60.0": 60, "1e6": 1_000_000, "1.234567891011E+12": accountID, "1234567891011000e-3": accountID,
		"9223372036854775807": math.MaxInt64, "9007199254740993.0": 9007199254740993, "9.223372036854775807e18": math.MaxInt64,
		`"7.7e9"`: 7_700_000_000, "1": 1,

		"1.5": 0, "-7": 0, "0": 0, "0.0": 0, "-0": 0, "1e-1": 0, "9223372036854775808": 0, "9.3e18": 0, "1e19": 0,
		"1e999999999": 0, "1e-999999999": 0, "1e99999999999999999999": 0, "9007199254740993.5": 0,
		`"1/2"`: 0, `"4/2"`: 0, `"0x10"`: 0, `"1_000"`: 0, `"Inf"`: 0, `"1e"`: 0, `""`: 0, `" "`: 0, `"7 7"`: 0,
	} {
		key, err := auth.ParseServiceAccountKey([]byte(credentials("account_id", json.RawMessage(text))))
		switch {
		case want > 0 && (err != nil || key.AccountID != want):
			t.Errorf("account_id %s: %v; want %d", text, err, want)
		case want == 0 && (err == nil || err.Error() != "account_id is not a positive integer"):
			t.Errorf("account_id %s: %v; want it refused", text, err)
		}
	}
}

func TestParseServiceAccountKeyAcceptsALongKeyID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("~", 100)
	if key, err := auth.ParseServiceAccountKey([]byte(credentials("key_id", long))); err != nil || key.KeyID != long {
		t.Errorf("ParseServiceAccountKey = %v, %v; want key %s", key, err, long)
	}
}

// The errors are compared to the letter, so none of them shows the document.
func TestParseServiceAccountKeyErrors(t *testing.T) {
	t.Parallel()
	const (
		notObject  = "the document is not a JSON object"
		notUnicode = "the document is neither UTF-8 nor UTF-16"
		notInteger = "account_id is not a positive integer"
		noAccount  = "account_id is missing"
		noID       = "key_id is not an id: it has a character other than visible ASCII, or more than 100"
		noBegin    = "private_key has no BEGIN line, with which a PEM begins"
		cutShort   = "private_key is cut short: it has no END line, or not the whole of it"
		unmatched  = "private_key has BEGIN and END lines that do not match"
		noBase64   = "private_key is damaged: between its BEGIN and END lines is no base64"
		pieceGone  = "private_key is damaged: a piece of it is missing"
		damaged    = "private_key is damaged, or no RSA key"
		encrypted  = "private_key is encrypted; it must be without a passphrase"
		curve      = "private_key is an elliptic curve key; RS256 needs an RSA key"
		public     = "private_key is a public key"
	)
	flat := string(oldAccount().Credentials())
	key := oldAccount().PrivateKey
	private := encode("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(key))
	body := strings.Split(private, "\n")
	without := func(lines ...int) string { // the PEM without some of its lines
		var left []string
		for i, line := range body {
			if !slices.Contains(lines, i) && !slices.Contains(lines, i-len(body)) {
				left = append(left, line)
			}
		}
		return strings.Join(left, "\n")
	}
	legacy := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
	tests := []struct{ name, document, want string }{
		{"empty", "", "the document is empty"},
		{"an empty string", `""`, "the document is empty"},
		{"the mark of UTF-16", "\xff\xfe", "the document is empty"},
		{"half of the little-endian mark", "\xffab", notUnicode},
		{"half of the big-endian mark", "\xfeab", notUnicode},
		{"a PEM", private, "the document is a PEM alone, not the JSON file that holds it"},
		{"text", "secret " + accountText, notObject},
		{"cut short", flat[:len(flat)-20], "the document is cut short"},
		{"base64 cut short", inBase64(flat)[:1000], "the document is cut short"},
		{"base64 of a brace", inBase64("{"), "the document is cut short"},
		{"base64 of nothing", "==", notObject},
		{"base64 damaged", "!" + inBase64(flat), notObject},
		{"string cut short", quoted(flat)[:1000], "the document is a JSON string that is damaged or cut short"},
		{"UTF-16 cut short", inUTF16("\xff\xfe", binary.LittleEndian, flat)[:1001], "the document is UTF-16 and ends within a character"},
		{"Latin-1", strings.Replace(flat, "{", "{\"\xe9\":1,", 1), notUnicode},
		{"encoded too often", quoted(quoted(quoted(quoted(flat)))), "the document is encoded too often"},
		{"not JSON", "{'account_id':" + accountText + "}", "the document is not JSON from byte 1 on"},
		{"something behind it", flat + flat, fmt.Sprintf("the document is not JSON from byte %d on", len(flat))},
		{"array", "[" + flat + "]", notObject},
		{"string", `"` + accountText + `"`, notObject},
		{"null", "null", noAccount},
		{"empty result", `{"result":{}}`, noAccount},
		{"result of another type", `{"result":1234567891011}`, "result has the wrong JSON type"},
		{"members in capitals", `{"ACCOUNT_ID":1,"Key_Id":"x","PRIVATE_KEY":"y"}`, noAccount},
		{"account_id twice", strings.Replace(flat, "{", `{"account_id":7,`, 1), "account_id stands twice in the document"},
		{"wrapped key_id twice", `{"result":` + strings.Replace(flat, "{", `{"key_id":"x",`, 1) + `}`, "result.key_id stands twice in the document"},
		{"a secret twice", `{"` + accountText + `":1,"` + accountText + `":2}`, "a member stands twice in the document"},
		{"account_id missing", credentials("account_id", nil), noAccount},
		{"account_id null", credentials("account_id", json.RawMessage("null")), noAccount},
		{"account_id negative", credentials("account_id", -accountID), notInteger},
		{"account_id an object", credentials("account_id", map[string]int{"id": accountID}), notInteger},
		{"key_id missing", credentials("key_id", nil), "key_id is missing"},
		{"key_id white space", credentials("key_id", " \n"), "key_id is missing"},
		{"key_id a number", credentials("key_id", accountID), "key_id has the wrong JSON type"},
		{"key_id the private key", credentials("key_id", private), noID},
		{"key_id of 101 characters", credentials("key_id", strings.Repeat("~", 101)), noID},
		{"key_id with a space", credentials("key_id", "a b"), noID},
		{"key_id with a letter that looks like another", credentials("key_id", "а-1"), noID},
		{"wrapped key_id a number", `{"result":` + credentials("key_id", accountID) + `}`, "result.key_id has the wrong JSON type"},
		{"private_key missing", credentials("private_key", nil), "private_key is missing"},
		{"private_key white space", credentials("private_key", " \n"), "private_key is missing"},
		{"private_key an array", credentials("private_key", []string{private}), "private_key has the wrong JSON type"},
		{"private_key without its BEGIN line", credentials("private_key", without(0)), noBegin},
		{"private_key without its END line", credentials("private_key", without(-2)), cutShort},
		{"private_key cut short", credentials("private_key", private[:1000]), cutShort},
		{"private_key cut in its END line", credentials("private_key", private[:len(private)-3]), cutShort},
		{"private_key cut in its BEGIN line", credentials("private_key", private[:15]), cutShort},
		{"private_key with lines of two PEMs", credentials("private_key", strings.Replace(private, "END ", "END RSA ", 1)), unmatched},
		{"private_key damaged", credentials("private_key", strings.Replace(private, "/", "!", 1)), noBase64},
		{"private_key without a line", credentials("private_key", without(3)), pieceGone},
		{"private_key with a wrong digit", credentials("private_key", strings.Replace(private, body[6], body[7], 1)), damaged},
		{"private_key that is a certificate inside", credentials("private_key", encode("PRIVATE KEY")(x509.MarshalPKIXPublicKey(&key.PublicKey))), damaged},
		{"private_key twice", credentials("private_key", private+private), "private_key holds more than one private key"},
		{"private_key public", credentials("private_key", encode("PUBLIC KEY")(x509.MarshalPKIXPublicKey(&key.PublicKey))), public},
		{"private_key a certificate", credentials("private_key", encode("CERTIFICATE")([]byte("x"), nil)), "private_key is a certificate"},
		{"private_key a request", credentials("private_key", encode("CERTIFICATE REQUEST")([]byte("x"), nil)), "private_key is a PEM of something else"},
		{"private_key of OpenSSH", credentials("private_key", encode("OPENSSH PRIVATE KEY")([]byte("x"), nil)), "private_key is in OpenSSH's form; it must be PKCS#8 or PKCS#1"},
		{"private_key of elliptic curve", credentials("private_key", ecPEM("PRIVATE KEY", x509.MarshalPKCS8PrivateKey)), curve},
		{"private_key of elliptic curve, SEC 1", credentials("private_key", ecPEM("EC PRIVATE KEY", func(key any) ([]byte, error) {
			return x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
		})), curve},
		{"private_key of Ed25519", credentials("private_key", encode("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, 32))))), "private_key is a key of another kind; RS256 needs an RSA key"},
		{"private_key encrypted", credentials("private_key", encode("ENCRYPTED PRIVATE KEY")([]byte("x"), nil)), encrypted},
		{"private_key encrypted by OpenSSL of old", credentials("private_key", legacy), encrypted},
		{"private_key too short", credentials("private_key", encode("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(cheapKey()))), "private_key has 512 bits; RS256 needs at least 2048"},
	}
	for _, test := range tests {
		key, err := auth.ParseServiceAccountKey([]byte(test.document))
		if key != nil || err == nil || err.Error() != test.want {
			t.Errorf("%s: ParseServiceAccountKey = %v, %v; want %q", test.name, key, err, test.want)
		}
	}
}

// cheapKey has 512 bits, so that thousands a second are parsed. It is no secret.
func cheapKey() *rsa.PrivateKey {
	p, ok1 := new(big.Int).SetString("f774eb5248db40af72158370d269a9a5ae658f33fe3b890b93f448b3a5aa3c81", 16)
	q, ok2 := new(big.Int).SetString("cf28f65e408fc146794ec926bc9e28eabee8062610e8ad0186a74a63a8c7d9e1", 16)
	if !ok1 || !ok2 {
		panic("not numbers")
	}
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	const e = 65537
	return &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: e},
		D:         new(big.Int).ModInverse(big.NewInt(e), phi),
		Primes:    []*big.Int{p, q},
	}
}

// FuzzParseServiceAccountKey: there is a whole key or an error that shows none
// of the document, and what is put around a document changes neither.
func FuzzParseServiceAccountKey(f *testing.F) {
	pkcs8 := encode("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(cheapKey()))
	pkcs1 := encode("RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(cheapKey()), nil)
	flat := credentials("private_key", pkcs8)
	for _, document := range wrapped(flat) {
		f.Add([]byte(document))
	}
	for _, document := range []string{
		"", "null", `[{}]`, credentials("account_id", "7"), credentials("private_key", pkcs1),
		credentials("private_key", strings.ReplaceAll(pkcs8, "\n", " ")), strings.ReplaceAll(flat, `\n`, `\\n`),
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		key, err := auth.ParseKey(document, 512)
		switch {
		case err == nil && (key.AccountID <= 0 || key.KeyID == "" || key.PrivateKey.N.BitLen() < 512):
			t.Errorf("ParseKey(%q) = account %d, %v; want all three fields", document, key.AccountID, key)
		case err != nil && key != nil:
			t.Errorf("ParseKey(%q) = a key and %v; want one of them", document, err)
		case err != nil && strings.ContainsAny(err.Error(), "{}\"\\+/="):
			t.Errorf("ParseKey(%q) = _, %v; want an error that quotes nothing", document, err)
		}
		if !utf8.Valid(document) || len(document) == 0 || document[0] != '{' || bytes.ContainsRune(document, 0) { // 0 looks like UTF-16
			return
		}
		for _, around := range []string{inBase64(string(document)), quoted(string(document))} {
			again, errAgain := auth.ParseKey([]byte(around), 512)
			if fmt.Sprint(again, errAgain) != fmt.Sprint(key, err) {
				t.Errorf("ParseKey(%q) = %v, %v; want %v, %v as without what is around it", around, again, errAgain, key, err)
			}
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
