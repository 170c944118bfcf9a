package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/voximplanttest"
)

const (
	// marker stands in every value, and may stand in no log.
	marker = "zq7-"

	// changeEvery is the pause between two changes of the storage.
	changeEvery = 5 * time.Millisecond

	// rotateEvery is the pause between two rotations of the key. A key that is
	// refused within 5 s of the last refusal is not replaced, by design.
	rotateEvery = 15 * time.Second
)

// A storm is what happens to the storage and the API while requests run: items
// are put, overwritten, deleted and expire, keys are rotated, and calls go wrong.
// It is calm at the beginning and at the end.
type storm struct {
	world    *e2etest.World
	oracle   *oracle
	keys     []string
	progress func() float64 // of the whole run, from 0 to 1

	gusts     int          // so far; each is another fault than the last
	mode      atomic.Int32 // what happens to calls now: an index of faults
	chance    atomic.Int32 // to how many of 100
	lastFault atomic.Int64 // Unix nanoseconds
	counts    [16]atomic.Int64
	changes   atomic.Int64
	rotations atomic.Int64
}

// A fault is one way for a call to go wrong. It reports whether it has answered.
type fault struct {
	name string
	f    func(s *storm, w http.ResponseWriter, r *http.Request) bool
}

// faults begin with none.
var faults = []fault{
	{"none", nil},
	{"throttled", canned(200, `{"error":{"code":340,"msg":"Too many requests"}}`)},
	{"429", func(s *storm, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "1")
		return canned(429, "")(s, w, r)
	}},
	{"500", canned(500, `<html>Internal Server Error</html>`)},
	{"503", canned(503, ``)},
	{"code 1", canned(200, `{"error":{"code":1,"msg":"Internal error"}}`)},
	{"HTML", canned(200, `<html>Under construction</html>`)},
	{"truncated", truncated},
	{"lost", lost},
	{"slow", slow},
	{"late", late},
	{"another key", anotherKey},
	{"unknown code", canned(200, `{"error":{"code":9999,"msg":"zq7-"}}`)},
}

func canned(status int, body string) func(*storm, http.ResponseWriter, *http.Request) bool {
	return func(_ *storm, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		w.Write([]byte(body))
		return true
	}
}

// truncated ends the connection in the middle of an answer.
func truncated(_ *storm, w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Length", "500")
	fmt.Fprintf(w, `{"result":{"key":%q,"value":"zq7-trunc`, r.Form.Get("key"))
	panic(http.ErrAbortHandler)
}

// lost ends the connection before the answer.
func lost(*storm, http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }

// slow goes on in the end, sometimes after the patience of one try or of the call.
func slow(s *storm, _ http.ResponseWriter, r *http.Request) bool {
	longest := []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond, 2500 * time.Millisecond}[rand.IntN(4)]
	if rand.IntN(100) == 0 {
		longest = 5 * time.Second
	}
	select {
	case <-time.After(rand.N(longest)):
	case <-r.Context().Done():
	}
	s.trouble()
	return false
}

// again marks a call that late has passed on to the server.
const again = "Soak-Again"

// late answers with what the storage held a while ago.
func late(s *storm, w http.ResponseWriter, r *http.Request) bool {
	r.Header.Set(again, "1")
	answer := httptest.NewRecorder()
	s.world.Voximplant.ServeHTTP(answer, r)
	time.Sleep(rand.N(time.Second)) // one try waits for it
	s.trouble()
	w.Write(answer.Body.Bytes())
	return true
}

// anotherKey is the worst an API can do: the item of somebody else.
func anotherKey(s *storm, w http.ResponseWriter, _ *http.Request) bool {
	fmt.Fprintf(w, `{"result":{"key":%q,"value":"zq7-another","expires_at":%d}}`, s.keys[rand.IntN(len(s.keys))]+"_", time.Now().Unix()+60)
	return true
}

// troubled reports whether a fault could still be felt at the time since or later.
func (s *storm) troubled(since time.Time) bool {
	return s.lastFault.Load() > since.Add(-aftermath).UnixNano()
}

// trouble takes note of a fault.
func (s *storm) trouble() { s.lastFault.Store(time.Now().UnixNano()) }

