package freshness

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// A pageClaim is a claim on the rule by which a page keeps a value.
type pageClaim struct {
	claim
	asked bool // fetched with no-cache, so that no cache of the browser has kept it
}

func page() []pageClaim {
	return []pageClaim{
		{claim{chain{browser}, false, always}, false},
		{claim{chain{browser}, true, always}, false},
		{claim{chain{nginx, browser}, false, always}, false},
		{claim{chain{httpd, browser}, false, always}, false},
		{claim{chain{varnish, browser}, false, 1}, false},
		{claim{chain{haproxy, browser}, false, 1}, false},
		{claim{chain{varnish, varnish, browser}, false, 0}, false},
		{claim{chain{workerd, browser}, false, never}, false},
		{claim{chain{browser, script}, false, never}, false},
		{claim{chain{nginx}, false, always}, true},
		{claim{chain{varnish}, false, 1}, true},
		{claim{chain{varnish, varnish}, false, 0}, true},
	}
}

// TestPage holds the table of the page's rule in docs/freshness.md, in both
// directions, for the rule of the npm package.
func TestPage(t *testing.T) {
	t.Parallel()
	margin := pageMargin(t)
	for _, c := range page() {
		t.Run(fmt.Sprintf("%v, %s, no-cache %v", c.caches, scope(c.private), c.asked), func(t *testing.T) {
			t.Parallel()
			all := law{ceiling: 4, private: c.private}.lives(t)
			if c.bears != never {
				if late := c.late(all, c.bears*second, margin); late > 0 {
					t.Errorf("with answers %d s late the page uses a value until %s s after its end", c.bears, seconds(late))
				}
			}
			if c.bears != always && c.late(all, (c.bears+1)*second, margin) <= 0 {
				t.Errorf("with answers %d s late the page uses no value after its end; the claim is too modest", c.bears+1)
			}
		})
	}
}

// TestServerClock holds the bound for the server's clock that each answer gives the npm package, which uses the least of
// all: no answer may give a time that is over already when the request for it begins.
func TestServerClock(t *testing.T) {
	t.Parallel()
	margin := pageMargin(t)
	for _, c := range page() {
		if c.bears == never {
			continue
		}
		t.Run(fmt.Sprintf("%v, %s, no-cache %v", c.caches, scope(c.private), c.asked), func(t *testing.T) {
			t.Parallel()
			delay := 6 * second
			if c.bears != always {
				delay = c.bears * second
			}
			for left, l := range (law{ceiling: 4, private: c.private}).lives(t) {
				kept := l.own
				if c.asked {
					kept = 0
				}
				c.caches.walk(made(left, delay), l, func(last response) {
					bound := (last.date + max(last.age, kept) + margin) * second
					if late := last.at - bound + len(c.caches) + 1; late > 0 {
						t.Fatalf("an item with %s s left: by the bound the server's clock is %s s behind", seconds(left), seconds(late))
					}
				})
			}
		})
	}
}

// late is by how many ticks a page may use a value after its end. A tick for
// each cache, and one for Date, may be lost between those of the grid.
func (c pageClaim) late(all []lives, delay, margin int) int {
	latest := -end
	for left, l := range all {
		kept := l.own
		if c.asked {
			kept = 0
		}
		c.caches.walk(made(left, delay), l, func(last response) {
			if life := end/second - last.date - max(last.age, kept) - margin; life > 0 {
				latest = max(latest, last.at+life*second-end)
			}
		})
	}
	return latest + len(c.caches) + 1
}

// pageMargin is what the npm package takes off, in seconds.
func pageMargin(t *testing.T) int {
	t.Helper()
	module, err := os.ReadFile("../../client/src/http.ts")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`const margin = (\d+)000;`).FindSubmatch(module)
	rule := []byte("date + Math.max(age, kept ? lifetime(response, 'max-age') : 0) + margin + elapsed()")
	if found == nil || !bytes.Contains(module, rule) {
		t.Fatal("the rule of client/src/http.ts is not where it was")
	}
	margin, _ := strconv.Atoi(string(found[1]))
	return margin
}

func pageTable() string {
	table := "| caches | answers | fetched with | the rule holds for answers that are late by |\n|---|---|---|---:|\n"
	for _, c := range page() {
		fetched := "`default`"
		if c.asked {
			fetched = "`no-cache`"
		}
		table += fmt.Sprintf("| %v | `%s` | %s | %s |\n", c.caches, scope(c.private), fetched, c.borne())
	}
	return table
}
