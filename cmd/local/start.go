package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"voxkv/allowlist"
	"voxkv/internal/freshness"
	"voxkv/internal/settings"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// printStart prints the URL, the settings, and command lines to paste. Programs read the first line.
func (p *playground) printStart(w io.Writer, root string, v *variables) {
	fmt.Fprintf(w, "voxkv is at %s\n", root)
	var rest bytes.Buffer
	v.print(&rest, p.settings)
	if p.embedded != nil {
		p.printEmbedded(&rest, root)
	} else {
		p.printReal(&rest, root)
	}
	printInvoke(&rest, root, p.options.functionName, cmp.Or(p.read, "…"))
	fmt.Fprint(w, rest.String())
}

// examples sets the keys to read and to write, the first of which is order:1001 if that is allowed.
func (p *playground) examples(list string) {
	p.read = exampleKey(p.settings, list, "1001", p.options.caller.current(), "order:1001")
	p.write = exampleKey(p.settings, list, "2000", p.options.caller.current(), "order:2000")
}

// exampleKey returns a key that the rules of list allow to the caller by: preferred, or else one made from the first rule
// that gives one, ending in end where the rule leaves that open. It is empty if there is none.
func exampleKey(s settings.Settings, list, end string, by allowlist.Caller, preferred string) string {
	if s.AllowedKeys.Decide(preferred, by).Allowed {
		return preferred
	}
	for rule := range strings.SplitSeq(list, ",") {
		fields := strings.Fields(rule) // the pattern, and options
		if len(fields) == 0 {
			continue
		}
		key, open := strings.CutSuffix(withClaims(fields[0], by.Claims), "*")
		if open {
			key += end
		}
		if key == "." || key == ".." { // no URL can hold them in its path
			continue
		}
		if voximplant.CheckKey(key) == nil && s.AllowedKeys.Decide(key, by).Allowed {
			return key
		}
	}
	return ""
}

// withClaims puts claims in the place of the placeholders of a pattern.
func withClaims(pattern string, claims allowlist.Claims) string {
	for name, value := range claims {
		pattern = strings.ReplaceAll(pattern, "{"+name+"}", value)
	}
	return pattern
}

// printEmbedded prints command lines that work one after the other: the first reads an item that exists.
func (p *playground) printEmbedded(w io.Writer, root string) {
	fmt.Fprintf(w, "\nOpen %s to try things out. The storage is embedded; its demo items come back %v after their end.\n", root, absence)
	if p.read == "" {
		fmt.Fprintln(w, `No rule of ALLOWED_KEYS gives a key to paste here. Where rules have {claims}, -claims '{"sub":"42"}' simulates a caller.`)
		return
	}
	items, storage := root+"/v1/items/", root+storagePath
	fmt.Fprintf(w, `In a terminal:

  curl -i %s
  curl -i -X PUT %s -d 'on its way'
  curl -i %s
  curl -i -X DELETE %s

`, curlURL(items, p.read, ""), curlURL(storage, p.write, "?ttl=90s"), curlURL(items, p.write, ""), curlURL(storage, p.write, ""))
	if p.read != p.write { // or else the third may be answered from a copy of the first
		io.WriteString(w, p.aboutMaxAge())
	}
	local, cache := p.keptFor(p.write)
	setting := "CACHE_MAX_AGE"
	if p.settings.AllowedKeys.Decide(p.write, p.options.caller.current()).MaxAge != nil {
		setting = "the max-age of the rule"
	}
	fmt.Fprintf(w, `After a PUT or DELETE copies may still answer: the function's for %v, one in a browser or another cache until %v
(%s) after Voximplant was asked, and none past the end of the item.
`, local, cache, setting)
}

// aboutMaxAge explains the max-age of an item that has just been written with 90 seconds to live.
func (p *playground) aboutMaxAge() string {
	rule := p.settings.AllowedKeys.Decide(p.write, p.options.caller.current())
	private := p.settings.CacheScope == "private" || rule.Private
	got := freshness.Of(lookup.Answer{Left: 89 * time.Second, Rule: rule}, p.settings.CacheMaxAge, private).MaxAge
	_, ceiling := p.keptFor(p.write)
	switch {
	case got < 1:
		return ""
	case time.Duration(got)*time.Second >= ceiling:
		return fmt.Sprintf("The third answers with max-age=%d, the most that the settings allow: the item lives for longer.\n", got)
	case private:
		return fmt.Sprintf("The third answers with max-age=%d for the 90 s of ttl: what is left of them, with a margin.\n", got)
	}
	return fmt.Sprintf("The third answers with max-age=%d for the 90 s of ttl, about half: two caches in a row may each keep it that long, and\n"+
		"the second must have dropped it by the end of the item.\n", got)
}

// keptFor is how long a copy of an item may be used: the function's own, and those of caches. It is the same whoever asks.
func (p *playground) keptFor(key string) (local, cache time.Duration) {
	rule := p.settings.AllowedKeys.Decide(key, allowlist.Caller{Trusted: true})
	switch {
	case !rule.Allowed:
		return 0, 0
	case rule.MaxAge != nil: // half of it is left to caches
		return min(*p.settings.LocalMaxAge, *rule.MaxAge/2), *rule.MaxAge
	}
	return *p.settings.LocalMaxAge, p.settings.CacheMaxAge
}

// printReal prints a command line for a key of the account.
func (p *playground) printReal(w io.Writer, root string) {
	fmt.Fprintf(w, "\nOpen %s to try things out.", root)
	if p.read != "" {
		fmt.Fprintf(w, " In a terminal, with a key of yours:\n\n  curl -i %s", curlURL(root+"/v1/items/", p.read, ""))
	}
	fmt.Fprintln(w)
}

// curlURL is a URL for a shell, without quotes where that works.
func curlURL(root, key, query string) string {
	u := root + url.PathEscape(key) + query
	if strings.ContainsAny(u, "?*&;()'!$") {
		return "'" + strings.ReplaceAll(u, "'", `'\''`) + "'"
	}
	return u
}
