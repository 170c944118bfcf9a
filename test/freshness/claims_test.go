package freshness

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// How many seconds late a claim lets answers be, where it is not so many.
const (
	always = 9 // what is borne so long is borne however late an answer is
	never  = -1
)

// A claim is that a promise is kept if all delays between the function and the
// last cache come to no more than so many seconds, and not if they come to one more.
type claim struct {
	caches  chain
	private bool
	bears   int
}

func expiry() []claim {
	return []claim{
		{chain{browser}, false, always},
		{chain{httpd}, false, always},
		{chain{nginx}, false, 6},
		{chain{varnish}, false, 7},
		{chain{haproxy}, false, 7},
		{chain{workerd}, false, 7},
		{chain{script}, false, 3},
		{chain{nginx, browser}, false, 3},
		{chain{nginx, script}, false, 3},
		{chain{nginx, nginx}, false, 4},
		{chain{varnish, browser}, false, 4},
		{chain{haproxy, browser}, false, 4},
		{chain{varnish, varnish, browser}, false, 3},
		{chain{browser, script}, false, 2},
		{chain{browser}, true, always},
		{chain{script}, true, 2},
	}
}

// check holds c in both directions. late is by how many ticks something is used after
// its end if answers come to be so many ticks late, for all lives with a ceiling of 4 s.
// Each step of the grid hides up to unseen ticks.
func (c claim) check(t *testing.T, unseen int, late func(all []lives, delay int) int) {
	t.Helper()
	all := law{ceiling: 4, private: c.private}.lives(t)
	if ticks := late(all, max(c.bears, 0)*second); c.bears != never && ticks > 0 {
		t.Errorf("with answers %d s late it is used until %s s after its end", c.bears, seconds(ticks))
	}
	if c.bears != always && late(all, (c.bears+1)*second) <= unseen {
		t.Errorf("with answers %d s late it is not used after its end; the claim is too modest", c.bears+1)
	}
}

// TestNothingAfterItsEnd holds the first table of docs/freshness.md, in both directions.
func TestNothingAfterItsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range expiry() {
		t.Run(fmt.Sprintf("%v, %s", c.caches, scope(c.private)), func(t *testing.T) {
			t.Parallel()
			c.check(t, len(c.caches), c.caches.late)
		})
	}
}

// TestEveryLife holds the same table to the theorem, for all lives that matter
// with the default settings, which are too many to walk.
func TestEveryLife(t *testing.T) {
	t.Parallel()
	all := map[bool][]lives{false: law{ceiling: 60}.lives(t), true: law{ceiling: 60, private: true}.lives(t)}
	for _, c := range expiry() {
		delay := c.bears * second
		if c.bears == always {
			delay = 0 // none of its caches counts from the arrival
		}
		for left, l := range all[c.private] {
			if c.caches.keep(l) && c.caches.bound(l, delay) > left {
				t.Errorf("%v: with %s s to live it is reused for %s s", c.caches, seconds(left), seconds(c.caches.bound(l, delay)))
			}
		}
	}
}

// keep reports whether each cache may keep the response.
func (c chain) keep(l lives) bool {
	return !slices.ContainsFunc(c, func(cache cache) bool { return l.of(cache) < 1 })
}

// late is by how many ticks anybody may see an item after its end, if delays
// come to that many ticks; not positive if nobody does. The last moment to reuse
// a response lies up to a tick behind the last one on the grid, for each cache.
func (c chain) late(all []lives, delay int) int {
	latest := 0
	for left, l := range all {
		c.walk(made(left, delay), l, func(last response) { latest = max(latest, last.at) })
	}
	return latest + len(c) - end
}

// A breach is that an item is seen CACHE_MAX_AGE less so many seconds after its
// end, and no later, though no answer is late.
type breach struct {
	caches  chain
	private bool
	less    int
}

func breaches() []breach {
	return []breach{
		{chain{nginx, nginx, browser}, false, 4},
		{chain{varnish, nginx, nginx}, false, 4},
		{chain{nginx, nginx, nginx}, false, 3},
		{chain{nginx, browser, script}, false, 3},
		{chain{browser, script}, true, 2},
	}
}

