package live

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// prefix is that of every key written here, but for some of listed.
const prefix = "voxkv-probe:"

// listed are keys that tell readings of a list's pattern apart.
func listed() []string {
	return []string{"voxkv-probe:b", "voxkv-probe:a", "voxkv-probe:aaa", "voxkv-probe:d:1", "voxkv-probes:c", "voxkv-probe-e"}
}

func (p *probe) absentKeys() {
	p.ask("a key that does not exist", "GetKeyValueItem", "key", prefix+"absent")
	p.ask("a key with a space", "GetKeyValueItem", "key", "a b")
	p.ask("a key with a slash", "GetKeyValueItem", "key", "a/b")
	p.ask("an empty key", "GetKeyValueItem", "key", "")
	p.ask("no key", "GetKeyValueItem")
	p.ask("201 characters", "GetKeyValueItem", "key", strings.Repeat("k", 201))
}

func (p *probe) expiredItem() {
	p.ask("set with ttl=1", "SetKeyValueItem", "key", prefix+"short", "value", "v", "ttl", "1")
	for _, wait := range []time.Duration{0, 900 * time.Millisecond, 600 * time.Millisecond, time.Second} {
		time.Sleep(wait)
		p.ask("after another "+wait.String(), "GetKeyValueItem", "key", prefix+"short")
	}
}

func (p *probe) wrongApplication() {
	for _, id := range []string{"1", "999999999", "0", "x", ""} {
		p.ask("application_id="+id, "GetKeyValueItem", "key", prefix+"absent", "application_id", id)
	}
}

func (p *probe) authorization() {
	now := time.Now().Unix()
	for _, try := range []struct {
		what, token string
	}{
		{"no header", ""},
		{"garbage", "garbage"},
		{"unknown kid", p.token(nil, map[string]any{"kid": "00000000-0000-0000-0000-000000000000"})},
		{"no kid", p.token(nil, map[string]any{"kid": nil})},
		{"expired a minute ago", p.token(map[string]any{"iat": now - 960, "exp": now - 60}, nil)},
		{"iat 60 s ahead", p.token(map[string]any{"iat": now + 60, "exp": now + 960}, nil)},
		{"life of 3600 s", p.token(map[string]any{"iat": now, "exp": now + 3600}, nil)},
		{"life of 3601 s", p.token(map[string]any{"iat": now, "exp": now + 3601}, nil)},
		{"iss as a string", p.token(map[string]any{"iss": strconv.FormatInt(p.key.AccountID, 10)}, nil)},
		{"iss of nobody", p.token(map[string]any{"iss": 1}, nil)},
		{"no typ", p.token(nil, map[string]any{"typ": nil})},
		{"a good token", p.token(nil, nil)},
	} {
		p.say("%s: %s", try.what, p.call(try.token, "GetKeyValueItem", p.with("key", prefix+"absent")))
	}
	p.say("A role without access needs a second service account: run this again with its credentials.")
}

func (p *probe) applicationNames() {
	if p.applicationName == "" {
		p.say("not asked: VOXIMPLANT_APPLICATION_NAME is not set")
		return
	}
	form := p.with("key", prefix+"absent", "application_name", p.applicationName)
	p.say("id and name: %s", p.call(p.token(nil, nil), "GetKeyValueItem", form))
	form.Del("application_id")
	p.say("the name alone: %s", p.call(p.token(nil, nil), "GetKeyValueItem", form))
}

