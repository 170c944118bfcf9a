package voximplanttest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

const keyBits = 2048

// A ServiceAccount is a service account of AccountID together with its private key.
type ServiceAccount struct {
	AccountID  int64
	KeyID      string
	PrivateKey *rsa.PrivateKey
}

// NewServiceAccount returns a service account with a fresh key and key id. A server
// accepts it once AddKey was given its KeyID and public key.
func NewServiceAccount(accountID int64) (*ServiceAccount, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("voximplanttest: generate service account key: %w", err)
	}
	return &ServiceAccount{AccountID: accountID, KeyID: newKeyID(), PrivateKey: key}, nil
}

// Credentials returns the JSON document that Voximplant issues for the account: flat,
// with the private key in PKCS#8 PEM. It panics if PrivateKey is not a valid key.
func (a *ServiceAccount) Credentials() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(a.PrivateKey)
	if err != nil {
		panic(fmt.Sprintf("voximplanttest: encode private key: %v", err))
	}
	b, err := json.Marshal(struct {
		AccountEmail string `json:"account_email"`
		AccountID    int64  `json:"account_id"`
		KeyID        string `json:"key_id"`
		PrivateKey   string `json:"private_key"`
	}{
		AccountEmail: "owner@example.com",
		AccountID:    a.AccountID,
		KeyID:        a.KeyID,
		PrivateKey:   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		panic(fmt.Sprintf("voximplanttest: encode credentials: %v", err))
	}
	return b
}

// newKeyID returns a random id in the form of a UUID, which the real ones have.
func newKeyID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