// TestWhereThePromiseBreaks holds the second table of docs/freshness.md.
func TestWhereThePromiseBreaks(t *testing.T) {
	t.Parallel()
	for _, b := range breaches() {
		for _, ceiling := range []int{b.less, 6, 7} {
			t.Run(fmt.Sprintf("%v, %s, %d s", b.caches, scope(b.private), ceiling), func(t *testing.T) {
				t.Parallel()
				all := law{ceiling: ceiling, private: b.private}.lives(t)
				if late := b.caches.late(all, 0); late != (ceiling-b.less)*second {
					t.Errorf("it is seen until %s s after its end; want %d s", seconds(late), ceiling-b.less)
				}
			})
		}
	}
}

// A trace is one way on which an item is seen at its end or after, with the
// shortest life for which there is one. Times are in seconds from the answer.
type trace struct {
	caches  chain
	private bool
	late    int // in all, in seconds
	left    float64
	at      []float64 // of the last answer of each cache
}

func traces() []trace {
	return []trace{
		{chain{nginx}, false, 7, 8, []float64{8.75}},
		{chain{workerd}, false, 8, 8, []float64{8.75}},
		{chain{script}, false, 4, 4, []float64{4.75}},
		{chain{nginx, browser}, false, 4, 8, []float64{5.75, 8.5}},
		{chain{nginx, nginx}, false, 5, 8, []float64{5.75, 8.5}},
		{chain{varnish, browser}, false, 5, 8, []float64{5.75, 8.5}},
		{chain{varnish, varnish, browser}, false, 4, 8, []float64{3, 5.5, 8.25}},
		{chain{browser, script}, false, 3, 4, []float64{0.75, 4.5}},
		{chain{script}, true, 3, 3, []float64{3.75}},
		{chain{nginx, nginx, browser}, false, 0, 12, []float64{3.75, 7.5, 12.25}},
		{chain{varnish, nginx, nginx}, false, 0, 16, []float64{4.75, 10.5, 16.25}},
		{chain{nginx, nginx, nginx}, false, 0, 14, []float64{4.75, 9.5, 14.25}},
		{chain{nginx, browser, script}, false, 0, 10, []float64{2.75, 6.5, 10.25}},
		{chain{browser, script}, true, 0, 5, []float64{2.75, 5.5}},
	}
}

// TestTraces holds the third table of docs/freshness.md.
func TestTraces(t *testing.T) {
	t.Parallel()
	for _, row := range traces() {
		t.Run(row.caches.String(), func(t *testing.T) {
			t.Parallel()
			all := law{ceiling: 8, private: row.private}.lives(t)
			left := int(row.left * second)
			if !row.possible(all[left]) || row.at[len(row.at)-1] < row.left {
				t.Error("no way leads there")
			}
			for shorter := range left {
				row.caches.walk(made(shorter, row.late*second), all[shorter], func(last response) {
					if last.at >= end {
						t.Fatalf("it is seen after its end with %s s to live, too", seconds(shorter))
					}
				})
			}
		})
	}
}

// possible reports whether each cache may give its last answer when the trace says.
func (r trace) possible(l lives) bool {
	left := int(r.left * second)
	held := map[response]bool{made(left, r.late*second): true}
	for i, cache := range r.caches {
		next := map[response]bool{}
		for got := range held {
			cache.reuse(got, l, func(sent response) {
				if sent.at == end-left+int(r.at[i]*second) {
					next[sent] = true
				}
			})
		}
		held = next
	}
	return len(held) > 0
}

// TestTheorem holds the theorem of docs/freshness.md for all chains of up to
// three caches: none goes beyond the bound, and most reach it.
func TestTheorem(t *testing.T) {
	t.Parallel()
	l := read(t, law{ceiling: 60}.item(t, 10*second, 0))
	reached, all := 0, chains()
	for _, c := range all {
		delay := 2 * second
		if len(c) == 3 {
			delay = 1
		}
		last := 0
		c.walk(made(10*second, delay), l, func(r response) { last = max(last, r.at+len(c)-end+10*second) })
		switch bound := c.bound(l, delay); {
		case last > bound:
			t.Errorf("%v, answers up to %s s late: reused for %s s; the theorem says %s", c, seconds(delay), seconds(last), seconds(bound))
		case last == bound:
			reached++
		}
	}
	if reached < len(all)/2 {
		t.Errorf("%d of %d chains reach the bound of the theorem; it is too modest", reached, len(all))
	}
}

