package soak_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// margin and hops are http-contract.md B3: a lifetime ends this long before
	// the item does, and two caches in a row may use it up.
	margin = 2 * time.Second
	hops   = 2

	// reserve is what caches for many get less of a life than browsers.
	reserve = 2 * time.Second

	// aftermath is how long a fault may be felt: the longest rest of the
	// circuit breaker and the call that follows.
	aftermath = 50 * time.Second

	// memory is how long the oracle remembers what a key held.
	memory = 15 * time.Second
)

// A version is one value that a key held. Nobody but the storage knows the
// moment of a change; it lies between the two times around the call.
type version struct {
	value   string
	end     time.Time // its expiry, zero if it has none
	put     [2]time.Time
	gone    [2]time.Time // deleted or overwritten, the far future as long as it is not
	deleted bool
}

var farFuture = time.Unix(1<<40, 0)

// held reports whether v may have been in the storage at some time from the
// one to the other.
func (v *version) held(from, to time.Time) bool {
	return !v.put[0].After(to) && !v.gone[1].Before(from) && (v.end.IsZero() || v.end.After(from))
}

// last is the latest time at which v may have been read.
func (v *version) last() time.Time {
	if !v.end.IsZero() && v.end.Before(v.gone[1]) {
		return v.end
	}
	return v.gone[1]
}

// A history is what the storage held under one key, and who asks for it.
type history struct {
	mu       sync.Mutex // guards all, as what it points to
	versions []*version
	open     []*question // whose answer from the storage may not have reached the function yet, the oldest first
}

// ask begins q. The function may answer it with what it asks the storage already for an earlier question.
func (h *history) ask(q *question) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q.start = time.Now()
	q.since = q.start
	h.open = slices.DeleteFunc(h.open, func(o *question) bool { return o.start.Before(q.start.Add(-memory)) })
	if len(h.open) > 0 {
		q.since = h.open[0].start
	}
	h.open = append(h.open, q)
}

// answered ends q. Where its time may have run out, what was asked for it may still be under way: a copy may have answered.
func (h *history) answered(q *question, outOfTime bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q.end = time.Now()
	if !outOfTime {
		h.open = slices.DeleteFunc(h.open, func(o *question) bool { return o == q })
	}
}

// change does what changes the storage: then the key holds v, or nothing if that is nil.
func (h *history) change(v *version, do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := time.Now()
	do()
	between := [2]time.Time{from, time.Now()}
	h.forget(from)
	if n := len(h.versions); n > 0 && h.versions[n-1].gone[0].Equal(farFuture) {
		h.versions[n-1].gone, h.versions[n-1].deleted = between, v == nil
	}
	if v != nil {
		v.put, v.gone = between, [2]time.Time{farFuture, farFuture}
		h.versions = append(h.versions, v)
	}
}

// forget drops what no answer can show any more: the successor is there for long.
func (h *history) forget(now time.Time) {
	for len(h.versions) > 1 && h.versions[1].put[1].Before(now.Add(-memory)) {
		h.versions = h.versions[1:]
	}
}

// find returns a copy of the version that value and end tell, the latest if
// there are several.
func (h *history) find(value string, end time.Time) (version, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.versions) - 1; i >= 0; i-- {
		if v := h.versions[i]; v.value == value && v.end.Equal(end) {
			return *v, true
		}
	}
	return version{}, false
}

// absent reports whether the key may have held nothing at some time from the
// one to the other.
func (h *history) absent(from, to time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	start := time.Time{} // of the gap before each version
	for _, v := range h.versions {
		if !start.After(to) && !start.After(v.put[1]) && !v.put[1].Before(from) {
			return true
		}
		start = farFuture
		if !v.end.IsZero() {
			start = v.end
		}
		if v.deleted && v.gone[0].Before(start) {
			start = v.gone[0]
		}
	}
	return !start.After(to)
}

// A representation is what was shown of an item, and what an ETag stands for.
type representation struct {
	key, value string
	end        time.Time
}

// limits are the settings that answers are judged by.
type limits struct {
	ceiling, local, stale, absence time.Duration
}

// An oracle knows what the storage held when, from those who changed it, and
// judges answers by that and the contract. It shares no code with the function.
type oracle struct {
	limits
	histories map[string]*history        // by key in scope; the map itself does not change
	troubled  func(since time.Time) bool // reports whether faults of upstream could still be felt
	trouble   func()                     // takes note of a fault
}

