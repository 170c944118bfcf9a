package soak_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A scene is a storage that holds one item with half a minute to live, and a
// right answer to a question for it.
type scene struct {
	oracle   *oracle
	question question
	reply    reply
	troubled bool
}

func newScene() *scene {
	s := new(scene)
	s.oracle = newOracle(told, []string{"soak:1", "soak:2"}, func(time.Time) bool { return s.troubled }, func() { s.troubled = true })
	now := time.Now()
	end := time.Unix(now.Unix()+30, 0).UTC()
	s.put("soak:1", "v", end)
	s.put("soak:2", "another", end)
	long := now.Add(-10 * time.Second)
	s.oracle.histories["soak:1"].versions[0].put = [2]time.Time{long, long}
	s.question = question{key: "soak:1", start: time.Now()}
	s.question.since, s.question.end = s.question.start, s.question.start.Add(time.Millisecond)
	s.reply = reply{status: 200, body: body("soak:1", "v", end.Unix()), header: http.Header{
		"Cache-Control": {controls(4, 4)}, "Etag": {`"tag"`},
	}}
	return s
}

func (s *scene) put(key, value string, end time.Time) {
	s.oracle.histories[key].change(&version{value: value, end: end}, func() {})
}

func (s *scene) delete(key string) { s.oracle.histories[key].change(nil, func() {}) }

// later moves the question, to which the answer has another lifetime.
func (s *scene) later(d time.Duration, seconds int) {
	s.question.start, s.question.since, s.question.end = s.question.start.Add(d), s.question.start.Add(d), s.question.end.Add(d)
	s.lives(seconds, seconds)
}

// nearEnd moves the question to where 9 s are left.
func (s *scene) nearEnd(own, shared int) {
	s.later(s.end().Sub(s.question.start)-9*time.Second, own)
	s.lives(own, shared)
}

func (s *scene) lives(own, shared int) { s.reply.header.Set("Cache-Control", controls(own, shared)) }

func (s *scene) noStore() { s.reply.header = http.Header{"Cache-Control": {"no-store"}} }

func (s *scene) notModified(sent string) {
	s.question.kept = tagged{sent, representation{"soak:1", "v", s.end()}}
	s.reply.status, s.reply.body = 304, nil
}

func (s *scene) end() time.Time { return s.oracle.histories["soak:1"].versions[0].end }

func (s *scene) problem(status int, code, control string) {
	s.reply = reply{status: status, body: fmt.Appendf(nil, `{"code":%q}`, code), header: http.Header{"Cache-Control": {control}}}
}

func controls(own, shared int) string {
	return fmt.Sprintf("public, max-age=%d, s-maxage=%d, must-revalidate, stale-while-revalidate=0, stale-if-error=0", own, shared)
}

func body(key, value string, end int64) []byte {
	return fmt.Appendf(nil, `{"key":%q,"value":%q,"expires_at":%d}`, key, value, end)
}

const absence = "public, max-age=0, s-maxage=1, must-revalidate, stale-while-revalidate=0, stale-if-error=0"