// bound is the theorem: for how many ticks after the function's answer a chain
// reuses it. Caches that count on from an Age are one count.
func (c chain) bound(l lives, delay int) int {
	total, count := 0, 0
	for i, cache := range c {
		if c.anew(i) {
			total, count = total+count, 0
		}
		count = max(count, l.of(cache)*second)
		if handsOn := i+1 < len(c) && !c.anew(i+1); handsOn || cache.whole && cache.inclusive {
			total += second
		}
	}
	return total + count + delay
}

// anew reports whether cache i does not know how old a response is.
func (c chain) anew(i int) bool { return i == 0 || c[i-1].mute || c[i].deaf }

func chains() []chain {
	shorter, all := []chain{nil}, []chain(nil)
	for range 3 {
		var longer []chain
		for _, c := range shorter {
			for _, last := range []cache{nginx, varnish, haproxy, workerd, httpd, browser, script} {
				longer = append(longer, append(c[:len(c):len(c)], last))
			}
		}
		shorter = longer
		all = append(all, longer...)
	}
	return all
}

// TestNotModified lets caches keep, after a 304, the longest lives that any
// earlier answer with the same ETag allowed, and holds the first table to them.
func TestNotModified(t *testing.T) {
	t.Parallel()
	law := law{ceiling: 4}
	all := law.lives(t)
	kept := map[string]lives{} // by ETag
	for left := len(all) - 1; left > 0; left-- {
		for age := range 4 * second {
			header := law.item(t, left, age)
			got := read(t, header)
			if got == (lives{}) {
				continue
			}
			tag := header.Get("ETag")
			kept[tag] = lives{max(kept[tag].own, got.own), max(kept[tag].shared, got.shared)}
			all[left] = lives{max(all[left].own, kept[tag].own), max(all[left].shared, kept[tag].shared)}
		}
	}
	for _, c := range []claim{{chain{nginx}, false, 6}, {chain{nginx, browser}, false, 3}, {chain{nginx, nginx}, false, 4}} {
		if late := c.caches.late(all, c.bears*second); late > 0 {
			t.Errorf("%v: after a 304 an item is seen %s s after its end", c.caches, seconds(late))
		}
	}
}

// A turnover is how long a response is reused that is no longer right: so many
// times the setting, and so many seconds.
type turnover struct {
	caches       chain
	times, extra int
}

func overwritten() []turnover {
	return []turnover{
		{chain{browser}, 1, 0},
		{chain{varnish}, 1, 0},
		{chain{nginx}, 1, 1},
		{chain{varnish, browser}, 1, 1},
		{chain{nginx, browser}, 2, 1},
		{chain{nginx, nginx}, 2, 2},
	}
}

func absent() []turnover {
	return []turnover{
		{chain{varnish}, 1, 0},
		{chain{nginx}, 1, 1},
		{chain{nginx, nginx}, 2, 2},
	}
}

// TestOverwritten holds the table of overwritten values in docs/freshness.md.
func TestOverwritten(t *testing.T) {
	t.Parallel()
	for _, row := range overwritten() {
		for _, ceiling := range []int{3, 5} {
			law := law{ceiling: ceiling}
			row.check(t, ceiling, func(age int) lives { return read(t, law.item(t, 990*second, age)) })
		}
	}
}

// TestAbsent holds the table of new items in docs/freshness.md.
func TestAbsent(t *testing.T) {
	t.Parallel()
	for _, row := range absent() {
		for _, remembered := range []int{2, 5} {
			law := law{notFound: remembered}
			row.check(t, remembered, func(age int) lives { return read(t, law.absence(t, age)) })
		}
	}
}

// check tries all ages that the function's copy may have.
func (u turnover) check(t *testing.T, setting int, livesOf func(age int) lives) {
	t.Helper()
	for _, delay := range []int{0, second} {
		last := 0
		for age := range setting*second + 1 {
			l := livesOf(age)
			u.caches.walk(made(990*second, delay), l, func(r response) { last = max(last, r.at+len(u.caches)-end+990*second+age) })
		}
		want := (u.times*setting + u.extra) * second
		if slow := u.caches[0]; !slow.fromRequest {
			want += delay
		}
		if last != want {
			t.Errorf("%v, %d s, answers %s s late: seen for %s s; want %s", u.caches, setting, seconds(delay), seconds(last), seconds(want))
		}
	}
}

