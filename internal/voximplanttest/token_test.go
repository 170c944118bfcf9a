package voximplanttest_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"voxkv/internal/voximplanttest"
)

func TestTokenClaims(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(*jwt.Token, jwt.MapClaims) {
		return func(_ *jwt.Token, c jwt.MapClaims) { c[name] = value }
	}
	unset := func(name string) func(*jwt.Token, jwt.MapClaims) {
		return func(_ *jwt.Token, c jwt.MapClaims) { delete(c, name) }
	}
	span := func(iat, exp int) func(*jwt.Token, jwt.MapClaims) {
		return func(_ *jwt.Token, c jwt.MapClaims) { c["iat"], c["exp"] = start+iat, start+exp }
	}
	tests := []struct {
		name string
		edit func(*jwt.Token, jwt.MapClaims)
		want int
	}{
		{"as documented", nil, 0},
		{"issuer as string", set("iss", "1234567"), 0},
		{"issuer of another account", set("iss", 1234568), 100},
		{"issuer as string of another account", set("iss", "1234568"), 100},
		{"issuer in exponent form", set("iss", json.RawMessage("1.234567e6")), 100},
		{"no issuer", unset("iss"), 100},
		{"no iat", unset("iat"), 447},
		{"iat as string", set("iat", "1800000000"), 447},
		{"iat as far ahead as tolerated", span(5, 900), 0},
		{"iat further ahead", span(6, 900), 455},
		{"no exp", unset("exp"), 447},
		{"exp with a fraction", set("exp", start+900.5), 447},
		{"one second left", span(-10, 1), 0},
		{"expiring now", span(-10, 0), 456},
		{"long expired", span(-7200, -3600), 456},
		{"longest life", span(-10, 3590), 0},
		{"longer than the longest life", span(-10, 3591), 454},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkToken(t, bearer(t, tt.edit), tt.want)
		})
	}
}

func TestTokenHeaderAndSignature(t *testing.T) {
	t.Parallel()
	good := bearer(t, nil)
	otherClaims := func(_ *jwt.Token, c jwt.MapClaims) { c["exp"] = start + 901 }
	header := func(name string, value any) func(*jwt.Token, jwt.MapClaims) {
		return func(token *jwt.Token, _ jwt.MapClaims) { token.Header[name] = value }
	}
	tests := []struct {
		name          string
		authorization string
		want          int
	}{
		{"another scheme", "Basic " + strings.TrimPrefix(good, "Bearer "), 100},
		{"no scheme", strings.TrimPrefix(good, "Bearer "), 100},
		{"empty token", "Bearer ", 447},
		{"not a token", "Bearer secret", 447},
		{"cut off before the signature", good[:strings.LastIndex(good, ".")], 447},
		{"padded", good + "==", 447},
		{"bits left over in the encoding", good[:len(good)-1] + string(good[len(good)-1]+1), 447},
		{"signature of other claims", transplant(good, bearer(t, otherClaims)), 100},
		{"no typ", bearer(t, header("typ", nil)), 447},
		{"another typ", bearer(t, header("typ", "at+jwt")), 447},
		{"no kid", bearer(t, header("kid", nil)), 433},
		{"unknown kid", bearer(t, header("kid", "other")), 433},
		{"RS384", resigned(t, jwt.SigningMethodRS384, serviceAccount(t).PrivateKey), 100},
		{"unsigned", unsigned(t), 100},
		{"HS256 keyed with the public key", keyConfusion(t), 100},
		{"key of another account", foreign(t), 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkToken(t, tt.authorization, tt.want)
		})
	}
}

func TestMissingAuthorization(t *testing.T) {
	t.Parallel()
	r := post(t, "/platform_api/GetKeyValueKeys", "application_id=42")
	checkCode(t, serve(t, newServer(t), r), 100)
}

func TestRemoveKey(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	checkCode(t, call(t, s, "GetKeyValueKeys", ""), 0)
	s.RemoveKey(serviceAccount(t).KeyID)
	checkCode(t, call(t, s, "GetKeyValueKeys", ""), 433)
}

func TestTokenExpiresWithTheClock(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Now = func() time.Time { return time.Unix(start+900, 0).Add(-time.Nanosecond) }
	checkCode(t, call(t, s, "GetKeyValueKeys", ""), 0)
	s.Now = func() time.Time { return time.Unix(start+900, 0) }
	checkCode(t, call(t, s, "GetKeyValueKeys", ""), 456)
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

func TestServiceAccountsDiffer(t *testing.T) {
	t.Parallel()
	a := serviceAccount(t)
	b, err := voximplanttest.NewServiceAccount(accountID)
	if err != nil {
		t.Fatal(err)
	}
	if a.KeyID == b.KeyID || a.PrivateKey.Equal(b.PrivateKey) {
		t.Error("two service accounts share a key or its id")
	}
}

func checkToken(t *testing.T, authorization string, want int) {
	t.Helper()
	r := post(t, "/platform_api/GetKeyValueKeys", "application_id=42")
	r.Header.Set("Authorization", authorization)
	checkCode(t, serve(t, newServer(t), r), want)
}

// transplant returns token with the signature of donor.
func transplant(token, donor string) string {
	return token[:strings.LastIndex(token, ".")] + donor[strings.LastIndex(donor, "."):]
}

func unsigned(t *testing.T) string {
	t.Helper()
	return resigned(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType)
}

// keyConfusion returns a token whose symmetric key is what everyone may know.
func keyConfusion(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&serviceAccount(t).PrivateKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return resigned(t, jwt.SigningMethodHS256, public)
}

func foreign(t *testing.T) string {
	t.Helper()
	other, err := voximplanttest.NewServiceAccount(accountID)
	if err != nil {
		t.Fatal(err)
	}
	return resigned(t, jwt.SigningMethodRS256, other.PrivateKey)
}

// resigned returns a token that is good but for its method and key.
func resigned(t *testing.T, method jwt.SigningMethod, key any) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": accountID, "iat": start - 10, "exp": start + 900}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = serviceAccount(t).KeyID
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + signed
}
