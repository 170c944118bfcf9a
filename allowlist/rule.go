package allowlist

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"voxkv/voximplant"
)

// maxClaimLength is the most characters of a claim that a placeholder stands for.
const maxClaimLength = 128

// separators end a placeholder. The value of a claim has none of them: a claim 1:2
// would read what belongs to somebody else, and user 1 the keys of user 12.
const separators = ":;"

// A rule is a pattern with its options.
type rule struct {
	number int // its place in the setting, from 1
	parts  parts
	open   bool // the pattern ends with "*"
	claims int  // the placeholders among parts
	maxAge *time.Duration
}

// parts are a pattern without its "*". A part that is not the last and is a
// placeholder is followed by a literal that begins with a separator.
type parts []part

// A part is a literal or, if that is empty, the placeholder of a claim.
type part struct{ literal, claim string }

// A match is what a rule says of a key to a caller.
type match struct {
	matches bool

	// possible reports whether the rule would match for a caller with the right claims.
	possible bool

	// claimUnusable reports whether the rule does not match only because the caller's
	// claims lack one, or have one that cannot be part of a key.
	claimUnusable bool
}

// match compares key with the pattern. It does so part by part, without choice: the
// next separator ends what a placeholder can stand for.
func (r *rule) match(key string, by Caller) match {
	differ, unusable := 0, 0 // claims that are not what key has, and those of them that no key has
	for _, p := range r.parts {
		if p.claim == "" {
			rest, ok := strings.CutPrefix(key, p.literal)
			if !ok {
				return match{}
			}
			key = rest
			continue
		}
		run := key
		if end := strings.IndexAny(key, separators); end >= 0 {
			run = key[:end]
		}
		if !usable(run) {
			return match{}
		}
		key = key[len(run):]
		if claim := by.Claims[p.claim]; !by.Trusted && claim != run {
			differ++
			if !usable(claim) {
				unusable++
			}
		}
	}
	if key != "" && !r.open {
		return match{}
	}
	return match{matches: differ == 0, possible: true, claimUnusable: differ > 0 && unusable == differ}
}

// usable reports whether a claim with this value can be part of a key.
func usable(claim string) bool {
	return !strings.ContainsAny(claim, separators) && utf8.RuneCountInString(claim) <= maxClaimLength && voximplant.CheckKey(claim) == nil
}

// covers reports whether r matches whatever other matches, whoever asks.
func (r rule) covers(other rule) bool {
	mine, theirs := r.parts, other.parts
	for len(mine) > 0 && len(theirs) > 0 && mine[0] == theirs[0] {
		mine, theirs = mine[1:], theirs[1:]
	}
	switch {
	case len(mine) == 0:
		return r.open || len(theirs) == 0 && !other.open
	case len(mine) > 1 || len(theirs) == 0 || mine[0].claim != "":
		return false
	}
	// What differs is the last literal of r.
	return r.open && strings.HasPrefix(theirs[0].literal, mine[0].literal)
}

// same reports whether two rules have one pattern.
func (r rule) same(other rule) bool {
	return r.open == other.open && slices.Equal(r.parts, other.parts)
}

// plain reports whether r is a rule of the kind that needs no caller and no options.
func (r rule) plain() bool { return r.claims == 0 && r.maxAge == nil }

// shown is r for the log. A key that is named as it is may be a phone number.
func (r rule) shown() string {
	text := r.parts.String()
	switch {
	case r.open:
		text += "*"
	case r.claims == 0:
		text = "(a key)"
	}
	if r.maxAge != nil {
		text += " max-age=" + r.maxAge.String()
	}
	return text
}

// prefix is what stands before the first placeholder.
func (p parts) prefix() string {
	if len(p) == 0 {
		return ""
	}
	return p[0].literal
}

func (p parts) String() string {
	var text strings.Builder
	for _, one := range p {
		if one.claim != "" {
			text.WriteString("{" + one.claim + "}")
		}
		text.WriteString(one.literal)
	}
	return text.String()
}
