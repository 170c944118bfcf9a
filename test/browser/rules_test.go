package browser

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

const (
	// ruledKeys are rules of one function that are far apart.
	ruledKeys  = "feature:* max-age=1h, status:* max-age=2s"
	flagMaxAge = time.Hour
	statusAge  = 2 * time.Second
	status     = "status:item"

	// pollStatus is how long a page asks for status. Its value changes every so often,
	// and no more at the end: each change meets the caches in another phase.
	pollStatus   = 45 * time.Second
	changeEvery  = 5300 * time.Millisecond
	afterChanges = 12 * time.Second

	// statusBound is for how long after a change a page without a cache in between
	// may still see the value before, and statusBoundNginx the same behind nginx: it
	// sends no Age, so a browser counts anew, and its clock has whole seconds
	// (docs/freshness.md).
	statusBound      = statusAge
	statusBoundNginx = 2*statusAge + time.Second
)

// ruledFronts are those behind which a page asks for what rules are about.
func ruledFronts(s *cachetest.Stage) []cachetest.Front {
	return slices.DeleteFunc(s.Of(cachetest.Healthy), func(f cachetest.Front) bool {
		return f.Cache != cachetest.Direct && f.Cache != "nginx"
	})
}

// flagBehind is the key of a flag that is asked for through f alone.
func flagBehind(f cachetest.Front) string { return "feature:" + strings.ReplaceAll(f.Cache, " ", "-") }

// putFlags stores flags that live so long that their ends limit no max-age.
func putFlags(s *cachetest.Stage) {
	for _, f := range ruledFronts(s) {
		f.Origin.Storage.Put(flagBehind(f), "on", time.Now().Add(10*flagMaxAge))
	}
}

// planRuled makes the page ask for flags and for status.
func planRuled(p *plan, s *cachetest.Stage) {
	end := time.Now().Add(pollStatus)
	for _, f := range ruledFronts(s) {
		p.Flags = append(p.Flags, item(f, flagBehind(f)))
		p.Status = append(p.Status, poll{URL: item(f, status), Until: end.UnixMilli(), front: f, end: end})
	}
}

// changeStatus changes what is stored until the time is almost up, and returns
// when it had done so. The values are the indexes of these times.
func changeStatus(ctx context.Context, o *cachetest.Origin) []time.Time {
	var changed []time.Time
	begin := time.Now()
	again := time.NewTicker(changeEvery)
	defer again.Stop()
	for time.Since(begin) < pollStatus-afterChanges {
		o.Storage.Put(status, strconv.Itoa(len(changed)), time.Now().Add(time.Hour))
		changed = append(changed, time.Now())
		select {
		case <-again.C:
		case <-ctx.Done():
			return changed
		}
	}
	return changed
}

// given returns what a browser got from the origin for key, itself or through a cache.
func (b browser) given(o *cachetest.Origin, key string) []cachetest.Exchange {
	return slices.DeleteFunc(slices.Clone(o.Exchanges()), func(e cachetest.Exchange) bool {
		return e.Key != key || !b.sent(e.Request) || e.Status != http.StatusOK && e.Status != http.StatusNotModified
	})
}

// judgeStatus holds that a page sees a change when the rule of the key says so. Its
// tolerance is zero, but for answers that a busy machine kept, also from the other
// browser, to which nginx may have given what this one sees.
func judgeStatus(t *testing.T, b browser, polls []poll, slowest []time.Duration, seen []polled, changed []time.Time) {
	t.Helper()
	for i, p := range polls {
		bound := statusBoundNginx
		if p.front.Cache == cachetest.Direct {
			bound = statusBound
		}
		longest, values := lastedLongest(seen[i], changed)
		t.Logf("%v, %s: %d of %d values were seen, one until %+.2f s after the next was stored; promised are %v. %d of %d answers came from a store",
			p.front, b.name, values, len(changed), longest.Seconds(), bound, seen[i].Reused, seen[i].Answers)
		if longest > bound+slowest[i] {
			t.Errorf("%v: an old value was given until %v after the change; want at most %v", p.front, longest, bound+slowest[i])
		}
		if seen[i].Values[strconv.Itoa(len(changed)-1)] == 0 || values < 2 || seen[i].Reused == 0 {
			t.Errorf("%v: the page saw %v; want several values, the last among them, and some from a store", p.front, seen[i])
		}
	}
}

// lastedLongest returns how long after a change the value before was still given,
// at the most, and how many values were given at all.
func lastedLongest(seen polled, changed []time.Time) (longest time.Duration, values int) {
	longest = -pollStatus
	for i := range changed {
		last := seen.Values[strconv.Itoa(i)]
		if last == 0 {
			continue // the page was too slow for it
		}
		values++
		if i+1 < len(changed) {
			longest = max(longest, time.UnixMilli(last).Sub(changed[i+1]))
		}
	}
	return longest, values
}

// judgeFlags holds that a page which asks for a flag many times makes one request
// for it, and that the other rule does not shorten its hour.
func judgeFlags(t *testing.T, b browser, fronts []cachetest.Front, statuses [][]int) {
	t.Helper()
	for i, f := range fronts {
		given := b.given(f.Origin, flagBehind(f))
		answered := len(slices.DeleteFunc(slices.Clone(statuses[i]), func(status int) bool { return status != http.StatusOK }))
		t.Logf("%v: %s asked for the flag %d times, and so %d requests reached the function", f, b.name, answered, len(given))
		// What one browser has asked for, nginx has stored for the other.
		if few := len(given) == 1 || len(given) == 0 && f.Cache != cachetest.Direct; !few || answered < 2 {
			t.Errorf("%v: %s made %d requests for %d answers; want 1 for many", f, b.name, len(given), answered)
		}
		for _, e := range given {
			var maxAge, shared int
			control := e.Answer.Get("Cache-Control")
			_, err := fmt.Sscanf(control, "public, max-age=%d, s-maxage=%d", &maxAge, &shared)
			// The answer's age comes off, which UPSTREAM_TIMEOUT limits.
			if least := int((flagMaxAge - time.Minute).Seconds()); err != nil || maxAge < least || shared < least {
				t.Errorf("%v: the flag's Cache-Control is %q, %v; want about an hour", f, control, err)
			}
		}
	}
}
