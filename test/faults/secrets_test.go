//go:build linux

package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/secretsmanagertest"
	"voxkv/internal/voximplanttest"
)

// store makes the key of account the current one.
func (s *sandbox) store(account *voximplanttest.ServiceAccount) {
	s.Secrets.Put(e2etest.SecretID, string(account.Credentials()))
}

// refusal is a fault that lets Secrets Manager answer with an error.
func refusal(status int, typ string) fault {
	return fault{typ, func(_ *testing.T, s *sandbox) {
		s.Secrets.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			secretsmanagertest.WriteError(w, status, typ, refusalWords+" no")
			return true
		})
	}}
}

// page lets Secrets Manager answer like a proxy in front of it.
func page(status int) func(*testing.T, *sandbox) { return spill(status, html) }

// spill lets Secrets Manager answer with body, in which DOCUMENT stands for the secret.
func spill(status int, body string) func(*testing.T, *sandbox) {
	return func(_ *testing.T, s *sandbox) {
		s.Secrets.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			io.WriteString(w, strings.ReplaceAll(body, "DOCUMENT", string(accounts[0].Credentials())))
			return true
		})
	}
}

var (
	throttled = []fault{
		refusal(400, "ThrottlingException"), refusal(500, "InternalServiceError"), refusal(503, "ServiceUnavailable"),
		{"HTML and 502", page(http.StatusBadGateway)}, {"the document and 500", spill(http.StatusInternalServerError, "DOCUMENT")},
	}
	denied = []fault{
		refusal(400, "AccessDeniedException"), refusal(400, "ResourceNotFoundException"), refusal(400, "DecryptionFailure"),
		refusal(403, "UnrecognizedClientException"), refusal(403, "ExpiredTokenException"),
		{"a deleted secret", func(_ *testing.T, s *sandbox) { s.Secrets.Delete(e2etest.SecretID) }},
	}
	nonsense = []fault{
		{"HTML", page(http.StatusOK)},
		{"the document as an object", spill(http.StatusOK, `{"Name":"x","SecretString":DOCUMENT}`)},
	}
	lost = []fault{
		{"closed", func(_ *testing.T, s *sandbox) { s.secrets.refuse() }},
		{"reset", func(_ *testing.T, s *sandbox) { s.secrets.becomes(reset) }},
	}
	mutes = []fault{
		{"connecting", func(t *testing.T, s *sandbox) { s.secrets.drop(t) }},
		{"headers", func(_ *testing.T, s *sandbox) { s.secrets.becomes(mute) }},
		{"body", func(_ *testing.T, s *sandbox) {
			s.Secrets.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Content-Length", "1000")
				io.WriteString(w, `{"Name":"`)
				http.NewResponseController(w).Flush()
				<-r.Context().Done()
				return true
			})
		}},
	}
)

func noKeyRows() []row {
	// What Init learned of a secret that must be mended holds for 5 s.
	return []row{
		{name: "it throttles, or has a fault of its own, or there is one before it", faults: throttled, want: unavailable, reads: times(3), fromStart: true},
		{name: "it denies access, knows no such secret, or cannot decrypt it", faults: denied, want: internal, reads: span{0, 1}, fromStart: true, lasting: true},
		{name: "it answers nonsense", faults: nonsense, want: unavailable, reads: times(1), fromStart: true},
		{name: "it cannot be reached", faults: lost, want: unavailable, reads: unseen, fromStart: true},
		{name: "it does not answer within `UPSTREAM_TIMEOUT`", faults: mutes, want: timeout, reads: span{0, 1}, fromStart: true, settings: brief},
		{name: "it does not answer before the invocation's time ends, here 3 s", faults: mutes, want: timeout, reads: span{0, 1}, fromStart: true, wait: 3 * time.Second, settings: long},
		{name: "the secret is not a service-account document", faults: malformed(), want: internal, reads: span{0, 1}, fromStart: true, lasting: true},
		{name: "the key in the secret is not an RSA key of 2048 bits or more", faults: wrongKeys(), want: internal, reads: span{0, 1}, fromStart: true, lasting: true},
		{name: "the key in the secret is not one that Voximplant knows", faults: one(func(_ *testing.T, s *sandbox) { s.store(accounts[1]) }), want: failure, calls: times(2), reads: times(1), fromStart: true, aged: true, lasting: true},
	}
}

