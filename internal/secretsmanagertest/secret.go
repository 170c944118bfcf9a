package secretsmanagertest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
	pending  = "AWSPENDING"

	arnPrefix = "arn:aws:secretsmanager:us-east-1:000000000000:secret:"
	arnSuffix = "-AbCdEf"

	nameAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_+=.@!"
)

// A secret is the versions stored under one name.
type secret struct {
	versions []*version
	deleted  bool
}

// A version is one value of a secret, in the form the service writes it.
type version struct {
	VersionID     string   `json:"VersionId"`
	SecretString  *string  `json:",omitempty"`
	SecretBinary  []byte   `json:",omitempty"`
	VersionStages []string `json:",omitempty"`
	CreatedDate   float64  // seconds since 1970, to the millisecond
}

func (s *Server) put(name string, v version, label string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions++
	v.VersionID = fmt.Sprintf("00000000-0000-4000-8000-%012d", s.versions)
	v.CreatedDate = float64(time.Now().UnixMilli()) / 1000
	to := s.getOrCreate(name)
	to.versions = append(to.versions, &v)
	to.stage(&v, label)
	if len(to.versions) == 1 {
		to.stage(&v, current)
	}
	return v.VersionID
}

// getOrCreate returns the secret called name, created or restored where needed.
func (s *Server) getOrCreate(name string) *secret {
	if s.secrets == nil {
		s.secrets = make(map[string]*secret)
	}
	if s.secrets[name] == nil {
		s.secrets[name] = new(secret)
	}
	s.secrets[name].deleted = false
	return s.secrets[name]
}

// stage moves label to v from the version that has it. A version that loses the label
// AWSCURRENT gets AWSPREVIOUS.
func (s *secret) stage(v *version, label string) {
	from := s.byStage(label)
	if from == v {
		return
	}
	if from != nil {
		from.unstage(label)
	}
	v.VersionStages = append(v.VersionStages, label)
	if from != nil && label == current {
		s.stage(from, previous)
	}
}

func (v *version) unstage(label string) {
	v.VersionStages = slices.DeleteFunc(v.VersionStages, func(l string) bool { return l == label })
}

// byID returns nil if there is no such version; so does byStage.
func (s *secret) byID(id string) *version {
	return s.first(func(v *version) bool { return v.VersionID == id })
}

func (s *secret) byStage(label string) *version {
	return s.first(func(v *version) bool { return slices.Contains(v.VersionStages, label) })
}

func (s *secret) first(is func(*version) bool) *version {
	if i := slices.IndexFunc(s.versions, is); i >= 0 {
		return s.versions[i]
	}
	return nil
}

// find returns the version with a label.
func (s *secret) find(label string) (*version, *serviceError) {
	v := s.byStage(label)
	switch {
	case s.deleted:
		return nil, newError("InvalidRequestException",
			"You can't perform this operation on the secret because it was marked for deletion.")
	case v == nil:
		return nil, newError("ResourceNotFoundException",
			"Secrets Manager can't find the specified secret value for staging label: %s", label)
	}
	return v, nil
}

// secretName returns the name in id, which is a name, an ARN or a partial ARN. It returns
// any other id as it is, which is the name of no secret.
func secretName(id string) string {
	name, isARN := strings.CutPrefix(id, arnPrefix)
	if !isARN {
		return id
	}
	return strings.TrimSuffix(name, arnSuffix)
}

func checkSecretID(id *string) *serviceError {
	if id == nil {
		return newError("ValidationException", "1 validation error detected: Value null at 'secretId' "+
			"failed to satisfy constraint: Member must not be null")
	}
	if name := secretName(*id); name == "" || !strings.HasPrefix(name, "arn:") && strings.ContainsFunc(name, notInName) {
		return newError("ValidationException", "Invalid name. Must be a valid name containing alphanumeric "+
			"characters, or any of the following: -/_+=.@!")
	}
	return nil
}

func notInName(r rune) bool { return !strings.ContainsRune(nameAlphabet, r) }
