package documents

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// files returns the names of all files that end with suffix.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."), entry.Name() == "node_modules":
			return fs.SkipDir // what tools put there
		case strings.HasSuffix(name, suffix):
			names = append(names, name)
		}
		return nil
	})
	if err != nil || len(names) < 15 {
		t.Fatalf("%d files end with %s, %v; want all of them", len(names), suffix, err)
	}
	return names
}

// fences are blocks of code, in which neither links nor headings count.
var fences = regexp.MustCompile("(?ms)^ *```.*?^ *```$")

// TestLinks: every link to a file of this repository, and to a heading in it, leads somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^()\s]+)\)|(?m:^\[[^\]]+\]: (\S+)$)|src="([^"]+)"`)
	for _, name := range files(t, ".md") {
		for _, found := range link.FindAllStringSubmatch(prose(read(t, name)), -1) {
			target := found[1] + found[2] + found[3]
			if strings.Contains(target, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			file = path.Join(path.Dir(name), file)
			if strings.HasPrefix(target, "#") {
				file = name
			}
			if _, err := os.Stat(root + "/" + file); err != nil {
				t.Errorf("%s: there is no %s", name, target)
			} else if anchor != "" && !anchors(read(t, file))[anchor] {
				t.Errorf("%s: %s has no heading #%s", name, file, anchor)
			}
		}
	}
}

// TestSources: every Go file that a document names by its path is there.
func TestSources(t *testing.T) {
	t.Parallel()
	for _, name := range files(t, ".md") {
		for source := range found(read(t, name), "`([a-zA-Z0-9_./-]+\\.go)`") {
			if _, err := os.Stat(root + "/" + source); err != nil {
				t.Errorf("%s: there is no %s", name, source)
			}
		}
	}
}

// prose is a document without its code.
func prose(text string) string {
	return regexp.MustCompile(quoted).ReplaceAllString(fences.ReplaceAllString(text, ""), "`code`")
}

// anchors returns the anchors that GitHub gives the headings of a document.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#{1,6} (.*)$`).FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		all[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, heading[1])] = true
	}
	return all
}

// TestAudience: docs/README.md leads to every page of docs, and each page says in its first sentence whom it is for.
func TestAudience(t *testing.T) {
	t.Parallel()
	index := read(t, "docs/README.md")
	for _, name := range files(t, ".md") {
		page, ok := strings.CutPrefix(name, "docs/")
		if !ok || page == "README.md" {
			continue
		}
		if !strings.Contains(index, "]("+page+")") {
			t.Errorf("docs/README.md does not lead to %s", page)
		}
		if !regexp.MustCompile(`^# .+\n\nFor who`).MatchString(read(t, name)) {
			t.Errorf("%s does not begin with its title and a sentence that says whom it is for: \"For whoever …\"", name)
		}
	}
}
