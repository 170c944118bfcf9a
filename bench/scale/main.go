// Command scale works out what voxkv needs for so many viewers: requests,
// sandboxes, calls of Voximplant and dollars a month. It prints the tables of
// docs/scale.md; the test holds its model against a simulation.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"
)

func main() {
	s := usual()
	flag.DurationVar(&s.poll, "poll", s.poll, "how often a page asks")
	flag.IntVar(&s.items, "items", s.items, "how many there are")
	flag.Float64Var(&s.skew, "skew", s.skew, "exponent of Zipf's law: 0 makes all items alike")
	flag.DurationVar(&s.lifetime, "lifetime", s.lifetime, "of an item")
	flag.DurationVar(&s.maxAge, "max-age", s.maxAge, "CACHE_MAX_AGE")
	flag.DurationVar(&s.localMaxAge, "local-max-age", s.localMaxAge, "LOCAL_MAX_AGE")
	flag.Parse()
	byViewers(os.Stdout, s)
	bySetting(os.Stdout, s)
	byItems(os.Stdout, s)
	byBudget(os.Stdout, s)
	byWatching(os.Stdout, s)
}

// byViewers is the table of scales.
func byViewers(w io.Writer, s scenario) {
	fmt.Fprintf(w, "| viewers | polls/s | function, requests/s | sandboxes | Voximplant, calls/s | $ a month "+
		"| **CloudFront**: requests/s | function, requests/s | sandboxes | Voximplant, calls/s | $ a month |\n|%s\n", columns(11))
	direct := newModel(s)
	cached := direct.withCloudFront()
	for viewers := 1e3; viewers <= 1e8; viewers *= 10 {
		alone, behind := direct.traffic(viewers), cached.traffic(viewers)
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", power(viewers), number(alone.polls),
			number(alone.function), number(alone.sandboxes), number(alone.upstream), number(alone.dollars(false)),
			number(behind.viewer), number(behind.function), number(behind.sandboxes), number(behind.upstream), number(behind.dollars(true)))
	}
}

// bySetting shows what the two ages do, for a million viewers.
func bySetting(w io.Writer, s scenario) {
	fmt.Fprintf(w, "\n| `CACHE_MAX_AGE` | `LOCAL_MAX_AGE` | function, requests/s | Voximplant, calls/s | $ a month "+
		"| **CloudFront**: function, requests/s | Voximplant, calls/s | $ a month |\n|%s\n", columns(8))
	for _, ages := range [][2]time.Duration{
		{time.Minute, 0}, {time.Minute, 10 * time.Second}, {time.Minute, 30 * time.Second}, {time.Minute, time.Minute},
		{10 * time.Minute, 10 * time.Second}, {10 * time.Minute, time.Minute},
	} {
		s.maxAge, s.localMaxAge = ages[0], ages[1]
		m := newModel(s)
		alone, behind := m.traffic(1e6), m.withCloudFront().traffic(1e6)
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", short(ages[0]), short(ages[1]),
			number(alone.function), number(alone.upstream), number(alone.dollars(false)),
			number(behind.function), number(behind.upstream), number(behind.dollars(true)))
	}
}

// byItems shows that a CDN helps a million viewers as far as they share items.
func byItems(w io.Writer, s scenario) {
	fmt.Fprintf(w, "\n| items | function, requests/s | Voximplant, calls/s | **CloudFront**: function, requests/s | Voximplant, calls/s |\n|%s\n", columns(5))
	for items := 1; items <= 1e6; items *= 100 {
		s.items = items
		m := newModel(s)
		alone, behind := m.traffic(1e6), m.withCloudFront().traffic(1e6)
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", power(float64(items)), number(alone.function), number(alone.upstream),
			number(behind.function), number(behind.upstream))
	}
}

// byBudget turns the question round: how many viewers a limit of Voximplant allows.
func byBudget(w io.Writer, s scenario) {
	fmt.Fprintf(w, "\n| calls/s that Voximplant allows | viewers | with CloudFront | and `CACHE_MAX_AGE=10m`, `LOCAL_MAX_AGE=1m` |\n|%s\n", columns(4))
	alone := newModel(s)
	s.maxAge, s.localMaxAge = 10*time.Minute, time.Minute
	behind, longer := alone.withCloudFront(), newModel(s).withCloudFront()
	for _, budget := range []float64{5, 20, 100, 500} {
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", number(budget), alone.most(budget), behind.most(budget), longer.most(budget))
	}
}

// byWatching is for pages that ask as soon as max-age ends, as client/ does: what a thousand of them cost.
func byWatching(w io.Writer, s scenario) {
	fmt.Fprintf(w, "\n| `CACHE_MAX_AGE` | requests of a viewer, an hour | function, of 1,000 viewers, an hour | $ a month "+
		"| **CloudFront**: function, an hour | $ a month |\n|%s\n", columns(6))
	s.poll = time.Second
	for _, age := range []time.Duration{2 * time.Second, 10 * time.Second, time.Minute} {
		s.maxAge, s.localMaxAge = age, min(10*time.Second, age/2)
		m := newModel(s)
		alone, behind := m.traffic(1e3), m.withCloudFront().traffic(1e3)
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", short(age), number(alone.viewer/1e3*3600), number(alone.function*3600),
			number(alone.dollars(false)), number(behind.function*3600), number(behind.dollars(true)))
	}
}

// most is the number of viewers whose upstream calls stay within budget.
func (m *model) most(budget float64) string {
	const limit = 1e8
	low, high := 1.0, limit
	for high/low > 1.02 {
		if middle := math.Sqrt(low * high); m.traffic(middle).upstream > budget {
			high = middle
		} else {
			low = middle
		}
	}
	if high == limit {
		return "more than " + power(limit)
	}
	return number(low)
}

func columns(n int) string {
	line := ""
	for range n {
		line += "---|"
	}
	return line
}

// number has two digits that count.
func number(x float64) string {
	if x < 1 {
		return strconv.FormatFloat(x, 'g', 2, 64)
	}
	scale := math.Pow(10, math.Max(0, math.Floor(math.Log10(x))-1))
	digits := strconv.FormatFloat(math.Round(x/scale)*scale, 'f', -1, 64)
	if x < 10 && x != math.Trunc(x) {
		digits = strconv.FormatFloat(x, 'f', 1, 64)
	}
	for i := len(digits) - 3; i > 0 && x >= 1000; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// power writes a power of ten.
func power(x float64) string {
	superscript := []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")
	return "10" + string(superscript[int(math.Round(math.Log10(x)))])
}

func short(d time.Duration) string {
	if d >= time.Minute {
		return strconv.Itoa(int(d.Minutes())) + "m"
	}
	return strconv.Itoa(int(d.Seconds())) + "s"
}