// TestOracleIsNotBlind shows it right answers and wrong ones.
func TestOracleIsNotBlind(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		right bool
		f     func(*scene)
	}{
		{"the item", true, func(*scene) {}},
		{"gone for less than a copy's life", true, func(s *scene) { s.delete("soak:1"); s.later(650*time.Millisecond, 3) }},
		{"gone for longer", false, func(s *scene) { s.delete("soak:1"); s.later(750*time.Millisecond, 3) }},
		{"gone for longer, in trouble", true, func(s *scene) { s.delete("soak:1"); s.troubled = true; s.later(2900*time.Millisecond, 1) }},
		{"gone for too long, in trouble", false, func(s *scene) { s.delete("soak:1"); s.troubled = true; s.later(3100*time.Millisecond, 1) }},
		{"overwritten for longer", false, func(s *scene) { s.put("soak:1", "w", s.end()); s.later(750*time.Millisecond, 3) }},
		{"kept for longer than the ceiling after it was gone", false, func(s *scene) { s.delete("soak:1"); s.later(600*time.Millisecond, 4) }},
		{"gone for longer, when an earlier question was under way", true, func(s *scene) {
			s.delete("soak:1")
			s.later(750*time.Millisecond, 3)
			s.question.since = s.question.since.Add(-800 * time.Millisecond)
		}},
		{"at its end", false, func(s *scene) { s.later(s.end().Sub(s.question.start), 0); s.noStore() }},
		{"just before its end", true, func(s *scene) { s.later(s.end().Sub(s.question.start)-2*time.Millisecond, 0); s.noStore() }},
		{"too long a life near the end", false, func(s *scene) { s.later(s.end().Sub(s.question.start)-9*time.Second, 4) }},
		{"too long a life near the end for caches for many", false, func(s *scene) { s.nearEnd(3, 2) }},
		{"too short a life near the end for caches for many", false, func(s *scene) { s.nearEnd(3, 0) }},
		{"the right life near the end", true, func(s *scene) { s.nearEnd(3, 1) }},
		{"too short a life", false, func(s *scene) { s.later(0, 2) }},
		{"no life", false, func(s *scene) { s.noStore() }},
		{"more than the ceiling", false, func(s *scene) { s.later(0, 5) }},
		{"no directives", false, func(s *scene) { s.reply.header.Set("Cache-Control", "public, max-age=4") }},
		{"private", false, func(s *scene) { s.question.private = true }},
		{"another key", false, func(s *scene) { s.reply.body = body("soak:2", "another", s.end().Unix()) }},
		{"another key's value", false, func(s *scene) { s.reply.body = body("soak:1", "another", s.end().Unix()) }},
		{"another end", false, func(s *scene) { s.reply.body = body("soak:1", "v", s.end().Unix()+1) }},
		{"200 though the tag matches", false, func(s *scene) { s.question.kept.tag = `"tag"` }},
		{"304", true, func(s *scene) { s.notModified(`"tag"`) }},
		{"304 to another tag", false, func(s *scene) { s.notModified(`"other"`) }},
		{"304 for what is gone", false, func(s *scene) { s.notModified(`"tag"`); s.delete("soak:1"); s.later(750*time.Millisecond, 3) }},
		{"404 for what is there", false, func(s *scene) { s.problem(404, "not_found", absence) }},
		{"404 for what is there, in trouble", false, func(s *scene) { s.troubled = true; s.problem(404, "not_found", absence) }},
		{"404 for what was deleted", true, func(s *scene) { s.delete("soak:1"); s.problem(404, "not_found", absence) }},
		{"404 to be kept for longer than told", false, func(s *scene) {
			s.delete("soak:1")
			s.problem(404, "not_found", strings.Replace(absence, "s-maxage=1", "s-maxage=2", 1))
		}},
		{"404 for what was deleted, remembered", true, func(s *scene) { s.delete("soak:1"); s.problem(404, "not_found", "no-store") }},
		{"404 for what ended", true, func(s *scene) { s.later(30*time.Second, 0); s.problem(404, "not_found", absence) }},
		{"404 for what ended and was put again", true, func(s *scene) {
			s.delete("soak:1")
			s.put("soak:1", "w", s.end())
			s.later(600*time.Millisecond, 0)
			s.problem(404, "not_found", absence)
		}},
		{"404 long after it was put again", false, func(s *scene) {
			s.delete("soak:1")
			s.put("soak:1", "w", s.end())
			s.later(800*time.Millisecond, 0)
			s.problem(404, "not_found", absence)
		}},
		{"404 for what was overwritten", false, func(s *scene) {
			s.put("soak:1", "w", s.end())
			s.problem(404, "not_found", absence)
		}},
		{"a failure in calm", false, func(s *scene) { s.problem(503, "upstream_busy", "no-store") }},
		{"a failure of a slow machine", true, func(s *scene) {
			s.problem(503, "upstream_unavailable", "no-store")
			s.question.end = s.question.end.Add(2 * time.Second)
		}},
		{"a failure", true, func(s *scene) { s.troubled = true; s.problem(503, "upstream_busy", "no-store") }},
		{"a failure that may be kept", false, func(s *scene) { s.troubled = true; s.problem(503, "upstream_busy", absence) }},
		{"an unknown code", false, func(s *scene) { s.troubled = true; s.problem(503, "busy", "no-store") }},
		{"500", false, func(s *scene) { s.troubled = true; s.problem(500, "internal_error", "no-store") }},
	} {
		synctest.Test(t, func(t *testing.T) { // in which no time goes by between a change and the question
			s := newScene()
			row.f(s)
			if _, err := s.oracle.judge(s.question, s.reply); (err == nil) != row.right {
				t.Errorf("%s: judged %v", row.name, err)
			}
		})
	}
}
