package e2etest_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"voxkv/internal/e2etest"
	"voxkv/internal/voximplanttest"
)

const secretValue = "the value <nobody> may see"

// plants are the ways in which a secret may get into an output.
func plants(a *voximplanttest.ServiceAccount, token string) map[string]string {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(a.PrivateKey)
	if err != nil {
		panic(err)
	}
	block := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	body := strings.Join(strings.Split(block, "\n")[3:20], "\n")
	pkcs1 := x509.MarshalPKCS1PrivateKey(a.PrivateKey)
	std := base64.StdEncoding.EncodeToString
	parts := strings.Split(token, ".")
	return map[string]string{
		"the document":                  string(a.Credentials()),
		"the document in JSON":          inJSON(string(a.Credentials())),
		"the document in JSON in JSON":  inJSON(inJSON(string(a.Credentials()))),
		"PEM":                           block,
		"a middle of the PEM":           body,
		"one line of the PEM":           strings.Split(body, "\n")[8],
		"a middle of the PEM in JSON":   inJSON(body),
		"a middle of the PEM in a URL":  url.QueryEscape(body),
		"a middle in lines of 16":       regroup(body, 16),
		"PKCS#8 in base64":              std(pkcs8)[400:900],
		"PKCS#8 in base64, shifted":     std(append([]byte{1}, pkcs8...))[400:900],
		"PKCS#8 in base64, twice":       std(append([]byte{1, 2}, pkcs8...))[400:900],
		"PKCS#1 in base64":              std(pkcs1)[400:900],
		"PKCS#1 in URL-safe base64":     base64.RawURLEncoding.EncodeToString(pkcs1)[401:903],
		"a slash escaped":               strings.ReplaceAll(std(pkcs1)[400:900], "/", `\/`),
		"a plus escaped":                strings.ReplaceAll(std(pkcs1)[400:900], "+", `\u002b`),
		"hexadecimal":                   hex.EncodeToString(pkcs1)[900:],
		"upper-case hexadecimal":        strings.ToUpper(hex.EncodeToString(pkcs1)[901:]),
		"raw bytes":                     string(pkcs1[600:]),
		"quoted bytes":                  fmt.Sprintf("%q", pkcs1[600:900]),
		"a list of bytes":               fmt.Sprint(pkcs1[600:900]),
		"the key printed":               fmt.Sprintf("%+v", a.PrivateKey),
		"the exponent":                  a.PrivateKey.D.String()[100:150],
		"a prime":                       a.PrivateKey.Primes[0].String()[10:60],
		"another prime in hexadecimal":  fmt.Sprintf("%x", a.PrivateKey.Primes[1]),
		"a PEM key of another account":  "-----BEGIN RSA PRIVATE KEY-----",
		"a token":                       token,
		"the first part of a token":     parts[0],
		"the second part":               parts[1],
		"the third part":                parts[2],
		"the third part, decoded":       string(decoded(parts[2])),
		"the claims, decoded":           string(decoded(parts[1])),
		"a header":                      "authorization: Bearer abc",
		"a request":                     "map[Authorization:[AWS4-HMAC-SHA256 Credential=AKIA]]",
		"the account id":                fmt.Sprint("account ", a.AccountID),
		"the account id, any":           fmt.Sprint(float64(a.AccountID)),
		"the account id in base64":      std(fmt.Append(nil, "x", a.AccountID, "x")),
		"a value":                       "… " + secretValue + " …",
		"a value in JSON":               inJSON(secretValue),
		"a value in a URL":              url.PathEscape(secretValue),
		"a value in hexadecimal":        hex.EncodeToString([]byte(secretValue)),
		"a value in base64":             std([]byte("ab" + secretValue)),
		"a value in base64 without pad": base64.RawURLEncoding.EncodeToString([]byte(secretValue)),
	}
}

func inJSON(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// regroup breaks text into lines of n.
func regroup(text string, n int) string {
	lines := slices.Chunk([]byte(strings.ReplaceAll(text, "\n", "")), n)
	return string(bytes.Join(slices.Collect(lines), []byte("\n")))
}

func decoded(part string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		panic(err)
	}
	return b
}

func newFinder(t *testing.T) (*e2etest.LeakFinder, map[string]string) {
	t.Helper()
	account, err := voximplanttest.NewServiceAccount(e2etest.AccountID)
	if err != nil {
		t.Fatal(err)
	}
	raw := base64.RawURLEncoding.EncodeToString
	token := strings.Join([]string{
		raw([]byte(`{"alg":"RS256","kid":"` + account.KeyID + `","typ":"JWT"}`)),
		raw([]byte(`{"exp":1795451572,"iat":1795450662,"iss":` + fmt.Sprint(e2etest.AccountID) + `}`)),
		raw(account.PrivateKey.N.Bytes()), // as long as a signature, and as random
	}, ".")
	f := new(e2etest.LeakFinder)
	f.AddAccount(account)
	f.AddToken(token)
	f.Add("a value", secretValue)
	return f, plants(account, token)
}

// TestLeakFinderFinds plants each secret in an innocent text.
func TestLeakFinderFinds(t *testing.T) {
	t.Parallel()
	f, plants := newFinder(t)
	for name, plant := range plants {
		if found := f.Find(innocent + plant + innocent); len(found) == 0 {
			t.Errorf("%s was not found", name)
		}
	}
}

const innocent = `{"statusCode":200,"headers":{"Access-Control-Allow-Headers":"If-None-Match, traceparent, Authorization",` +
	`"ETag":"\"eyJQWI8F8UAhD1M0\"","X-Request-Id":"8f5c3a52-5f0e-4c39-9d0c-5f8a3b1f6f0e"},"body":"{\"expires_at\":1795451572}"}` +
	"\n2026/11/23 12:00:00 no token yet: auth: secret \"voxkv/service-account\": private_key is missing %20 %zz \\u12\n"

// TestLeakFinderIsNotAfraid: what an answer may hold is no leak, nor is what is public of a key.
func TestLeakFinderIsNotAfraid(t *testing.T) {
	t.Parallel()
	f, _ := newFinder(t)
	other, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		t.Fatal(err)
	}
	public := fmt.Sprint(rsa.PublicKey{N: other.PrivateKey.N, E: 65537}, x509.MarshalPKCS1PublicKey(&other.PrivateKey.PublicKey), other.KeyID)
	if found := f.Find(innocent + public); len(found) > 0 {
		t.Errorf("found %q in an innocent text", found)
	}
}
