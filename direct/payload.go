package direct

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"voxkv/allowlist"
	"voxkv/internal/problem"
)

// A request is a payload. One of Key, Keys and Operation says what is asked for.
type request struct {
	Key       *string   `json:"key"`
	Keys      *[]string `json:"keys"`
	Operation *string   `json:"operation"`

	asker

	// What follows is for operations.
	Value     *string  `json:"value"`
	TTL       *integer `json:"ttl"`        // seconds
	ExpiresAt *integer `json:"expires_at"` // Unix seconds
	Prefix    string   `json:"prefix"`
	Offset    integer  `json:"offset"`
	Count     integer  `json:"count"`

	caller allowlist.Caller // who asks

	enrichment bool               // the payload is a list of requests, one for each of Keys
	callers    []allowlist.Caller // of each of these
}

// An asker is what a payload, or an element of a list, tells of who asks.
type asker struct {
	// Claims are those of a user whom the caller asks for. If absent, the caller asks
	// for itself, who is trusted.
	Claims jsontext.Value `json:"claims"`

	Unknown map[string]jsontext.Value `json:",embed"` // all other members
}

// An integer is a JSON number without a fraction, however it is written: 60,
// 60.0 and 6e1 are one number (RFC 8259 section 6).
type integer int64

// UnmarshalJSON reads a JSON number; null changes nothing. Beyond 2^53 only
// digits are exact.
func (i *integer) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(string(text), 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return errors.New("not an integer")
		}
		n = int64(f)
	}
	*i = integer(n)
	return nil
}

// maxPayload is the most bytes of a payload, far more than 50 keys or a value
// take. Lambda lets 6 MB through, which as a list of short keys would take 100 MB
// of memory.
const maxPayload = 1 << 20

const accepted = `A direct invocation takes {"key":"…"}, a list of such, {"keys":["…"]} or {"operation":"list|keys|set|delete",…}.`

// parse reads a payload. The error is a *problem.Problem.
func parse(payload []byte) (request, error) {
	if len(payload) > maxPayload {
		return request{}, problem.BadRequest(problem.PayloadTooLarge, "A direct invocation takes 1 MiB at most.")
	}
	if bytes.HasPrefix(bytes.TrimSpace(payload), []byte("[")) {
		return parseList(payload)
	}
	var r request
	if err := decode(payload, &r); err != nil {
		return request{}, err
	}
	switch {
	case r.Operation != nil:
	case r.Key == nil && r.Keys == nil:
		return request{}, problem.BadRequest(problem.InvalidRequest, `The payload has no member "key", "keys" or "operation". `+accepted)
	case r.Key != nil && r.Keys != nil:
		return request{}, problem.BadRequest(problem.InvalidRequest, `The payload has both "key" and "keys". `+accepted)
	}
	var err error
	r.caller, err = r.identify()
	return r, err
}

func parseList(payload []byte) (request, error) {
	var elements []struct {
		Key string `json:"key"`
		asker
	}
	if err := decode(payload, &elements); err != nil {
		return request{}, err
	}
	keys := make([]string, len(elements))
	r := request{Keys: &keys, enrichment: true, callers: make([]allowlist.Caller, len(elements))}
	for i, element := range elements {
		keys[i] = element.Key
		var err error
		if r.callers[i], err = element.identify(); err != nil {
			return request{}, err
		}
	}
	return r, nil
}

// identify returns who asks. Only where claims are absent is the caller trusted: a null
// may be what became of a user who is not logged in, and so may a misspelt name.
func (a asker) identify() (allowlist.Caller, error) {
	for name := range a.Unknown {
		if looksLikeClaims(name) {
			return allowlist.Caller{}, problem.BadRequest(problem.InvalidRequest, `A member looks like "claims", but is spelt differently. Without "claims" you ask for no user.`)
		}
	}
	if len(a.Claims) == 0 {
		return allowlist.Caller{Trusted: true}, nil
	}
	claims, ok := allowlist.ParseClaims(a.Claims)
	if !ok {
		return allowlist.Caller{}, problem.BadRequest(problem.InvalidRequest, `The member "claims" takes an object such as {"sub":"42"}; leave it out to ask for no user.`)
	}
	return allowlist.Caller{Claims: claims}, nil
}

// looksLikeClaims reports whether the letters of name, in any case, end with "claim" or
// "claims", or are "claims" but for a slip.
func looksLikeClaims(name string) bool {
	letters := strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	return strings.HasSuffix(letters, "claims") || strings.HasSuffix(letters, "claim") || isSlip(letters, "claims")
}

// isSlip reports whether got is want but for one letter that is missing, too much or
// wrong, or two that changed places.
func isSlip(got, want string) bool {
	for got != "" && want != "" && got[0] == want[0] {
		got, want = got[1:], want[1:]
	}
	for got != "" && want != "" && got[len(got)-1] == want[len(want)-1] {
		got, want = got[:len(got)-1], want[:len(want)-1]
	}
	swapped := len(got) == 2 && len(want) == 2 && got[0] == want[1] && got[1] == want[0]
	return swapped || len(got) <= 1 && len(want) <= 1
}

// decode reads a payload into r. Names of members are case-sensitive and must not
// repeat, and a string must be valid Unicode. JSON readers differ in how they mend
// a payload that breaks these rules, so it is refused.
func decode(payload []byte, r any) error {
	if err := json.Unmarshal(payload, r); err != nil {
		return problem.BadRequest(problem.InvalidRequest, reason(payload, err)+" "+accepted)
	}
	return nil
}

// reason says why payload could not be read. It repeats nothing of the payload but
// the name of a member that request has.
func reason(payload []byte, err error) string {
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
		if member := memberOf(wrong.JSONPointer); member != "" {
			return fmt.Sprintf("The member %q has the wrong JSON type.", member)
		}
		return "The payload has the wrong JSON type."
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "An object has two members of one name."
	case jsontext.Value(payload).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)):
		return "A string is not valid Unicode: it has bytes that are not UTF-8, or half of a surrogate pair."
	}
	return "The payload cannot be read as JSON."
}

// memberOf returns the last name in p, "" if p has only indices of lists.
func memberOf(p jsontext.Pointer) (name string) {
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err != nil {
			name = token
		}
	}
	return name
}
