// Package secretsmanagertest is an in-memory Secrets Manager that answers GetSecretValue
// over the protocol of the real one, for the AWS SDK to talk to. It verifies what it
// receives, keeps versions and staging labels as the service does, and can be made to
// fail.
//
// Its messages are those of the service, where they are known. Signatures are checked for
// their form and their scope, and not for their value, because the server has no secret
// access key.
package secretsmanagertest

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	mediaType = "application/x-amz-json-1.1"

	// maxBody is far above the longest name, version and label together.
	maxBody = 64 << 10
)

// A Server is an [http.Handler] that answers GetSecretValue for one account in one
// region. The zero value holds no secrets and is ready to use. The methods may be called
// at any time by any number of goroutines.
type Server struct {
	mu        sync.Mutex // guards everything below
	secrets   map[string]*secret
	versions  int // how many versions were stored, of all secrets
	stages    []string
	intercept func(w http.ResponseWriter, r *http.Request) bool
}

// Put stores secret as the current version of the secret called name, which it creates or
// restores where needed, and returns the version's id. The version that was current
// becomes the previous one.
func (s *Server) Put(name, secret string) (versionID string) {
	return s.put(name, version{SecretString: &secret}, current)
}

// PutBinary is Put for a secret of bytes.
func (s *Server) PutBinary(name string, secret []byte) (versionID string) {
	return s.put(name, version{SecretBinary: slices.Clone(secret)}, current)
}

// PutPending stores secret as a version that is only staged AWSPENDING, as a rotation
// does before it has tested the version, and returns the version's id. The first version
// of a secret becomes current all the same, as it does with PutSecretValue.
func (s *Server) PutPending(name, secret string) (versionID string) {
	return s.put(name, version{SecretString: &secret}, pending)
}

// Promote makes a stored version the current one, as UpdateSecretVersionStage does. The
// version keeps its label AWSPENDING. Promote panics if there is no such version.
func (s *Server) Promote(name, versionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[name].stage(s.secrets[name].byID(versionID), current)
}

// Delete marks a secret as deleted, which makes every call for it an
// InvalidRequestException. Delete panics if there is no such secret.
func (s *Server) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[name].deleted = true
}

// ARN returns the ARN of the secret called name, whether it is stored or not. Calls may
// name a secret by its name, by this ARN, or by the ARN without its last seven
// characters.
func (s *Server) ARN(name string) string { return arnPrefix + name + arnSuffix }

// Calls returns the number of well-formed calls of GetSecretValue so far, those included
// that failed or were intercepted.
func (s *Server) Calls() int { return len(s.Stages()) }

// Stages returns the VersionStage of each call that Calls counts, in order; it is empty
// where the call had none.
func (s *Server) Stages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.stages)
}

// Intercept has every well-formed call passed to f before it is answered. If f returns
// true, it has written the answer. The body of the request has been read. A nil f ends
// the interception.
func (s *Server) Intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Content-Type") != mediaType {
		writeUnknown(w)
		return
	}
	in, serviceErr := readInput(w, r)
	if serviceErr != nil {
		serviceErr.write(w)
		return
	}
	if f := s.record(in); f != nil && f(w, r) {
		return
	}
	out, serviceErr := s.get(in)
	if serviceErr != nil {
		serviceErr.write(w)
		return
	}
	write(w, http.StatusOK, out)
}

// An input is the body of a call. VersionId, which the function never sends, is refused.
type input struct {
	SecretID     *string `json:"SecretId"`
	VersionStage string
}

func readInput(w http.ResponseWriter, r *http.Request) (input, *serviceError) {
	var in input
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		return in, newError("UnknownOperationException", "")
	}
	if serviceErr := checkAuthorization(r.Header); serviceErr != nil {
		return in, serviceErr
	}
	if err := json.UnmarshalRead(http.MaxBytesReader(w, r.Body, maxBody), &in, json.RejectUnknownMembers(true)); err != nil {
		return in, newError("SerializationException", "")
	}
	return in, checkSecretID(in.SecretID)
}

// signature is the form of Signature Version 4 in the scope of this service.
var signature = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=[^/, ]+/([0-9]{8})/[a-z0-9-]+/secretsmanager/aws4_request, ?` +
	`SignedHeaders=(?:[a-z0-9-]+;)*host(?:;[a-z0-9-]+)*, ?Signature=[0-9a-f]{64}$`)

func checkAuthorization(h http.Header) *serviceError {
	authorization, date := h.Get("Authorization"), h.Get("X-Amz-Date")
	if !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 ") {
		return newError("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	found := signature.FindStringSubmatch(authorization)
	if _, err := time.Parse("20060102T150405Z", date); found == nil || err != nil || found[1] != date[:8] {
		return newError("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
	}
	return nil
}

func (s *Server) record(in input) func(http.ResponseWriter, *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stages = append(s.stages, in.VersionStage)
	return s.intercept
}

// An output is the answer to a call.
type output struct {
	ARN  string
	Name string
	version
}

func (s *Server) get(in input) (output, *serviceError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := secretName(*in.SecretID)
	found, ok := s.secrets[name]
	if !ok {
		return output{}, newError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	v, serviceErr := found.find(cmp.Or(in.VersionStage, current))
	if serviceErr != nil {
		return output{}, serviceErr
	}
	out := output{ARN: s.ARN(name), Name: name, version: *v}
	// The answer is encoded after the lock is released, when a rotation may move labels.
	out.VersionStages = slices.Clone(v.VersionStages)
	return out, nil
}
