package caches

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

const (
	usersSite   = "order"
	usersKeys   = usersSite + ":all:*, " + usersSite + ":{sub}:*"
	privateSite = "private" // all of which is for whoever asks alone

	owner    = "42" // whose key all ask for
	ownValue = "value of 42"
	another  = "43"
	anyone   = "" // without a token

	// askNumber is a header in which each request has a number of its own, so that the
	// origin's exchanges tell which requests a cache answered by itself.
	askNumber = "X-Ask"
)

// visits are orders in which users ask for a key of owner. A cache that stored
// what it was first given would give it to the next one.
var visits = map[string][]string{
	"owner-first":   {owner, owner, another, anyone, owner, another},
	"another-first": {another, another, owner, anyone, owner, another},
	"anyone-first":  {anyone, anyone, owner, another, owner, anyone},
}

// ownRoutes are the routes by which a key is asked for.
var ownRoutes = []struct {
	name, before, after string
	absent              int // the status if there is no item
}{
	{"an item", "/v1/items/", "", http.StatusNotFound},
	{"an optional item", "/v1/optional/", "", http.StatusOK},
	{"a batch", "/v1/items?key=", "&key=" + usersSite + ":all:x", http.StatusOK},
}

// A visit is a request of a user, what it is to be given, and its answer.
type visit struct {
	front             cachetest.Front
	user, header, url string
	tag               string // in If-None-Match
	want              int    // the status
	holds             bool   // ownValue
	number            string
	answer            answer
}

// watchUsers lets users ask for the same URLs in turn, through each front, and
// everyone for a key that is for all. The second result is of the latter.
func watchUsers(ctx context.Context, fronts []cachetest.Front) (own, public []visit) {
	storage := fronts[0].Origin.Storage
	storage.Put(usersSite+":all:x", "for all", time.Now().Add(time.Hour))
	storage.Put(privateSite+":item", ownValue, time.Now().Add(time.Hour))
	for _, header := range cachetest.TokenHeaders() {
		for order := range visits {
			storage.Put(ownKey(order, header), ownValue, time.Now().Add(time.Hour))
		}
	}
	var numbers atomic.Int64
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, f := range fronts {
		for _, header := range cachetest.TokenHeaders() {
			all.Go(func() {
				v := visitor{ctx, f, header, &numbers}
				o, p := v.askOwn(), v.askAll(usersSite+":all:x", http.StatusOK, false)
				o = append(o, v.askAll(privateSite+":item", http.StatusOK, true)...)
				o = append(o, v.askAll(privateSite+":absence", http.StatusNotFound, false)...)
				mu.Lock()
				defer mu.Unlock()
				own, public = append(own, o...), append(public, p...)
			})
		}
	}
	all.Wait()
	return own, public
}

func ownKey(order, header string) string {
	return usersSite + ":" + owner + ":" + order + "-" + strings.ToLower(header)
}

// A visitor is a client in front of a cache, which users share. Their token is in header.
type visitor struct {
	ctx     context.Context
	front   cachetest.Front
	header  string
	numbers *atomic.Int64
}

// askOwn asks for keys of owner, as all users.
func (v visitor) askOwn() (all []visit) {
	for order, users := range visits {
		for _, route := range ownRoutes {
			url, tag := v.front.URL+route.before+ownKey(order, v.header)+route.after, ""
			as := func(user, tag string) visit {
				if user == owner {
					return v.ask(visit{user: user, url: url, tag: tag, want: http.StatusOK, holds: true})
				}
				return v.ask(visit{user: user, url: url, tag: tag, want: route.absent})
			}
			for _, user := range users {
				got := as(user, "")
				all = append(all, got)
				if user == owner {
					tag = got.answer.header.Get("ETag")
				}
			}
			// The tag of an item that is not theirs confirms nothing.
			for _, user := range []string{owner, another, anyone, owner} {
				all = append(all, as(user, tag))
			}
		}
	}
	return all
}