// intercept does to a call what the mode says.
func (s *storm) intercept(w http.ResponseWriter, r *http.Request) bool {
	mode := int(s.mode.Load())
	if mode == 0 || r.Header.Get(again) != "" || !strings.HasSuffix(r.URL.Path, "/GetKeyValueItem") || rand.Int32N(100) >= s.chance.Load() {
		return false
	}
	s.counts[mode].Add(1)
	s.trouble()
	return faults[mode].f(s, w, r)
}

// run goes on until ctx ends.
func (s *storm) run(ctx context.Context) {
	s.world.Voximplant.Intercept(s.intercept)
	change, rotate := time.NewTicker(changeEvery), time.NewTimer(0)
	gusts := time.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			s.mode.Store(0)
			return
		case <-change.C:
			s.change()
		case <-rotate.C:
			s.rotate()
			rotate.Reset(rotateEvery)
		case <-gusts.C:
			gusts.Reset(s.gust())
		}
	}
}

// gust begins or ends a fault and returns how long that lasts.
func (s *storm) gust() time.Duration {
	if done := s.progress(); s.mode.Load() != 0 || done < 0.2 || done > 0.9 {
		s.mode.Store(0)
		return time.Second + rand.N(2*time.Second)
	}
	s.chance.Store([]int32{20, 50, 100}[rand.IntN(3)])
	s.gusts++
	s.mode.Store(int32(1 + s.gusts%(len(faults)-1)))
	return time.Second/4 + rand.N(time.Second)
}

// fill puts an item under every key but the last few.
func (s *storm) fill() {
	for _, key := range s.keys[:len(s.keys)*19/20] {
		s.put(key, s.value(key), s.end())
	}
}

func (s *storm) change() {
	key := s.keys[rand.IntN(len(s.keys))]
	if rand.IntN(3) == 0 {
		key = s.keys[rand.IntN(20)] // many ask for it
	}
	h := s.oracle.histories[key]
	switch n := rand.IntN(100); {
	case n < 8:
		h.change(nil, func() { s.world.Voximplant.Delete(key) })
		s.changes.Add(1)
	case n < 25:
		s.prolong(key, h)
	case n < 30:
		s.put(key, s.value(key), time.Time{})
	default:
		s.put(key, s.value(key), s.end())
	}
}

// prolong puts the same value with a later end, as a heartbeat does.
func (s *storm) prolong(key string, h *history) {
	if n := len(h.versions); n > 0 && !h.versions[n-1].end.IsZero() { // no other goroutine writes
		v := h.versions[n-1]
		s.put(key, v.value, v.end.Add(time.Duration(1+rand.IntN(10))*time.Second))
	}
}

func (s *storm) put(key, value string, end time.Time) {
	if !end.IsZero() {
		end = time.Unix(end.Unix(), 0).UTC()
	}
	s.oracle.histories[key].change(&version{value: value, end: end}, func() { s.world.Voximplant.Put(key, value, end) })
	s.changes.Add(1)
}

// end is that of a new item: near or far.
func (s *storm) end() time.Time {
	lives := []time.Duration{3 * time.Second, 12 * time.Second, 2 * time.Minute, 2 * time.Minute}
	return time.Now().Add(time.Second + rand.N(lives[rand.IntN(len(lives))]))
}

// value is one that no key ever held before, with what JSON must escape.
func (s *storm) value(key string) string {
	return marker + key + "-" + strconv.FormatInt(s.changes.Load(), 36) + strings.Repeat("\"<я\u2028\\\n", rand.IntN(4)*rand.IntN(12))
}

// rotate has the API refuse the old key right after the new one is stored.
func (s *storm) rotate() {
	account, err := voximplanttest.NewServiceAccount(e2etest.AccountID)
	if err != nil {
		panic(err)
	}
	old := s.world.Account
	s.world.Voximplant.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	s.world.Secrets.Put(e2etest.SecretID, string(account.Credentials()))
	s.world.Voximplant.RemoveKey(old.KeyID)
	s.world.Account = account
	s.rotations.Add(1)
}

// tell lists the faults that were met.
func (s *storm) tell() string {
	var b strings.Builder
	for i, f := range faults {
		if n := s.counts[i].Load(); n > 0 {
			fmt.Fprintf(&b, ", %s %d", f.name, n)
		}
	}
	return strings.TrimPrefix(b.String(), ", ")
}
