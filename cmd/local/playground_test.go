package main

import (
	"io/fs"
	"strings"
	"testing"

	"voxkv/test/tools"
)

func TestPage(t *testing.T) {
	t.Parallel()
	embedded, _ := start(t, nil)
	real, _ := startReal(t, nil)
	for root, controls := range map[string]bool{embedded: true, real: false} {
		res, html := tools.Do(t, "GET", root+"/", "")
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(html, `<form id="read">`) {
			t.Errorf("GET / = %d %s %s; want the page", res.StatusCode, res.Header.Get("Content-Type"), html)
		}
		if policy := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") {
			t.Errorf("GET / has the policy %q", policy)
		}
		for _, control := range []string{`id="write"`, `id="fault"`, `id="keys"`} {
			if strings.Contains(html, control) != controls {
				t.Errorf("the page has %s: %v; want %v", control, !controls, controls)
			}
		}
	}
	for path, text := range map[string]string{"style.css": "color-scheme", "page.js": "import ", "requests.js": "fetch(", "openapi.yaml": "openapi: 3.1.0", "http-contract.md": "# "} {
		check(t, "GET", embedded+"/playground/"+path, "", 200, text)
	}
	for _, path := range []string{"embed.go", "index.html", ""} {
		check(t, "GET", embedded+"/playground/"+path, "", 404, "")
	}
	check(t, "POST", embedded+"/", "", 405, "")
	check(t, "GET", embedded+"/elsewhere", "", 404, "no_route")
}

// TestPageIsAlone looks for what the page would load from elsewhere, or what its policy forbids.
func TestPageIsAlone(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(files, "playground/*")
	if err != nil || len(names) < 5 {
		t.Fatalf("embedded are %q, %v; want the page, its style and its scripts", names, err)
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, foreign := range []string{"http:", "https:", "//cdn", " style=", " onclick=", "innerHTML", "eval("} {
			if strings.Contains(string(text), foreign) {
				t.Errorf("%s has %s", name, foreign)
			}
		}
	}
}
