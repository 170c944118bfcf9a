package voximplanttest

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxTokenLife is the documented limit of exp - iat, in seconds.
	maxTokenLife = 3600

	// maxSkew is how many seconds ahead of the server a token may be issued. The
	// tolerance of the real API is not documented.
	maxSkew = 5
)

// AddKey makes the server accept tokens signed by key and naming keyID.
func (s *Server) AddKey(keyID string, key *rsa.PublicKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = make(map[string]*rsa.PublicKey)
	}
	s.keys[keyID] = key
}

// RemoveKey makes the server refuse tokens naming keyID, as after the key was deleted.
func (s *Server) RemoveKey(keyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, keyID)
}

func (s *Server) authorize(authorization string) *apiError {
	raw, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok {
		return unauthorized()
	}
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithJSONNumber(),
		// The library does not tell the API's cases apart; checkClaims does.
		jwt.WithoutClaimsValidation(),
	)
	if _, err := parser.ParseWithClaims(raw, claims, s.verificationKey); err != nil {
		return tokenError(err)
	}
	return s.checkClaims(claims)
}

// verificationKey returns the key that must have signed token.
func (s *Server) verificationKey(token *jwt.Token) (any, error) {
	if token.Header["typ"] != "JWT" {
		return nil, badToken()
	}
	keyID, _ := token.Header["kid"].(string)
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := s.keys[keyID]
	if !ok {
		return nil, newError(433, "Invalid key id.")
	}
	return key, nil
}

func tokenError(err error) *apiError {
	if apiErr, ok := errors.AsType[*apiError](err); ok {
		return apiErr
	}
	if errors.Is(err, jwt.ErrTokenMalformed) {
		return badToken()
	}
	return unauthorized()
}

// checkClaims refuses claims that are absent, foreign or out of their time.
func (s *Server) checkClaims(claims jwt.MapClaims) *apiError {
	// Official clients send the issuer as a number or as a string of digits.
	if fmt.Sprint(claims["iss"]) != fmt.Sprint(s.AccountID) {
		return unauthorized()
	}
	iat, iatOK := seconds(claims["iat"])
	exp, expOK := seconds(claims["exp"])
	now := s.now().Unix()
	switch {
	case !iatOK || !expOK:
		return badToken()
	case iat > now+maxSkew:
		return newError(455, "Token issued in the future.")
	case exp <= now:
		return newError(456, "The token has expired.")
	case exp-iat > maxTokenLife:
		return newError(454, "The token TTL exceeds the maximum limit.")
	}
	return nil
}

// seconds returns a time claim, which every official client writes as a whole number.
func seconds(claim any) (int64, bool) {
	number, ok := claim.(json.Number)
	if !ok {
		return 0, false
	}
	n, err := number.Int64()
	return n, err == nil
}
