//go:build linux

package faults

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"
)

// A row is something that breaks, and what the function's caller then gets.
type row struct {
	name string // as docs/faults.md has it

	// faults are ways to break it that must come to the same.
	faults []fault

	want outcome

	// calls and reads are how often Voximplant is called and the secret read.
	calls, reads span

	retryAfter string // if it is not that of want

	// fromStart breaks it before Init, which else finds everything well.
	fromStart bool

	// aged lets the token be older than a second, as nearly every token is.
	aged bool

	// lasting is that it goes on for some seconds after all is mended. The first
	// of the faults waits for the end of that.
	lasting bool

	// wait is how long the caller waits, ten seconds if it is 0.
	wait time.Duration

	settings []string
}

// A fault is one way to break something.
type fault struct {
	name string // empty where there is only one
	do   func(*testing.T, *sandbox)
}

// one is the faults of a row that has only one.
func one(do func(*testing.T, *sandbox)) []fault { return []fault{{"", do}} }

// A span is a number that may depend on chance.
type span struct{ least, most int }

func times(n int) span { return span{n, n} }

// unseen is the number of calls of which no stand-in can know.
var unseen = span{-1, -1}

func (s span) String() string {
	switch {
	case s == unseen:
		return "–"
	case s.least == s.most:
		return fmt.Sprint(s.least)
	case s.least == 0:
		return fmt.Sprint("at most ", s.most)
	}
	return fmt.Sprintf("%d to %d", s.least, s.most)
}

// An outcome is a kind of answer.
type outcome struct {
	status       int
	code         string
	cacheControl string
	retryAfter   string
	level        string
}

const (
	neverStale = ", must-revalidate, stale-while-revalidate=0, stale-if-error=0"
	noStore    = "no-store"
)

var (
	found       = outcome{200, "", "public, max-age=N, s-maxage=N" + neverStale, "", "INFO"}
	absent      = outcome{404, "not_found", "public, max-age=0, s-maxage=N" + neverStale, "", "INFO"}
	busy        = outcome{503, "upstream_busy", noStore, "1", "WARN"}
	unavailable = outcome{503, "upstream_unavailable", noStore, "2", "WARN"}
	timeout     = outcome{504, "upstream_timeout", noStore, "", "WARN"}
	failure     = outcome{502, "upstream_failure", noStore, "", "ERROR"}
	internal    = outcome{500, "internal_error", noStore, "", "ERROR"}
)

// seconds are those of a lifetime. How many they are depends on how long the
// answer took.
var seconds = regexp.MustCompile("=[1-9][0-9]*")

// brief lets rows in which something hangs take less time.
var brief = []string{"UPSTREAM_TIMEOUT=1s"}

// TestFaults is E5-15 of docs/http-statements.md.
func TestFaults(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r row, f fault) {
		inBubble(t, func(t *testing.T) { r.try(t, newBubbleWorld(t), f) })
	})
}

// TestBinary is TestFaults with the real binary, for which time is as it is: it
// tells nothing of what it costs, and of time only that it is over.
func TestBinary(t *testing.T) {
	t.Parallel()
	if os.Getenv("VOXKV_FAULTS") == "" {
		t.Skip("the faults with the real binary are make faults")
	}
	each(t, func(t *testing.T, r row, f fault) { r.try(t, newWorld(t), f) })
}

// each runs test for each fault of each row.
func each(t *testing.T, test func(*testing.T, row, fault)) {
	for _, s := range sections() {
		for _, r := range s.rows {
			for _, f := range r.faults {
				name := r.name
				if f.name != "" {
					name += "/" + f.name
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, r, f)
				})
			}
		}
	}
}

// try breaks what f breaks and looks at three answers: for an item of which
// there is no copy, for one of which there is, and one after all is mended.
func (r row) try(t *testing.T, s *sandbox, f fault) {
	settings, ask := r.manner(s)
	r.breakIn(t, s, f, settings)
	before := s.counts()
	got := ask(t, "order:2")
	r.check(t, got)
	if s.inside {
		r.checkCost(t, before, s.counts())
		if cmp.Or(r.wait, 10*time.Second) > margin {
			got.checkInTime(t)
		}
	}
	if s.afterwards != nil {
		s.afterwards()
	}
	var copied answer
	if !r.fromStart {
		copied = ask(t, "order:1")
		if status := map[bool]int{true: 404, false: 200}[r.want == absent]; s.inside {
			copied.want(t, "what was known before", status)
		}
	}
	if s.inside {
		r.checkDirect(t, s)
	}
	s.mend(t)
	s.getAtLast(t, "order:3", s.tries(r.lasting))
	r.checkLog(t, s, got, copied)
}

// checkDirect asks directly: a failure has the name of the problem, and comes in time too.
func (r row) checkDirect(t *testing.T, s *sandbox) {
	t.Helper()
	if r.want == timeout {
		time.Sleep(time.Minute) // until the question that the last answer left behind has ended
	}
	wait := cmp.Or(r.wait, 10*time.Second)
	deadline := time.Now().Add(wait)
	result := s.invoke(t, `{"key":"order:4"}`, wait)
	if wait > margin {
		answer{left: time.Until(deadline)}.checkInTime(t)
	}
	got := ""
	if result.FunctionError != nil {
		got = result.FunctionError.Type
		checkWords(t, "a function error", string(result.Payload), inside...)
	}
	if want := errorTypes[r.want.code]; got != want && !r.lasting {
		t.Errorf("direct invocation: %s; want %q", result.Payload, want)
	}
}

