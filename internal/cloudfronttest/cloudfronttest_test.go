package cloudfronttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestVerifies holds that a signature opens what it is for, and that nothing else does.
func TestVerifies(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := &Distribution{
		Keys: map[string]crypto.PublicKey{"RSA": rsaKey.Public(), "EC": ecdsaKey.Public()},
		Origin: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %q %q", r.RequestURI, r.URL.RawQuery, r.Header.Get("Cookie"))
		}),
	}
	end := time.Now().Add(time.Hour).Unix()
	canned := func(key crypto.Signer, hash crypto.Hash, url string, end int64) string {
		return signature(t, key, hash, fmt.Sprintf(`{"Statement":[{"Resource":"http://kv.example%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}`, url, end))
	}
	custom := `{"Statement":[{"Resource":"http://kv.example/v1/*","Condition":{"DateLessThan":{"AWS:EpochTime":` + fmt.Sprint(end) + `}}}]}`
	link := fmt.Sprintf("/v1/items/a?Expires=%d&Signature=%s&Key-Pair-Id=RSA", end, canned(rsaKey, crypto.SHA1, "/v1/items/a", end))
	cookie := "CloudFront-Policy=" + encode(custom) + "; CloudFront-Signature=" + signature(t, rsaKey, crypto.SHA1, custom) + "; CloudFront-Key-Pair-Id=RSA"
	for name, tt := range map[string]struct {
		url, cookie, want string
	}{
		"link":               {link, "", `/v1/items/a "" ""`},
		"ECDSA, SHA-256":     {fmt.Sprintf("/v1/items/a?Expires=%d&Signature=%s&Key-Pair-Id=EC&Hash-Algorithm=SHA256", end, canned(ecdsaKey, crypto.SHA256, "/v1/items/a", end)), "", `/v1/items/a "" ""`},
		"query":              {fmt.Sprintf("/v1/items?key=..&Expires=%d&Signature=%s&Key-Pair-Id=RSA", end, canned(rsaKey, crypto.SHA1, "/v1/items?key=..", end)), "", `/v1/items?key=.. "key=.." ""`},
		"cookie":             {"/v1/items/b", cookie, `/v1/items/b "" ""`},
		"health":             {"/v1/health?Expires=1", "", `/v1/health "" ""`},
		"nothing":            {"/v1/items/a", "", "MissingKey"},
		"another item":       {strings.Replace(link, "items/a", "items/b", 1), "", "AccessDenied"},
		"another end":        {strings.Replace(link, "Expires=1", "Expires=2", 1), "", "AccessDenied"},
		"another key":        {strings.Replace(link, "=RSA", "=EC", 1), "", "AccessDenied"},
		"unknown key":        {strings.Replace(link, "=RSA", "=KX", 1), "", "AccessDenied"},
		"another hash":       {link + "&Hash-Algorithm=SHA256", "", "AccessDenied"},
		"no signature":       {"/v1/items/a?Key-Pair-Id=RSA", "", "AccessDenied"},
		"ended":              {fmt.Sprintf("/v1/items/a?Expires=1&Signature=%s&Key-Pair-Id=RSA", canned(rsaKey, crypto.SHA1, "/v1/items/a", 1)), "", "AccessDenied"},
		"outside the policy": {"/v2/items/b", cookie, "AccessDenied"},
		"no base64":          {"/v1/items/a?Policy=+&Signature=a&Key-Pair-Id=RSA", "", "MalformedPolicy"},
	} {
		r := httptest.NewRequest(http.MethodGet, tt.url, nil)
		r.Host = "kv.example"
		r.Header.Set("Cookie", tt.cookie)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if refused := !strings.HasPrefix(tt.want, "/"); refused != (w.Code == http.StatusForbidden) || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s; want %s", name, w.Code, w.Body, tt.want)
		}
	}
}

func signature(t *testing.T, key crypto.Signer, hash crypto.Hash, statement string) string {
	t.Helper()
	sum := hash.New()
	sum.Write([]byte(statement))
	signature, err := key.Sign(rand.Reader, sum.Sum(nil), hash)
	if err != nil {
		t.Fatal(err)
	}
	return encode(string(signature))
}

func encode(text string) string {
	return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(base64.StdEncoding.EncodeToString([]byte(text)))
}