// askAll asks four times as each user for a key whose answer is the same for all users.
func (v visitor) askAll(key string, want int, holds bool) (all []visit) {
	for range 4 {
		for _, user := range []string{owner, another, anyone} {
			all = append(all, v.ask(visit{user: user, url: v.front.URL + "/v1/items/" + key, want: want, holds: holds}))
		}
	}
	return all
}

// ask asks until the function has an answer: on a busy machine it may give up
// waiting for the storage.
func (v visitor) ask(to visit) visit {
	to.front, to.header = v.front, v.header
	m := manner{name: "with a token", method: http.MethodGet, header: http.Header{}}
	if to.user != anyone {
		m.header.Set(v.header, cachetest.Token(to.user))
	}
	begin := time.Now()
	for {
		to.number = strconv.FormatInt(v.numbers.Add(1), 10)
		m.header.Set(askNumber, to.number)
		to.answer = ask(v.ctx, v.front.Client, to.url, m, to.tag)
		// A batch tells in its body which of its keys had no answer.
		busy := to.answer.status == 0 || to.answer.status >= 500 || strings.Contains(to.answer.body, "upstream_")
		if !busy || v.ctx.Err() != nil || time.Since(begin) > patience {
			return to
		}
	}
}

// judgeUsers holds that each request for what is for one caller reached the function,
// no cache had a copy to ask about, and the value was for whom it may be.
func judgeUsers(t *testing.T, exchanges []cachetest.Exchange, own, public []visit) {
	t.Helper()
	asked, confirmed := map[string]cachetest.Exchange{}, 0
	for _, e := range exchanges {
		asked[e.Request.Get(askNumber)] = e
	}
	for _, v := range own {
		if v.answer.status == http.StatusNotModified {
			confirmed++
		}
		e, ok := asked[v.number]
		if !ok {
			t.Errorf("%v, answered from its store: %d %s", v, v.answer.status, v.answer.body)
		} else if v.tag == "" && (e.Request.Get("If-None-Match") != "" || e.Request.Get("If-Modified-Since") != "") {
			t.Errorf("%v, had a copy to ask about", v)
		}
		v.judge(t)
	}
	if confirmed == 0 {
		t.Error("no request was answered with 304")
	}
	judgeReused(t, asked, public)
	t.Logf("%d requests for a key of one user, %d of them answered with 304", len(own), confirmed)
}

// judgeReused holds that each cache stores what is for everyone: else it would
// show nothing that it stores no answer for one user.
func judgeReused(t *testing.T, asked map[string]cachetest.Exchange, public []visit) {
	t.Helper()
	reused := map[string]int{}
	for _, v := range public {
		if _, ok := asked[v.number]; !ok {
			reused[v.front.Cache]++
		}
	}
	for _, v := range public {
		if reused[v.front.Cache] == 0 && v.front.Cache != cachetest.Direct {
			t.Fatalf("%v: no answer for everyone came from its store, so nothing was tested", v.front)
		}
	}
	t.Logf("of %d requests for a key of all, caches answered themselves %v", len(public), reused)
}

// judge holds the answer against what its user may see. A 304 may leave out all
// but a few headers, yet has no body, and only owner may get it.
func (v visit) judge(t *testing.T) {
	t.Helper()
	status := v.answer.status
	seen := strings.Contains(v.answer.body, ownValue)
	confirmed := v.holds && v.tag != "" && status == http.StatusNotModified
	if !confirmed && (status != v.want || seen != v.holds) {
		t.Errorf("%v: %d %s; want %d, with the value: %v", v, status, v.answer.body, v.want, v.holds)
	}
	if control := v.answer.header.Get("Cache-Control"); !forOneCaller(control) {
		t.Errorf("%v: %d with Cache-Control %q; want a private one", v, status, control)
	}
}

// forOneCaller reports whether no shared cache may store an answer. On a busy machine
// the function may be given an item too late for anybody to keep it.
func forOneCaller(control string) bool {
	return control == "no-store" || strings.HasPrefix(control, "private, ") && !strings.Contains(control, "s-maxage")
}

// String names the request.
func (v visit) String() string {
	return v.front.String() + ": " + v.url + " as " + strconv.Quote(v.user) + " in " + v.header
}