// malformed are secrets that hold something else. The words in them must not
// get out. Those that auth refuses are many more.
func malformed() []fault {
	document := string(accounts[0].Credentials())
	key := strings.TrimSuffix(document[strings.Index(document, "-----BEGIN"):], `"}`)
	all := []fault{{"the document without a name", spill(http.StatusOK, "DOCUMENT")}}
	for name, secret := range map[string]string{
		"nothing":         "",
		"text":            upstreamWords,
		"half":            document[:900],
		"the key alone":   strings.ReplaceAll(key, `\n`, "\n"),
		"a cut key":       strings.Replace(document, key, key[:800], 1),
		"key for account": strings.Replace(document, "7734015923", `"`+key+`"`, 1),
		"object for id":   strings.Replace(document, `"`+accounts[0].KeyID+`"`, `{"x":"`+key+`"}`, 1),
	} {
		all = append(all, fault{name, func(_ *testing.T, s *sandbox) { s.Secrets.Put(e2etest.SecretID, secret) }})
	}
	return all
}

// wrongKeys are secrets with a key of another kind.
func wrongKeys() (all []fault) {
	small, err1 := rsa.GenerateKey(rand.Reader, 1024)
	curve, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	pkcs8, err3 := x509.MarshalPKCS8PrivateKey(curve)
	if err := errors.Join(err1, err2, err3); err != nil {
		panic(err)
	}
	for name, block := range map[string]*pem.Block{
		"1024 bits": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)},
		"a curve":   {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		all = append(all, fault{name, func(_ *testing.T, s *sandbox) {
			s.Secrets.Put(e2etest.SecretID, fmt.Sprintf(`{"account_id":%d,"key_id":%q,"private_key":%q}`, e2etest.AccountID, accounts[0].KeyID, pem.EncodeToMemory(block)))
		}})
	}
	return all
}

func keyRows() []row {
	both := func(faults ...[]fault) (all []fault) {
		for _, more := range faults {
			for _, f := range more {
				all = append(all, fault{f.name, func(t *testing.T, s *sandbox) {
					f.do(t, s)
					refuseToken(t, s)
				}})
			}
		}
		return all
	}
	var all []fault
	for _, faults := range [][]fault{throttled, denied, nonsense, lost, mutes, malformed(), wrongKeys()} {
		all = append(all, faults...)
	}
	return []row{
		{name: "any of the above", faults: all, want: found, calls: times(1)},
		{name: "it throttles or fails, and Voximplant refuses the token once", faults: both(throttled), want: found, calls: times(2), reads: span{2, 3}, aged: true},
		{name: "it refuses or answers nonsense, and Voximplant refuses the token once", faults: both(denied, nonsense, malformed(), wrongKeys()), want: found, calls: times(2), reads: times(1), aged: true},
		{name: "it cannot be reached, and Voximplant refuses the token once", faults: both(lost), want: found, calls: times(2), reads: unseen, aged: true},
		{name: "it does not answer for 2 s, and Voximplant refuses the token once", faults: both(mutes), want: found, calls: times(2), reads: span{0, 1}, aged: true},
		{name: "there is a new key, and Voximplant refuses the old one", faults: one(func(_ *testing.T, s *sandbox) { s.rotate() }), want: found, calls: times(2), reads: times(1)},
	}
}

// TestSlowKeyInTime: where the invocation has less time than it takes to find out that the secret can do
// without, the answer comes in time.
func TestSlowKeyInTime(t *testing.T) {
	t.Parallel()
	for _, f := range mutes {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newBubble(t, long...)
				nextSecond()
				f.do(t, s)
				refuseToken(t, s)
				a := s.get(t, "order:1", 2*time.Second)
				a.want(t, "with a deadline", 504)
				a.checkInTime(t)
			})
		})
	}
}

// admit has Voximplant accept the second key.
func (s *sandbox) admit() {
	s.Leaks.AddAccount(accounts[1])
	s.Voximplant.AddKey(accounts[1].KeyID, &accounts[1].PrivateKey.PublicKey)
}

// rotate stores another key, and has Voximplant refuse the first.
func (s *sandbox) rotate() {
	s.admit()
	s.store(accounts[1])
	s.Voximplant.RemoveKey(accounts[0].KeyID)
}
