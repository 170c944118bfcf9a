package main

import (
	"fmt"
	"io"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"voxkv/internal/freshness"
	"voxkv/internal/settings"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// version is that of the module, and of the sources where Go knows it.
func version() string {
	text := "voxkv local"
	if info, ok := debug.ReadBuildInfo(); ok {
		text += " " + info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				text += " " + s.Value
			}
		}
	}
	return text + ", " + runtime.Version()
}

// exampleKey returns a key that the rules of list allow: one of preferred, or else one made from the first rule that gives
// one, ending in end where the rule leaves that open. It is empty if there is none.
func exampleKey(s settings.Settings, list, end string, preferred ...string) string {
	for _, key := range preferred {
		if s.AllowedKeys.Allows(key) {
			return key
		}
	}
	for rule := range strings.SplitSeq(list, ",") {
		key, open := strings.CutSuffix(strings.TrimSpace(rule), "*")
		if open {
			key += end
		}
		if key == "." || key == ".." { // no URL can hold them in its path
			continue
		}
		if voximplant.CheckKey(key) == nil && s.AllowedKeys.Allows(key) {
			return key
		}
	}
	return ""
}

// printEmbedded prints command lines that work one after the other: the first reads an item that exists.
func (p *playground) printEmbedded(w io.Writer, root string) {
	fmt.Fprintf(w, "\nOpen %s to try things out. The storage is embedded; its demo items come back %v after their end.\n", root, absence)
	if p.read == "" {
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
		io.WriteString(w, aboutMaxAge(p.settings))
	}
	fmt.Fprintf(w, `After a PUT or DELETE copies may still answer: the function's for %v (LOCAL_MAX_AGE), one in a browser or another cache until
%v (CACHE_MAX_AGE) after Voximplant was asked, and none past the end of the item.
`, *p.settings.LocalMaxAge, p.settings.CacheMaxAge)
}

// aboutMaxAge explains the max-age of an item that has just been written with 90 seconds to live.
func aboutMaxAge(s settings.Settings) string {
	private := s.CacheScope == "private"
	got := freshness.Of(lookup.Answer{Left: 89 * time.Second}, s.CacheMaxAge, private).MaxAge
	switch {
	case got < 1:
		return ""
	case time.Duration(got)*time.Second >= s.CacheMaxAge:
		return fmt.Sprintf("The third answers with max-age=%d, which is CACHE_MAX_AGE: the item lives for longer.\n", got)
	case private:
		return fmt.Sprintf("The third answers with max-age=%d for the 90 s of ttl: what is left of them, with a margin.\n", got)
	}
	return fmt.Sprintf("The third answers with max-age=%d for the 90 s of ttl, about half: two caches in a row may each keep it that long, and\n"+
		"the second must have dropped it by the end of the item.\n", got)
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
