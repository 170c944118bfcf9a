//go:build linux

package faults

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// serve lets h answer when an item is asked for, in place of the stand-in. The
// key is in r.Form.
func (s *sandbox) serve(h http.HandlerFunc) {
	s.Voximplant.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/GetKeyValueItem") {
			return false
		}
		h(w, r)
		return true
	})
}

// reply is a fault that answers with status, headers as pairs, and body, in
// which KEY stands for the key that was asked for, and TOKEN for the token.
func reply(status int, body string, header ...string) func(*testing.T, *sandbox) {
	return func(_ *testing.T, s *sandbox) {
		s.serve(func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], fillIn(header[i+1], r))
			}
			w.WriteHeader(status)
			io.WriteString(w, fillIn(body, r))
		})
	}
}

func fillIn(text string, r *http.Request) string {
	return strings.NewReplacer("KEY", r.Form.Get("key"), "TOKEN", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")).Replace(text)
}

// replies are faults that answer with status 200 and one of bodies, a name and
// a body each.
func replies(bodies ...string) (all []fault) {
	for i := 0; i < len(bodies); i += 2 {
		all = append(all, fault{bodies[i], reply(200, bodies[i+1])})
	}
	return all
}

const (
	html = `<!DOCTYPE html><html><body><h1>` + gossip + ` sorry</h1></body></html>`
	tail = `"expires_at":4102444800}}`
	good = `{"result":{"key":"KEY","value":"v",` + tail
)

// codes are answers with an error code, with the status that goes with all
// answers, and with others.
func codes(codes ...int) (all []fault) {
	for _, code := range codes {
		for _, status := range []int{200, 400, 500} {
			body := fmt.Sprintf(`{"error":{"code":%d,"msg":"%s no to KEY"}}`, code, gossip)
			all = append(all, fault{fmt.Sprintf("code %d, status %d", code, status), reply(status, body)})
		}
	}
	return all
}

// statuses are answers in HTML.
func statuses(statuses ...int) (all []fault) {
	for _, status := range statuses {
		all = append(all, fault{fmt.Sprint("status ", status), reply(status, html)})
	}
	return all
}

func codeRows() []row {
	return []row{
		{name: "a fault of its own (1, 2, 4, 13)", faults: codes(1, 2, 4, 13), want: failure, calls: times(3)},
		{name: "any other code (5, 429, 501, 512, one that is not documented)", faults: codes(5, 429, 501, 512, 9999), want: failure, calls: times(1)},
		{name: "too many requests, or the same one too soon (162, 314, 340, 416, 484, 515)", faults: codes(162, 314, 340, 416, 484, 515), want: busy, calls: times(3)},
		{name: "the token or the key is refused (100, 433, 447, 455, 456)", faults: codes(100, 433, 447, 455, 456), want: failure, calls: times(2), reads: times(1), aged: true, lasting: true},
		{name: "the token is refused once (456, or HTTP 401 or 403 without a code)", faults: []fault{
			{"456", refuseToken}, {"401", refuseTokenWith(401, html)}, {"403", refuseTokenWith(403, html)},
		}, want: found, calls: times(2), reads: times(1), aged: true},
		{name: "the account may not (104, 127, 131, 135, 137, 315 to 317, 320 to 323, 527)", faults: codes(104, 127, 131, 135, 137, 315, 316, 317, 320, 321, 322, 323, 527), want: failure, calls: times(1)},
		{name: "the settings or this program are wrong (12, 101 to 103, 105, 107, 115, 116, 134, 195, 196, 454, 458, 485, 492, 545, 546, 558)", faults: codes(12, 101, 102, 103, 105, 107, 115, 116, 134, 195, 196, 454, 458, 485, 492, 545, 546, 558), want: internal, calls: times(1)},
		{name: "it dislikes a key that it documents as possible (477, 496, 497, 499)", faults: codes(477, 496, 497, 499), want: failure, calls: times(1)},
		{name: "there is no such item (341)", faults: append(codes(341), replies(
			"a fraction", `{"error":{"code":341.0}}`, "a text", `{"error":{"code":"341"}}`)...), want: absent, calls: times(1)},
		{name: "an error without a usable code", faults: replies(
			"no code", `{"error":{"msg":"`+gossip+`"}}`, "a word", `{"error":{"code":"`+gossip+`"}}`,
			"a text", `{"error":"`+gossip+`"}`, "a fraction", `{"error":{"code":3.5}}`, "a large number", `{"error":{"code":1e99}}`,
		), want: failure, calls: times(1)},
		{name: "only a list of errors", faults: replies("list", `{"errors":[{"code":340,"msg":"`+gossip+`"}]}`), want: busy, calls: times(3)},
		{name: "an item and an error", faults: replies("both", strings.TrimSuffix(good, "}")+`,"error":{"code":5}}`), want: failure, calls: times(1)},
	}
}

// refuseToken refuses the token that is in use as expired.
func refuseToken(t *testing.T, s *sandbox) {
	refuseTokenWith(http.StatusOK, `{"error":{"code":456,"msg":"`+gossip+`"}}`)(t, s)
}

// refuseTokenWith refuses the token that is in use with that answer.
func refuseTokenWith(status int, body string) func(*testing.T, *sandbox) {
	return func(_ *testing.T, s *sandbox) {
		var once sync.Once
		var old string
		s.Voximplant.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			once.Do(func() { old = r.Header.Get("Authorization") })
			if r.Header.Get("Authorization") != old {
				return false
			}
			w.WriteHeader(status)
			io.WriteString(w, fillIn(body, r))
			return true
		})
	}
}