func newOracle(l limits, keys []string, troubled func(time.Time) bool, trouble func()) *oracle {
	o := &oracle{limits: l, troubled: troubled, trouble: trouble, histories: map[string]*history{}}
	for _, key := range keys {
		o.histories[key] = new(history)
	}
	return o
}

// A question is a request for the item of one key in scope.
type question struct {
	key     string
	private bool   // by query, or directly
	hurried bool   // its deadline may pass
	kept    tagged // sent in If-None-Match, if there is a tag

	start, end time.Time // sent, and answered
	since      time.Time // when the question was sent whose answer this may be
}

// from is the earliest time at which what was answered may have been read from the storage, if a copy may be so old.
func (q question) from(copyAge time.Duration) time.Time {
	if from := q.start.Add(-copyAge); from.Before(q.since) {
		return from
	}
	return q.since
}

// caches is how many caches in a row may use up a lifetime.
func (q question) caches() int {
	if q.private {
		return 1
	}
	return hops
}

// A reply is an answer as its asker gets it.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// An item is the body of a 200, or a direct answer.
type item struct {
	Key, Value string
	ExpiresAt  *int64 `json:"expires_at"`
	MaxAge     *int64 `json:"max_age"`
}

func decodeItem(body []byte) (representation, time.Duration, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var i item
	if err := decoder.Decode(&i); err != nil {
		return representation{}, 0, fmt.Errorf("the body %.200q is no item: %w", body, err)
	}
	shown := representation{key: i.Key, value: i.Value}
	if i.ExpiresAt != nil {
		shown.end = time.Unix(*i.ExpiresAt, 0).UTC()
	}
	if i.MaxAge != nil {
		return shown, time.Duration(*i.MaxAge) * time.Second, nil
	}
	return shown, 0, nil
}

// judge returns what is wrong with an answer over HTTP, and what its client may keep. What the handler's own tests hold of
// every response is not looked at again.
func (o *oracle) judge(q question, r reply) (keep representation, err error) {
	switch r.status {
	case http.StatusOK:
		keep, _, err = decodeItem(r.body)
		if err == nil && q.kept.tag != "" && r.header.Get("Etag") == q.kept.tag {
			err = fmt.Errorf("200 to If-None-Match: %s", q.kept.tag)
		}
	case http.StatusNotModified:
		keep = q.kept.representation
		if q.kept.tag == "" || r.header.Get("Etag") != q.kept.tag {
			err = fmt.Errorf("304 with the ETag %s; sent was %q", r.header.Get("Etag"), q.kept.tag)
		}
	case http.StatusNotFound:
		return keep, errors.Join(judgeProblem(r, absences, "not_found"), o.judgeAbsence(q))
	default:
		return keep, o.judgeFailure(q, r)
	}
	life, wrong := lifetimeOf(q, r.header)
	if err := errors.Join(err, wrong); err != nil {
		return representation{}, err
	}
	return keep, o.judgeRepresentation(q, keep, life)
}

// judgeRepresentation holds what was shown to what the storage held, and its
// lifetime to the contract.
func (o *oracle) judgeRepresentation(q question, shown representation, life lifetime) error {
	if shown.key != q.key {
		return fmt.Errorf("the item of %q", shown.key)
	}
	v, ok := o.histories[q.key].find(shown.value, shown.end)
	limit := o.local
	if o.inTrouble(q) {
		limit = o.stale
	}
	switch {
	case !ok:
		return fmt.Errorf("the value %q until %v was never held, or long ago", shown.value, shown.end)
	case !v.end.IsZero() && !q.start.Before(v.end):
		return fmt.Errorf("an item %v after its end", q.start.Sub(v.end))
	case !v.held(q.from(limit), q.end):
		return fmt.Errorf("a value that was gone for %v; at most %v is allowed", q.start.Sub(v.gone[1]), limit)
	}
	return o.judgeLifetime(q, &v, life, max(limit, q.end.Sub(q.since)))
}