// TestDocument keeps the tables of docs/freshness.md the ones that the other tests hold.
func TestDocument(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/freshness.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{expiryTable(), breachTable(), traceTable(t), turnoverTable("CACHE_MAX_AGE", overwritten()), turnoverTable("NOT_FOUND_MAX_AGE", absent()), pageTable()} {
		if !strings.Contains(string(page), "\n"+table+"\n") {
			t.Errorf("docs/freshness.md does not hold the table\n%s", table)
		}
	}
}

// TestContract keeps docs/http-contract.md from claiming anything else.
func TestContract(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("../../docs/http-contract.md")
	if err != nil {
		t.Fatal(err)
	}
	borne := map[string]string{}
	for _, c := range expiry() {
		if !c.private {
			borne[c.caches.String()] = c.borne()
		}
	}
	_, table, _ := strings.Cut(string(contract), "| caches | holds for answers that are late by |\n|---|---:|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if table == "" {
		t.Fatal("docs/http-contract.md holds no such table")
	}
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(line, " | ")
		for caches := range strings.SplitSeq(strings.TrimPrefix(cells[0], "| "), ", ") {
			if got := strings.TrimSuffix(cells[1], " |"); got != borne[caches] {
				t.Errorf("docs/http-contract.md: %s holds for %s; want %q", caches, got, borne[caches])
			}
		}
	}
}

// table writes rows of cells under a head.
func table[Row any](head string, rows []Row, cells func(Row) string) string {
	var all strings.Builder
	all.WriteString(head)
	for _, row := range rows {
		fmt.Fprintf(&all, "| %s |\n", cells(row))
	}
	return all.String()
}

func expiryTable() string {
	return table("| caches | answers | counts | bears answers that are late by |\n|---|---|---:|---:|\n", expiry(), func(c claim) string {
		count := 0
		for i := range c.caches {
			if c.caches.anew(i) {
				count++
			}
		}
		return fmt.Sprintf("%v | `%s` | %d | %s", c.caches, scope(c.private), count, c.borne())
	})
}

func (c claim) borne() string {
	switch c.bears {
	case always:
		return "any time"
	case never:
		return "none"
	}
	return fmt.Sprintf("%d s", c.bears)
}

func breachTable() string {
	return table("| caches | answers | an item is seen after its end for up to |\n|---|---|---:|\n", breaches(), func(b breach) string {
		return fmt.Sprintf("%v | `%s` | `CACHE_MAX_AGE` − %d s", b.caches, scope(b.private), b.less)
	})
}

func traceTable(t *testing.T) string {
	head := "| caches | answers | late by | left to live | `max-age` | `s-maxage` | the last answer of each, after |\n|---|---|---:|---:|---:|---:|---|\n"
	return table(head, traces(), func(row trace) string {
		l := read(t, law{ceiling: 60, private: row.private}.item(t, int(row.left*second), 0))
		shared := "–"
		if l.shared > 0 {
			shared = fmt.Sprint(l.shared)
		}
		at := strings.Trim(strings.ReplaceAll(fmt.Sprint(row.at), " ", " s, "), "[]") + " s"
		return fmt.Sprintf("%v | `%s` | %d s | %g s | %d | %s | %s", row.caches, scope(row.private), row.late, row.left, l.own, shared, at)
	})
}

func turnoverTable(setting string, rows []turnover) string {
	return table("| caches | seen for up to |\n|---|---:|\n", rows, func(row turnover) string {
		times, extra := "", ""
		if row.times > 1 {
			times = fmt.Sprintf("%d × ", row.times)
		}
		if row.extra > 0 {
			extra = fmt.Sprintf(" + %d s", row.extra)
		}
		return fmt.Sprintf("%v | %s`%s`%s", row.caches, times, setting, extra)
	})
}

func scope(private bool) string {
	if private {
		return "private"
	}
	return "public"
}

func seconds(ticks int) string { return fmt.Sprintf("%g", float64(ticks)/second) }