func statusRows() []row {
	return []row{
		{name: "400, 402, 405, 408, 413, 418", faults: statuses(400, 402, 405, 408, 413, 418), want: failure, calls: times(1)},
		{name: "401", faults: statuses(401), want: failure, calls: times(2), reads: times(1), aged: true, lasting: true},
		{name: "403", faults: statuses(403), want: failure, calls: times(2), reads: times(1), aged: true},
		{name: "404, as where `VOXIMPLANT_API_URL` is wrong", faults: statuses(404), want: internal, calls: times(1)},
		{name: "429", faults: statuses(429), want: busy, calls: times(3)},
		{name: "429 with `Retry-After: 7`", faults: one(reply(429, html, "Retry-After", "7")), want: busy, retryAfter: "7", calls: times(1)},
		{name: "429 with `Retry-After` of an hour, or of centuries", faults: []fault{
			{"in seconds", reply(429, html, "Retry-After", "3600")},
			{"in more seconds than 64 bits", reply(429, html, "Retry-After", "99999999999999999999")},
			{"as a far date", reply(429, html, "Retry-After", "Fri, 31 Dec 2400 23:59:59 GMT")},
		}, want: busy, retryAfter: "60", calls: times(1)},
		{name: "429 with a `Retry-After` that is none", faults: []fault{
			{"a word", reply(429, html, "Retry-After", "soon")}, {"the token", reply(429, html, "Retry-After", "TOKEN")},
		}, want: busy, calls: times(3)},
		{name: "500, 502, 503, 504", faults: statuses(500, 502, 503, 504), want: unavailable, calls: times(3)},
		{name: "503 with `Retry-After: 20`", faults: one(reply(503, html, "Retry-After", "20")), want: unavailable, retryAfter: "20", calls: times(1)},
		{name: "five keys in a row 500, and then no more calls for a while", faults: one(failFive), want: unavailable, calls: times(0), lasting: true},
		{name: "one key fails again and again, and the item of another is asked for", faults: one(failOneKey), want: found, calls: times(1)},
		{name: "a redirect, which is not followed", faults: redirects(), want: failure, calls: times(1)},
	}
}

// failFive makes requests for different keys until Voximplant is left alone.
func failFive(t *testing.T, s *sandbox) {
	reply(500, html)(t, s)
	for i := range 5 {
		s.get(t, fmt.Sprint("order:", 4+i), patience).want(t, "failing", 503)
	}
}

