package settings

import (
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

type cacheScope string

func (c *cacheScope) UnmarshalText(text []byte) error {
	*c = cacheScope(text)
	if *c != "public" && *c != "private" {
		return errors.New("neither public nor private")
	}
	return nil
}

// A level is a slog level by the names that Lambda uses too.
type level slog.Level

func (l *level) UnmarshalText(text []byte) error {
	levels := map[string]slog.Level{
		"trace": slog.LevelDebug, "debug": slog.LevelDebug, "info": slog.LevelInfo,
		"warn": slog.LevelWarn, "error": slog.LevelError, "fatal": slog.LevelError,
	}
	named, ok := levels[strings.ToLower(string(text))]
	if !ok {
		return errors.New("no such level")
	}
	*l = level(named)
	return nil
}

// list returns the elements of a comma-separated list. White space around an element
// does not count, an empty element is an error, and a repeated one counts once. The
// list of ALLOWED_KEYS follows the same rules.
func list(text string) ([]string, error) {
	var elements []string
	for element := range strings.SplitSeq(text, ",") {
		element = strings.TrimSpace(element)
		if element == "" {
			return nil, errors.New("an empty element")
		}
		if !slices.Contains(elements, element) {
			elements = append(elements, element)
		}
	}
	return elements, nil
}

// codes are error codes of the Management API, which are positive.
type codes []int

func (c *codes) UnmarshalText(text []byte) error {
	elements, err := list(string(text))
	for _, element := range elements {
		code, parseErr := strconv.ParseUint(element, 10, 31)
		if parseErr != nil || code == 0 {
			return errors.New("not a code")
		}
		*c = append(*c, int(code))
	}
	return err
}

// origins are "*" alone or serialized origins (RFC 6454 section 6.1). An origin in any
// other spelling would never equal the one that a browser sends.
type origins []string

func (o *origins) UnmarshalText(text []byte) error {
	elements, err := list(string(text))
	for _, origin := range elements {
		if !isOrigin(origin) && (origin != "*" || len(elements) > 1) {
			return errors.New("not an origin, or * beside others")
		}
	}
	*o = elements
	return err
}

// isOrigin reports whether s is scheme, host and port in lower case and ASCII,
// without a default port. It is false for "null", which many unrelated pages send.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme+"://"+u.Host != s {
		return false
	}
	defaultPort := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
	switch {
	case strings.HasSuffix(u.Host, ":"), defaultPort != "" && strings.HasSuffix(u.Host, defaultPort):
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' || r == '*' || r > unicode.MaxASCII })
}

// A basePath is "", or a path that begins with a slash and does not end with one. It
// has only one spelling: a path of RFC 3986 section 3.3 without escapes and dot
// segments.
type basePath string

func (b *basePath) UnmarshalText(text []byte) error {
	path := strings.TrimSuffix(strings.TrimPrefix(string(text), "/"), "/")
	if path == "" {
		return nil // "/" is the root
	}
	if mayBeSecret(path) {
		return errors.New("too long, or a secret")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, notInSegment) {
			return errors.New("not a plain path")
		}
	}
	*b = basePath("/" + path)
	return nil
}

// notInSegment reports whether r must be escaped in a segment of a path.
func notInSegment(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._~!$&'()*+,;=:@", r)
}

// headers are names of header fields that begin with X-, as those do that
// gateways ask for, and consist of letters, digits and hyphens. Names are logged and
// sent to every caller. The prefix is required so that an account number or a key id
// that was pasted here by mistake is refused and not published.
type headers []string

func (h *headers) UnmarshalText(text []byte) error {
	names, err := list(string(text))
	for _, name := range names {
		if !strings.HasPrefix(strings.ToUpper(name), "X-") || strings.ContainsFunc(name, notInHeaderName) {
			return errors.New("not a header's name")
		}
	}
	*h = names
	return err
}

func notInHeaderName(r rune) bool {
	return r > unicode.MaxASCII || r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// An apiURL is where bearer tokens are sent.
type apiURL string

func (a *apiURL) UnmarshalText(text []byte) error {
	if !mayHoldSecrets(string(text)) {
		return errors.New("not a URL that tokens may be sent to")
	}
	*a = apiURL(text)
	return nil
}

// mayHoldSecrets reports whether root is a URL that may be shown in an error,
// as those of AWS's SDK do, and that tokens and keys may be sent to: https, or
// http to this machine or a private network. Names other than localhost are not
// looked up, since the answer may change.
func mayHoldSecrets(root string) bool {
	u, err := url.Parse(root)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(root, "?#") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isPrivate(u.Hostname())
}

// isPrivate reports whether host is this machine, or an address of a private
// network (RFC 1918, RFC 4193) or of the link (RFC 3927, RFC 4291 section 2.5.6).
func isPrivate(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return strings.EqualFold(host, "localhost")
	}
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}
