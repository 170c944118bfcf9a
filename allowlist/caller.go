package allowlist

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Claims are what is verified of a caller: the value of each claim by its name. A
// claim that no placeholder can stand for, such as a list, may be left out.
type Claims map[string]string

// ParseClaims reads claims from a JSON object. A string stands for itself, and an
// integer for its digits as they are written, since a number of more than 53 bits
// would not survive a float. Everything else is left out: to render it would be to
// guess. ok is false if the value is no object.
func ParseClaims(object jsontext.Value) (claims Claims, ok bool) {
	var members map[string]jsontext.Value
	if object.Kind() != jsontext.KindBeginObject || json.Unmarshal(object, &members, jsontext.AllowInvalidUTF8(true)) != nil {
		return nil, false
	}
	claims = make(Claims, len(members))
	for name, value := range members {
		var text string
		switch {
		case isInteger(value):
			claims[name] = string(value)
		case value.Kind() == jsontext.KindString && json.Unmarshal(value, &text, jsontext.AllowInvalidUTF8(true)) == nil:
			claims[name] = text
		}
	}
	return claims, true
}

// isInteger reports whether value is a number of digits alone, and not -0, which
// others write as 0.
func isInteger(value jsontext.Value) bool {
	digits := strings.TrimPrefix(string(value), "-")
	return value.Kind() == jsontext.KindNumber && strings.Trim(digits, "0123456789") == "" && string(value) != "-0"
}

// A Caller is who asks for keys. The zero Caller has no claims, so no rule with a
// placeholder matches for it.
type Caller struct {
	Claims Claims

	// Trusted makes a placeholder stand for anything that it could stand for, as if
	// the caller had just that claim. Claims then do not count.
	Trusted bool
}

// callerKey is the context key of a Caller.
type callerKey struct{}

// WithCaller returns a context in which c asks for keys. Claims go this way because
// http.Handler stands between who verifies them and who uses them; in a header they
// could be forged.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who asks in ctx, the zero Caller if nobody was named.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
