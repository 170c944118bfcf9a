package voximplanttest_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"voxkv/internal/voximplanttest"
)

// TestTokens: a token of a good form, and what may be wrong with it.
func TestTokens(t *testing.T) {
	t.Parallel()
	claim := func(name string, value any) string {
		return bearer(t, func(_ *jwt.Token, c jwt.MapClaims) { c[name] = value })
	}
	without := func(name string) string {
		return bearer(t, func(_ *jwt.Token, c jwt.MapClaims) { delete(c, name) })
	}
	span := func(iat, exp int) string {
		return bearer(t, func(_ *jwt.Token, c jwt.MapClaims) { c["iat"], c["exp"] = start+iat, start+exp })
	}
	header := func(name string, value any) string {
		return bearer(t, func(token *jwt.Token, _ jwt.MapClaims) { token.Header[name] = value })
	}
	good, other := bearer(t, nil), span(-10, 901)
	signature := strings.LastIndex(good, ".")
	for _, tt := range []struct {
		name, authorization string
		want                int
	}{
		{"as documented", good, 0},
		{"none", "", 100},
		{"another scheme", "Basic " + strings.TrimPrefix(good, "Bearer "), 100},
		{"no scheme", strings.TrimPrefix(good, "Bearer "), 100},
		{"an empty one", "Bearer ", 447},
		{"no token", "Bearer secret", 447},

		{"issuer as string", claim("iss", "1234567"), 0},
		{"issuer of another account", claim("iss", 1234568), 100},
		{"issuer as string of another account", claim("iss", "1234568"), 100},
		{"issuer in exponent form", claim("iss", json.RawMessage("1.234567e6")), 100},
		{"no issuer", without("iss"), 100},
		{"no iat", without("iat"), 447},
		{"iat as string", claim("iat", "1800000000"), 447},
		{"iat as far ahead as tolerated", span(5, 900), 0},
		{"iat further ahead", span(6, 900), 455},
		{"no exp", without("exp"), 447},
		{"exp with a fraction", claim("exp", start+900.5), 447},
		{"one second left", span(-10, 1), 0},
		{"expiring now", span(-10, 0), 456},
		{"long expired", span(-7200, -3600), 456},
		{"longest life", span(-10, 3590), 0},
		{"longer than the longest life", span(-10, 3591), 454},

		{"no typ", header("typ", nil), 447},
		{"another typ", header("typ", "at+jwt"), 447},
		{"no kid", header("kid", nil), 433},
		{"unknown kid", header("kid", "other"), 433},
		{"cut off before the signature", good[:signature], 447},
		{"padded", good + "==", 447},
		{"bits left over in the encoding", good[:len(good)-1] + string(good[len(good)-1]+1), 447},
		{"signature of other claims", good[:signature] + other[strings.LastIndex(other, "."):], 100},
		{"RS384", signed(t, jwt.SigningMethodRS384, serviceAccount(t).PrivateKey), 100},
		{"unsigned", signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), 100},
		{"HS256 keyed with the public key", signed(t, jwt.SigningMethodHS256, publicKey(t)), 100},
		{"key of another account", signed(t, jwt.SigningMethodRS256, foreignKey(t)), 100},
	} {
		r := post(t, "/platform_api/GetKeyValueKeys", "application_id=42")
		r.Header.Set("Authorization", tt.authorization)
		if got := serve(t, newServer(t), r).Error.Code; got != tt.want {
			t.Errorf("%s: code %d; want %d", tt.name, got, tt.want)
		}
	}
}

// publicKey is what everyone may know, as the key of a symmetric signature.
func publicKey(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&serviceAccount(t).PrivateKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func foreignKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	other, err := voximplanttest.NewServiceAccount(accountID)
	if err != nil {
		t.Fatal(err)
	}
	return other.PrivateKey
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	account := serviceAccount(t)
	var got map[string]any
	if err := json.Unmarshal(account.Credentials(), &got); err != nil {
		t.Fatal(err)
	}
	if got["account_id"] != float64(accountID) || got["key_id"] != account.KeyID || got["account_email"] == "" {
		t.Errorf("credentials name account %v, key %v, email %v", got["account_id"], got["key_id"], got["account_email"])
	}
	block, rest := pem.Decode([]byte(got["private_key"].(string)))
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) != 0 {
		t.Fatal("private_key is not one PKCS#8 PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !account.PrivateKey.Equal(key) {
		t.Error("private_key is another key than PrivateKey")
	}
}