// errorTypes are the names that codes of failures have for direct invocations.
var errorTypes = map[string]string{
	busy.code: "UpstreamBusy", unavailable.code: "UpstreamUnavailable", timeout.code: "UpstreamTimeout",
	failure.code: "UpstreamFailure", internal.code: "InternalError",
}

// manner returns the settings of the function in s, and how it is asked. Copies
// are to be there, and not to answer where upstream can.
func (r row) manner(s *sandbox) ([]string, func(t *testing.T, key string) answer) {
	switch {
	case s.inside:
		return append([]string{"LOCAL_MAX_AGE=0s"}, r.settings...), func(t *testing.T, key string) answer {
			return s.get(t, key, cmp.Or(r.wait, 10*time.Second))
		}
	case r.want == timeout:
		return []string{"LOCAL_MAX_AGE=0s", "STALE_MAX_AGE=1h", "UPSTREAM_TIMEOUT=5s"}, func(t *testing.T, key string) answer {
			return s.get(t, key, cmp.Or(r.wait, patience))
		}
	}
	return []string{"LOCAL_MAX_AGE=0s", "STALE_MAX_AGE=1h"}, s.getInTime
}

// breakIn starts the function and breaks what f breaks, in the order of the row.
func (r row) breakIn(t *testing.T, s *sandbox, f fault, settings []string) {
	t.Helper()
	if r.fromStart {
		f.do(t, s)
	}
	s.start(t, settings...)
	if !r.fromStart {
		s.getAtLast(t, "order:1", s.tries(false))
	}
	if r.aged {
		nextSecond()
	}
	if !r.fromStart {
		f.do(t, s)
	}
}

// tries is how often an item may be asked for until it comes: on a real machine
// time may run out for reasons of its own.
func (s *sandbox) tries(lasting bool) int {
	if s.inside && !lasting {
		return 1
	}
	return 60
}

// getAtLast asks for an item until it comes, once a second.
func (s *sandbox) getAtLast(t *testing.T, key string, tries int) {
	t.Helper()
	a := s.get(t, key, patience)
	for ; a.StatusCode != 200 && tries > 1; tries-- {
		nextSecond()
		a = s.get(t, key, patience)
	}
	a.want(t, "while all is well", 200)
}

// getInTime asks for an item until the answer is not that time ran out: a slow
// machine may be why.
func (s *sandbox) getInTime(t *testing.T, key string) answer {
	t.Helper()
	for {
		if a := s.get(t, key, patience); a.StatusCode != http.StatusGatewayTimeout {
			return a
		}
	}
}

// checkLog looks at the lines of an answer and, if there is one, of one with a copy.
func (r row) checkLog(t *testing.T, s *sandbox, got, copied answer) {
	t.Helper()
	s.Stop()
	if level := s.logged(got); level != r.want.level {
		t.Errorf("logged at %s; want %s", level, r.want.level)
	}
	if level := s.logged(copied); !r.fromStart && r.want.status >= 500 && level != "WARN" {
		t.Errorf("the copy's use is logged at %s; want WARN", level)
	}
}

// check compares what the caller got.
func (r row) check(t *testing.T, got answer) {
	t.Helper()
	want := r.want
	if r.retryAfter != "" {
		want.retryAfter = r.retryAfter
	}
	if got.StatusCode != want.status || got.code != want.code {
		t.Errorf("answer %d %s; want %d %s", got.StatusCode, got.code, want.status, want.code)
	}
	if cacheControl := seconds.ReplaceAllString(got.Headers["Cache-Control"], "=N"); cacheControl != want.cacheControl {
		t.Errorf("Cache-Control: %s; want %s", cacheControl, want.cacheControl)
	}
	if retryAfter := got.Headers["Retry-After"]; retryAfter != want.retryAfter {
		t.Errorf("Retry-After: %s; want %q", retryAfter, want.retryAfter)
	}
}

// checkCost compares how often the stand-ins were asked.
func (r row) checkCost(t *testing.T, before, after counts) {
	t.Helper()
	calls := tried(after.calls-before.calls, after.connections-before.connections)
	if r.calls != unseen && (calls < r.calls.least || calls > r.calls.most) {
		t.Errorf("Voximplant was called %d times; want %v", calls, r.calls)
	}
	reads := tried(after.reads-before.reads, after.readConnections-before.readConnections)
	if r.reads != unseen && (reads < r.reads.least || reads > r.reads.most) {
		t.Errorf("the secret was read %d times; want %v", reads, r.reads)
	}
}

// tried is how often a call was made. Where none gets through, connections show it.
func tried(calls, connections int) int {
	if calls > 0 {
		return calls
	}
	return connections
}

// counts are what the stand-ins have seen so far.
type counts struct{ calls, connections, reads, readConnections int }

func (s *sandbox) counts() counts {
	return counts{s.Voximplant.Calls("GetKeyValueItem"), s.api.connections(), s.Secrets.Calls(), s.secrets.connections()}
}

// mend makes the world as it was.
func (s *sandbox) mend(t *testing.T) {
	t.Helper()
	s.Voximplant.Intercept(nil)
	s.Secrets.Intercept(nil)
	s.Voximplant.AddKey(accounts[0].KeyID, &accounts[0].PrivateKey.PublicKey)
	s.store(accounts[0])
	for _, l := range []*line{s.api, s.secrets} {
		if err := l.mend(); err != nil {
			t.Fatal(err)
		}
	}
}
