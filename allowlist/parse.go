package allowlist

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"voxkv/voximplant"
)

// Parse reads a comma-separated list of rules. A rule is a pattern and, after
// white space, its options. A pattern is key characters and {claim} placeholders,
// with at most one "*", at its end; a lone * is everything. The one option is
// max-age=, a duration.
//
// The error names a rule by its number and quotes nothing, since a pattern may be a
// phone number.
func Parse(list string) (List, error) {
	l := List{exact: map[string]int{}}
	for i, text := range strings.Split(list, ",") {
		r, err := parseRule(text)
		if err == nil {
			r.number = i + 1
			err = l.add(r)
		}
		if err != nil {
			return List{}, fmt.Errorf("pattern %d: %w", i+1, err)
		}
	}
	return l, nil
}

// UnmarshalText is Parse.
func (l *List) UnmarshalText(list []byte) (err error) {
	*l, err = Parse(string(list))
	return err
}

// add appends r, unless it says again what an earlier rule says. A rule that can
// never decide is refused where that could mean another answer than is meant: not
// in a list of keys and prefixes alone.
func (l *List) add(r rule) error {
	isKey := !r.open && r.claims == 0
	earlier := l.others
	if i, ok := l.exact[r.parts.prefix()]; ok && isKey {
		earlier = append(slices.Clip(earlier), i)
		slices.Sort(earlier)
	}
	for _, i := range earlier {
		switch e := l.rules[i]; {
		case e.same(r) && equal(e.maxAge, r.maxAge):
			return nil
		case e.same(r):
			return fmt.Errorf("it is pattern %d again with another max-age; give it one", e.number)
		case e.covers(r) && (!e.plain() || !r.plain()):
			return fmt.Errorf("it never decides, since pattern %d matches first whatever it matches; put it before that one", e.number)
		}
	}
	if isKey {
		l.exact[r.parts.prefix()] = len(l.rules)
	} else {
		l.others = append(l.others, len(l.rules))
	}
	l.rules = append(l.rules, r)
	return nil
}

func equal(a, b *time.Duration) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func parseRule(text string) (r rule, err error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return r, errors.New("it is empty")
	}
	pattern := fields[0]
	pattern, r.open = strings.CutSuffix(pattern, "*")
	if r.parts, err = parseParts(pattern, r.open); err != nil {
		return r, err
	}
	for _, p := range r.parts {
		if p.claim != "" {
			r.claims++
		}
	}
	for _, option := range fields[1:] {
		if err := r.setOption(option); err != nil {
			return r, err
		}
	}
	return r, nil
}

// parseParts reads a pattern without its "*", whose place open tells. It must be
// able to match a key, if only one with the shortest claims.
func parseParts(pattern string, open bool) (all parts, err error) {
	shortest := ""
	for rest := pattern; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if literal != "" {
			all = append(all, part{literal: literal})
			shortest += literal
		}
		if !found {
			break
		}
		claim, following, closed := strings.Cut(after, "}")
		if err := checkPlaceholder(claim, following, closed, open); err != nil {
			return nil, err
		}
		all = append(all, part{claim: claim})
		shortest += "x"
		rest = following
	}
	switch {
	case shortest == "":
		return nil, nil
	case strings.Contains(shortest, "*"):
		return nil, errors.New("it has a * that is not at its end")
	case strings.Contains(shortest, "}"):
		return nil, errors.New("it has a } without a { before it")
	}
	return all, voximplant.CheckKey(shortest)
}

// checkPlaceholder checks a placeholder by its claim, what follows its brace, and
// whether the pattern ends with "*".
func checkPlaceholder(claim, following string, closed, open bool) error {
	switch {
	case !closed:
		return errors.New("it has a { without a } after it")
	case claim == "":
		return errors.New("it has a placeholder {} without the name of a claim")
	case strings.ContainsFunc(claim, notInClaimName):
		return errors.New("the name of a claim has a character outside a-z A-Z 0-9 _ - . : /")
	case following == "" && open, following != "" && !strings.ContainsAny(following[:1], separators):
		return errors.New("a placeholder must be followed by a colon, a semicolon or the end of the pattern, else user 1 could read what belongs to user 12")
	}
	return nil
}

func notInClaimName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("_-.:/", r)
}

func (r *rule) setOption(option string) error {
	name, value, _ := strings.Cut(option, "=")
	switch {
	case name != "max-age":
		return errors.New("it has an option that is not known; the one option is max-age=, such as max-age=2s")
	case r.maxAge != nil:
		return errors.New("it has two max-age; give it one")
	}
	age, err := time.ParseDuration(value)
	if err != nil || age < 0 || age > voximplant.MaxTTL {
		return fmt.Errorf("its max-age is none; accepted: a duration such as 2s, 1h or 0s, which forbids caching, up to %dh, the longest life of an item", int(voximplant.MaxTTL.Hours()))
	}
	r.maxAge = &age
	return nil
}
