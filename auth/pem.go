package auth

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
)

// minKeyBits is the size of the smallest RSA key that RS256 may be used with (RFC 7518 section 3.3).
const minKeyBits = 2048

const (
	pemBegin = "-----BEGIN"
	pemEnd   = "-----END"
	pemDash  = "-----"
)

// parsePrivateKey reads an unencrypted RSA key of at least minBits, PKCS#8 or
// PKCS#1, in PEM form (RFC 7468). White space does not matter, so that line breaks
// may have become spaces, or \n escaped any number of times, or may be missing. The
// whole PEM may be encoded in base64.
func parsePrivateKey(text string, minBits int) (*rsa.PrivateKey, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("private_key is missing")
	}
	if inner, ok := decodeBase64([]byte(text)); ok && strings.Contains(string(inner), pemBegin) {
		text = string(inner)
	}
	block, err := privateBlock(withoutSpace(text))
	if err != nil {
		return nil, err
	}
	der, ok := decodeBase64([]byte(block.body))
	switch {
	case strings.HasPrefix(block.label, "ENCRYPTED"), strings.HasPrefix(block.body, "Proc-Type:4,ENCRYPTED"):
		return nil, errors.New("private_key is encrypted; it must be without a passphrase")
	case strings.HasPrefix(block.label, "OPENSSH"):
		return nil, errors.New("private_key is in OpenSSH's form; it must be PKCS#8 or PKCS#1")
	case !ok:
		return nil, errors.New("private_key is damaged: between its BEGIN and END lines is no base64")
	}
	key, err := parseDER(der)
	if err != nil {
		return nil, err
	}
	if bits := key.N.BitLen(); bits < minBits {
		return nil, fmt.Errorf("private_key has %d bits; RS256 needs at least %d", bits, minBits)
	}
	return key, nil
}

// withoutSpace removes white space and quotes, also where they are escaped any
// number of times. That is safe, because no PEM has a backslash of its own.
func withoutSpace(text string) string {
	for strings.Contains(text, `\\`) {
		text = strings.ReplaceAll(text, `\\`, `\`)
	}
	text = strings.NewReplacer(`\n`, " ", `\r`, " ", `\t`, " ", `\/`, "/", `\"`, " ", `"`, " ", "\ufeff", "").Replace(text)
	return strings.Join(strings.Fields(text), "")
}

// A pemBlock is a block of a PEM without white space. Its label has none either,
// so that it is PRIVATEKEY and not PRIVATE KEY.
type pemBlock struct{ label, body string }

// privateBlock returns the block of the one private key in text. There may be
// certificates and public keys beside it.
func privateBlock(text string) (found pemBlock, err error) {
	other := ""
	for strings.Contains(text, pemBegin) {
		var block pemBlock
		if block, text, err = cutBlock(text); err != nil {
			return pemBlock{}, err
		}
		switch {
		case !strings.HasSuffix(block.label, "PRIVATEKEY"):
			other = block.label
		case found.label != "":
			return pemBlock{}, errors.New("private_key holds more than one private key")
		default:
			found = block
		}
	}
	switch {
	case found.label != "":
		return found, nil
	case other == "CERTIFICATE":
		return pemBlock{}, errors.New("private_key is a certificate")
	case strings.HasSuffix(other, "PUBLICKEY"):
		return pemBlock{}, errors.New("private_key is a public key")
	case other != "":
		return pemBlock{}, errors.New("private_key is a PEM of something else")
	}
	return pemBlock{}, errors.New("private_key has no BEGIN line, with which a PEM begins")
}

// cutBlock returns the first block of text, and the text after it.
func cutBlock(text string) (block pemBlock, rest string, err error) {
	_, text, _ = strings.Cut(text, pemBegin)
	label, text, labelled := strings.Cut(text, pemDash)
	body, text, ends := strings.Cut(text, pemEnd)
	last, rest, closed := strings.Cut(text, pemDash)
	switch {
	case !labelled || !ends || !closed:
		return pemBlock{}, "", errors.New("private_key is cut short: it has no END line, or not the whole of it")
	case label != last || strings.Contains(body, pemDash):
		return pemBlock{}, "", errors.New("private_key has BEGIN and END lines that do not match")
	}
	return pemBlock{label, body}, rest, nil
}

// parseDER reads an RSA key in PKCS#1 or PKCS#8, whichever of the two its label names.
func parseDER(der []byte) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, damage(der)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return nil, errCurve()
	}
	return nil, errors.New("private_key is a key of another kind; RS256 needs an RSA key")
}

// damage says what is wrong with der, which is neither PKCS#1 nor PKCS#8.
func damage(der []byte) error {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return errors.New("private_key is damaged: a piece of it is missing")
	}
	if _, err := x509.ParseECPrivateKey(der); err == nil {
		return errCurve()
	}
	return errors.New("private_key is damaged, or no RSA key")
}

func errCurve() error {
	return errors.New("private_key is an elliptic curve key; RS256 needs an RSA key")
}
