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
			c.check(t, 0, func(all []lives, delay int) int { return c.late(all, delay, margin) })
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
				c.caches.walk(made(left, delay), l, func(last response) {
					bound := (last.date + max(last.age, c.kept(l)) + margin) * second
					if late := last.at - bound + len(c.caches) + 1; late > 0 {
						t.Fatalf("an item with %s s left: by the bound the server's clock is %s s behind", seconds(left), seconds(late))
					}
				})
			}
		})
	}
}

// kept is for how many seconds a cache of the browser may have kept an answer.
func (c pageClaim) kept(l lives) int {
	if c.asked {
		return 0
	}
	return l.own
}

// late is by how many ticks a page may use a value after its end. A tick for
// each cache, and one for Date, may be lost between those of the grid.
func (c pageClaim) late(all []lives, delay, margin int) int {
	latest := -end
	for left, l := range all {
		c.caches.walk(made(left, delay), l, func(last response) {
			if life := end/second - last.date - max(last.age, c.kept(l)) - margin; life > 0 {
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
	head := "| caches | answers | fetched with | the rule holds for answers that are late by |\n|---|---|---|---:|\n"
	return table(head, page(), func(c pageClaim) string {
		fetched := map[bool]string{false: "default", true: "no-cache"}[c.asked]
		return fmt.Sprintf("%v | `%s` | `%s` | %s", c.caches, scope(c.private), fetched, c.borne())
	})
}
