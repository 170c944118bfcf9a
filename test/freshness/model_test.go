package freshness

// second is how many ticks of the model it has. Clocks, delays, answers and
// reuses may be at any tick.
const second = 4

// end is the tick at which the item ends, at a whole second.
const end = 1000 * second

// A cache is how a real one counts (RFC 9111 section 4.2.3).
type cache struct {
	name        string
	private     bool // a browser's, or a program's own: s-maxage is not for it
	deaf        bool // does not read Age
	mute        bool // sends no Age of its own, but the one that it got
	redates     bool // sends a Date of its own
	fromRequest bool // counts from when it asked, not from when the answer arrived
	byDate      bool // counts from Date, where that is earlier
	whole       bool // its clock has whole seconds
	inclusive   bool // still reuses a response whose age is its lifetime
}

var (
	nginx   = cache{name: "nginx", deaf: true, mute: true, redates: true, whole: true, inclusive: true}
	varnish = cache{name: "Varnish"}
	haproxy = cache{name: "HAProxy", whole: true}
	workerd = cache{name: "workerd", mute: true}
	httpd   = cache{name: "httpd", fromRequest: true, byDate: true, whole: true, inclusive: true} // Squid and Traffic Server, too
	browser = cache{name: "browser", private: true, mute: true, fromRequest: true}                // its clock is behind, so that Date tells it nothing
	script  = cache{name: "JavaScript cache", private: true, mute: true}
)

// A response is what a cache holds or sends on.
type response struct {
	at    int // the tick at which the request for it began
	age   int // Age, in seconds
	date  int // Date, in seconds
	delay int // the ticks that the rest of its way may take
}

// Lives are max-age and s-maxage, in seconds.
type lives struct{ own, shared int }

func (l lives) of(c cache) int {
	if c.private {
		return l.own
	}
	return l.shared
}

// made is the function's answer, left ticks before the end.
func made(left, delay int) response {
	return response{at: end - left, date: (end - left) / second, delay: delay}
}

// reuse calls yield with all that c may send on once it has got r.
func (c cache) reuse(r response, l lives, yield func(response)) {
	if l.of(c) < 1 {
		return
	}
	phases := 1
	if c.whole || c.redates {
		phases = second
	}
	for phase := range phases {
		for delay := 0; delay <= r.delay; delay++ {
			c.reuseFrom(r, delay, phase, l.of(c)*second, yield)
		}
	}
}

// reuseFrom is reuse where the answer took delay ticks, and c's seconds begin
// phase ticks before everybody else's.
func (c cache) reuseFrom(r response, delay, phase, life int, yield func(response)) {
	now := func(tick int) int {
		if c.whole {
			return (tick + phase) / second * second
		}
		return tick
	}
	arrival := r.at + delay
	initial := 0
	if !c.deaf {
		initial = r.age * second
	}
	if c.fromRequest {
		initial += now(arrival) - now(r.at)
	}
	if c.byDate {
		initial = max(initial, arrival/second*second-r.date*second)
	}
	sent := response{age: r.age, date: r.date, delay: r.delay - delay}
	for sent.at = arrival; ; sent.at++ {
		age := initial + now(sent.at) - now(arrival)
		if age > life || age == life && !c.inclusive {
			return
		}
		if !c.mute {
			sent.age = age / second
		}
		if c.redates {
			sent.date = (sent.at + phase) / second
		}
		yield(sent)
	}
}

// A chain is the caches between the function and whoever sees the item.
type chain []cache

func (c chain) String() string {
	name := ""
	for i, cache := range c {
		if i > 0 {
			name += " → "
		}
		name += cache.name
	}
	return name
}

// walk calls yield with all that the last cache may send.
func (c chain) walk(first response, l lives, yield func(response)) {
	held := map[response]bool{first: true}
	for _, cache := range c[:len(c)-1] {
		next := map[response]bool{}
		for r := range held {
			cache.reuse(r, l, func(sent response) { next[sent] = true })
		}
		held = next
	}
	for r := range held {
		c[len(c)-1].reuse(r, l, yield)
	}
}