// fastReads stays far below anything that hurts: 40 reads of one key, 4 at a time.
func (p *probe) fastReads() {
	token := p.token(nil, nil)
	counts := map[string]int{}
	var (
		mu      sync.Mutex
		workers sync.WaitGroup
	)
	began := time.Now()
	for range 4 {
		workers.Go(func() {
			one := *p
			for range 10 {
				a := one.call(token, "GetKeyValueItem", one.with("key", prefix+"absent"))
				mu.Lock()
				counts[http.StatusText(a.status)+" code "+a.code()+" Retry-After "+a.header.Get("Retry-After")]++
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	p.say("40 equal reads in %v: %v", time.Since(began).Round(time.Millisecond), counts)
}

func (p *probe) lifetimes() {
	inAnHour := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	for _, try := range [][]string{
		{}, {"ttl", "0"}, {"ttl", "7776000"}, {"ttl", "7776001"}, {"ttl", "-1"}, {"expires_at", inAnHour},
		{"expires_at", "1"}, {"expires_at", inAnHour + "000"}, {"ttl", "60", "expires_at", inAnHour},
	} {
		parameters := append([]string{"key", prefix + "life", "value", "v"}, try...)
		p.ask("set with "+strings.Join(try, "="), "SetKeyValueItem", parameters...)
		p.ask("    and read", "GetKeyValueItem", "key", prefix+"life")
		p.ask("    and deleted", "DelKeyValueItem", "key", prefix+"life")
	}
}

func (p *probe) lengths() {
	cyrillic := prefix + strings.Repeat("я", 200-len(prefix))
	for what, item := range map[string][2]string{
		"key of 200 characters, most of them Cyrillic": {cyrillic, "v"},
		"key of 201 characters":                        {cyrillic + "я", "v"},
		"key with + # ; .":                             {prefix + "+15550100#a;b.c", "v"},
		"value of 2000 characters":                     {prefix + "value", strings.Repeat("ё", 2000)},
		"value of 2001 characters":                     {prefix + "value", strings.Repeat("ё", 2001)},
		"empty value":                                  {prefix + "value", ""},
		"value with line breaks and an emoji":          {prefix + "value", "a\r\nb\t😀"},
	} {
		set := p.call(p.token(nil, nil), "SetKeyValueItem", p.with("key", item[0], "value", item[1], "ttl", "60"))
		got := p.call(p.token(nil, nil), "GetKeyValueItem", p.with("key", item[0]))
		var body struct {
			Result struct {
				Key   string `json:"key"`
				Value string `json:"value"`
			} `json:"result"`
		}
		same := json.Unmarshal([]byte(got.body), &body) == nil && body.Result.Key == item[0] && body.Result.Value == item[1]
		p.say("%s: set HTTP %d code %s; comes back the same: %v", what, set.status, set.code(), same)
		p.call(p.token(nil, nil), "DelKeyValueItem", p.with("key", item[0]))
	}
}

// readAfterWrite is about writes by HTTP. For those of a scenario, put an item there and
// watch when it shows.
func (p *probe) readAfterWrite() {
	for round := range 5 {
		value := strconv.Itoa(round)
		p.call(p.token(nil, nil), "SetKeyValueItem", p.with("key", prefix+"fresh", "value", value, "ttl", "60"))
		began := time.Now()
		for time.Since(began) < 5*time.Second {
			if got := p.call(p.token(nil, nil), "GetKeyValueItem", p.with("key", prefix+"fresh")); strings.Contains(got.body, `"`+value+`"`) {
				break
			}
		}
		p.say("write %d seen after %v", round, time.Since(began).Round(time.Millisecond))
	}
}

func (p *probe) overwriting() {
	p.ask("set to one", "SetKeyValueItem", "key", prefix+"over", "value", "one", "ttl", "60")
	p.ask("set to two", "SetKeyValueItem", "key", prefix+"over", "value", "two", "ttl", "50")
	p.ask("now it is", "GetKeyValueItem", "key", prefix+"over")
}

func (p *probe) responseHeaders() {
	a := p.ask("a read", "GetKeyValueItem", "key", prefix+"absent")
	p.say("%s in %v; byte order mark: %v", a.proto, a.took.Round(time.Millisecond), strings.HasPrefix(a.body, "\ufeff"))
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		p.say("its clock is %v ahead of ours", time.Until(date).Round(time.Second))
	}
	p.headers(a)
}

func (p *probe) lists() {
	p.ask("keys under a prefix that has none", "GetKeyValueKeys", "key", prefix+"none")
	p.ask("items under it", "GetKeyValueItems", "key", prefix+"none")
	for _, key := range listed() {
		p.ask("set "+key, "SetKeyValueItem", "key", key, "value", "v", "ttl", "60")
	}
	// A namespace, the same with its colon, the beginning of one, a whole key, the
	// beginning of one, two namespaces in one key, a key without a namespace, and
	// what stands in the middle.
	for _, pattern := range []string{
		"voxkv-probe", "voxkv-probe:", "voxkv-prob", "voxkv-probe:a", "voxkv-probe:aa", "voxkv-probe:d", "voxkv-probe:d:", "voxkv-probe-e", "probe",
	} {
		p.ask("keys under "+pattern, "GetKeyValueKeys", "key", pattern)
	}
	p.ask("items under voxkv-probe:", "GetKeyValueItems", "key", "voxkv-probe:")
	p.ask("items under voxkv-probe:a", "GetKeyValueItems", "key", "voxkv-probe:a")
	p.ask("keys past the end", "GetKeyValueKeys", "key", "voxkv-probe", "offset", "1000")
	p.ask("items, the second of one", "GetKeyValueItems", "key", "voxkv-probe", "count", "1", "offset", "1")
	p.ask("51 at once", "GetKeyValueItems", "key", "voxkv-probe", "count", "51")
}

func (p *probe) billing() {
	p.say("Whether reads cost anything, the account's transaction history tells; no call does.")
}

// clean deletes what may be left.
func (p *probe) clean() {
	for _, key := range append([]string{prefix + "short", prefix + "fresh", prefix + "over"}, listed()...) {
		p.call(p.token(nil, nil), "DelKeyValueItem", p.with("key", key))
	}
}