// judgeLifetime checks a lifetime from both sides. What is known of the moment
// of the answer is that it lies between start and end.
func (o *oracle) judgeLifetime(q question, v *version, life lifetime, copyAge time.Duration) error {
	caches := time.Duration(q.caches())
	switch {
	case v.end.IsZero() && life.own > 0:
		return fmt.Errorf("a lifetime of %v for an item without a known end", life)
	case v.end.IsZero():
		return nil
	case life.own > o.ceiling:
		return fmt.Errorf("a lifetime of %v; the ceiling is %v", life, o.ceiling)
	case life.own > 0 && q.start.Add(caches*life.own+margin).After(v.end), life.shared > 0 && q.start.Add(caches*(life.shared+reserve)+margin).After(v.end):
		return fmt.Errorf("a lifetime of %v, %v before the end", life, v.end.Sub(q.start))
	case life.own > 0 && q.start.Add(life.own).After(v.last().Add(o.ceiling)):
		return fmt.Errorf("a lifetime of %v for a value gone for %v", life, q.start.Sub(v.last()))
	}
	least, young := (v.end.Sub(q.end)-margin)/caches, o.ceiling-copyAge
	if life.own < min(least, young).Truncate(time.Second) || !q.private && life.shared < min(least-reserve, young).Truncate(time.Second) {
		return fmt.Errorf("a lifetime of only %v, %v before the end", life, v.end.Sub(q.end))
	}
	return nil
}

// A lifetime is how long an answer may be kept, by a browser and by caches for many.
type lifetime struct{ own, shared time.Duration }

// lifetimeOf reads how long a 200 or 304 may be kept: 0 for no-store.
func lifetimeOf(q question, header http.Header) (lifetime, error) {
	control := header.Get("Cache-Control")
	if control == "no-store" {
		return lifetime{}, nil
	}
	found := lifetimes.FindStringSubmatch(control)
	if found == nil {
		return lifetime{}, fmt.Errorf("Cache-Control: %q", control)
	}
	own, _ := strconv.Atoi(found[1] + found[2])
	shared, _ := strconv.Atoi(found[3])
	if q.private && shared > 0 || own < 1 || shared > own {
		return lifetime{}, fmt.Errorf("Cache-Control: %q; the answer is private: %v", control, q.private)
	}
	return lifetime{time.Duration(own) * time.Second, time.Duration(shared) * time.Second}, nil
}

// lifetimes is the form of a Cache-Control that lets anybody keep the answer.
var lifetimes = regexp.MustCompile(`^(?:private, max-age=(\d+)|public, max-age=(\d+), s-maxage=(\d+)), must-revalidate, stale-while-revalidate=0, stale-if-error=0$`)

func (o *oracle) judgeAbsence(q question) error {
	if !o.histories[q.key].absent(q.from(o.absence), q.end) {
		return errors.New("absence of an item that is there")
	}
	return nil
}

// failures are the statuses that upstream's faults may lead to.
var failures = map[int][]string{
	http.StatusBadGateway:         {"upstream_failure"},
	http.StatusServiceUnavailable: {"upstream_busy", "upstream_unavailable"},
	http.StatusGatewayTimeout:     {"upstream_timeout"},
}

func (o *oracle) judgeFailure(q question, r reply) error {
	return errors.Join(judgeProblem(r, noStore, failures[r.status]...), o.judgeTrouble(q, r.status == http.StatusGatewayTimeout))
}

// judgeTrouble holds that failures have a reason.
func (o *oracle) judgeTrouble(q question, outOfTime bool) error {
	if !o.inTrouble(q) && (!q.hurried || !outOfTime) {
		return errors.New("a failure, though nothing went wrong upstream")
	}
	return nil
}

// inTrouble reports whether faults of upstream could be felt. The function waits for a try for 2 s, and a machine may
// take as long. That is a fault like others: it opens the circuit breaker.
func (o *oracle) inTrouble(q question) bool {
	if q.end.Sub(q.since) >= 2*time.Second {
		o.trouble()
	}
	return o.troubled(q.start)
}

var (
	noStore = regexp.MustCompile(`^no-store$`)

	// absences is the form of a Cache-Control of an absence. Of one that was remembered, less than a second may be left.
	absences = regexp.MustCompile(`^(no-store|(private, max-age=0|public, max-age=0, s-maxage=1), must-revalidate, stale-while-revalidate=0, stale-if-error=0)$`)
)

// judgeProblem checks that r is a problem with one of codes, and how long it may be kept.
func judgeProblem(r reply, control *regexp.Regexp, codes ...string) error {
	var p struct{ Code string }
	if err := json.Unmarshal(r.body, &p); err != nil || !slices.Contains(codes, p.Code) || !control.MatchString(r.header.Get("Cache-Control")) {
		return fmt.Errorf("status %d, Cache-Control %q: %.300s; want one of %v", r.status, r.header.Get("Cache-Control"), r.body, codes)
	}
	return nil
}