// failOneKey makes requests for a key until it is not asked for any more, while
// all others are well.
func failOneKey(t *testing.T, s *sandbox) {
	s.Voximplant.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Form.Get("key") != "order:9" {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	for range 6 {
		s.get(t, "order:9", patience).want(t, "failing", 503)
	}
}

// redirects are to the same host and to another one. Where they lead nobody
// may come, least of all with a token.
func redirects() (all []fault) {
	all = one(reply(http.StatusMovedPermanently, html, "Location", "://%zzTOKEN"))
	for _, status := range []int{302, 307} { // after which a client asks with GET, or as before
		all = append(all, fault{fmt.Sprintf("%d to another host", status), func(t *testing.T, s *sandbox) {
			s.afterwards = func() {
				if n := s.strays.Load(); n > 0 {
					t.Errorf("%d connections to where the redirect leads", n)
				}
			}
			reply(status, good, "Location", "http://elsewhere.example/?access_token=TOKEN")(t, s)
		}}, fault{fmt.Sprintf("%d to the same host", status), reply(status, good, "Location", "/platform_api/GetKeyValueItem/")})
	}
	return all
}

func answerRows() []row {
	deep := strings.Repeat(`{"a":[`, 100_000)
	return []row{
		{name: "no JSON object: HTML, text, nothing, a list", faults: append(one(raw("HTTP/1.1 200 OK\r\nBearer TOKEN: 1\r\n\r\n")), replies("HTML", html, "text", gossip, "the request", "map[Authorization:[Bearer TOKEN]]", "nothing", "", "spaces", "  \n",
			"null", "null", "a list", "["+good+"]", "a number", "42", "a text", `"`+good[:9]+`"`)...), want: failure, calls: times(1)},
		{name: "half a JSON object", faults: replies("cut", good[:len(good)-2], "more after it", good+good, "a NUL", good+"\x00"), want: failure, calls: times(1)},
		{name: "wrong types", faults: replies(
			"the result", `{"result":42}`, "the key", `{"result":{"key":42,"value":"v",`+tail,
			"the value", `{"result":{"key":"KEY","value":{"TOKEN":"`+itemValue+`"},`+tail, "a list of lists", `{"result":[[]]}`,
		), want: failure, calls: times(1)},
		{name: "another key than was asked for", faults: replies(
			"another", `{"result":{"key":"order:9999","value":"`+itemValue+`",`+tail, "none", `{"result":{"value":"v",`+tail,
			"longer", `{"result":{"key":"KEYY","value":"v",`+tail, "other items", `{"result":[{"key":"order:9999","value":"v"}]}`,
		), want: failure, calls: times(1)},
		{name: "an item without a value", faults: replies("none", `{"result":{"key":"KEY",`+tail, "null", `{"result":{"key":"KEY","value":null,`+tail), want: failure, calls: times(1)},
		{name: "what is no text: bytes that are not UTF-8, half a surrogate pair", faults: replies("in the value", strings.ReplaceAll(good, `"v"`, "\"\xff\""), "elsewhere", strings.ReplaceAll(good, "{", "{\"\xc3\":1,"),
			"half a pair", strings.ReplaceAll(good, `"v"`, `"cut \ud83d"`)), want: failure, calls: times(1)},
		{name: "a member that is there twice", faults: replies("the value", `{"result":{"key":"KEY","value":"u","value":"v",`+tail,
			"the result", `{"result":null,`+good[1:], "what nobody reads", `{"a":{"b":1,"b":2},`+good[1:]), want: failure, calls: times(1)},
		{name: "names in other letters", faults: replies("the result", strings.ReplaceAll(good, "result", "Result"),
			"the key", strings.ReplaceAll(good, `"key"`, `"Key"`), "the value", strings.ReplaceAll(good, `"value"`, `"VALUE"`)), want: failure, calls: times(1)},
		{name: "JSON that says nothing of the item, such as a notice of maintenance", faults: replies(
			"a message", `{"message":"scheduled maintenance"}`, "no errors", `{"errors":[]}`, "a status", `{"result":{"status":"maintenance"}}`,
			"null members", `{"result":{"key":null,"value":null,"expires_at":null}}`, "a list of nothing", `{"result":[{}]}`,
		), want: failure, calls: times(1)},
		{name: "100,000 levels of nesting", faults: replies("all of it", deep, "the result", `{"result":`+deep, "the value", `{"result":{"key":"KEY","value":`+deep), want: failure, calls: times(1)},
		{name: "a gigabyte", faults: []fault{{"as it is", gigabyte(false)}, {"compressed", gigabyte(true)}}, want: failure, calls: times(1)},
		{name: "headers without end", faults: one(endlessHeaders), want: unavailable, calls: times(3)},
		{name: "no item, in any of the shapes that this may have", faults: replies("nothing", `{}`, "null", `{"result":null}`, "empty object", `{"result":{}}`,
			"empty list", `{"result":[]}`, "empty text", `{"result":""}`), want: absent, calls: times(1)},
		{name: "an item that has expired", faults: replies("item", strings.ReplaceAll(good, "4102444800", "1700000000")), want: absent, calls: times(1)},
		{name: "an item whose expiry nobody can know", faults: replies("none", `{"result":{"key":"KEY","value":"v"}}`,
			"zero", strings.ReplaceAll(good, "4102444800", "0"), "a word", strings.ReplaceAll(good, "4102444800", `"soon"`),
			"an object", strings.ReplaceAll(good, "4102444800", `{}`)), want: uncached, calls: times(1)},
		{name: "an item in an unusual form: a list of one, an expiry as text or in milliseconds", faults: replies("list", `{"result":[{"key":"KEY","value":"v",`+strings.Replace(tail, "}}", "}]}", 1),
			"text", strings.ReplaceAll(good, "4102444800", `"4102444800"`), "milliseconds", strings.ReplaceAll(good, "4102444800", "4102444800000")), want: found, calls: times(1)},
		{name: "an item after a byte order mark", faults: replies("BOM", "\ufeff"+good), want: found, calls: times(1)},
	}
}

// uncached is an item that no cache may keep.
var uncached = outcome{200, "", noStore, "", "INFO"}

// enough is the most that may be read of a gigabyte.
const enough = 64 << 20

// gigabyte sends one, as far as anybody reads it, and sees to it that nobody
// reads much. If it were read whole where it is compressed, it would be an item.
func gigabyte(compressed bool) func(*testing.T, *sandbox) {
	const chunks = 1 << 10
	chunk := strings.Repeat("x", 1<<20)
	return func(t *testing.T, s *sandbox) {
		var sent atomic.Int64
		s.serve(func(w http.ResponseWriter, r *http.Request) {
			encode := func(text string) string { return text }
			if compressed {
				w.Header().Set("Content-Encoding", "gzip")
				encode = zip
			}
			io.WriteString(w, encode(`{"result":{"key":"`+r.Form.Get("key")+`","value":"`))
			encoded := encode(chunk)
			for range chunks {
				n, err := io.WriteString(w, encoded)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
			io.WriteString(w, encode(`",`+tail))
		})
		s.afterwards = func() {
			if n := sent.Load(); n > enough {
				t.Errorf("%d MB were read", n>>20)
			}
		}
	}
}

// zip is text as one member of a gzip stream, which may have many.
func zip(text string) string {
	var member strings.Builder
	z := gzip.NewWriter(&member)
	io.WriteString(z, text)
	z.Close()
	return member.String()
}

// endlessHeaders sends more than net/http reads where nobody bounds it.
func endlessHeaders(t *testing.T, s *sandbox) {
	raw("HTTP/1.1 200 OK\r\n"+strings.Repeat("X-A: "+strings.Repeat("x", 1000)+"\r\n", 16<<10))(t, s)
}
