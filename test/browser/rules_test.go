package browser

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
	"voxkv/test/tools"
)

const (
	// ruledKeys are rules of one function that are far apart.
	ruledKeys = "feature:* max-age=1h, status:* max-age=2s"
	statusAge = 2 * time.Second
	status    = "status:item"
	flag      = "feature:item"

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

// judgeStatus holds that a page sees a change when the rule of the key says so. Its
// tolerance is zero, but for answers that a busy machine kept, also from the other
// browser, to which nginx may have given what this one sees.
func judgeStatus(t *testing.T, b tools.Browser, polls []poll, slowest []time.Duration, seen []polled, changed []time.Time) {
	t.Helper()
	for i, p := range polls {
		bound := statusBoundNginx
		if p.front.Cache == cachetest.Direct {
			bound = statusBound
		}
		longest, values := lastedLongest(seen[i], changed)
		t.Logf("%v, %s: %d of %d values were seen, one until %+.2f s after the next was stored; promised are %v. %d of %d answers came from a store",
			p.front, b.Name, values, len(changed), longest.Seconds(), bound, seen[i].Reused, seen[i].Answers)
		if longest > bound+slowest[i] {
			t.Errorf("%v: an old value was given until %v after the change; want at most %v", p.front, longest, bound+slowest[i])
		}
		if seen[i].Values[strconv.Itoa(len(changed)-1)] == 0 || values < 2 {
			t.Errorf("%v: the page saw %v; want several values, and the last among them", p.front, seen[i])
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

// judgeFlag holds that a page which asks for a flag many times makes one request
// for it, and that the other rule does not shorten its hour.
func judgeFlag(t *testing.T, b tools.Browser, statuses []int, exchanges []cachetest.Exchange) {
	t.Helper()
	given := 0
	for _, e := range exchanges {
		if e.Key == flag && sent(b, e.Request) && e.Status == http.StatusOK {
			given++
		}
	}
	if given != 1 || len(statuses) < 2 {
		t.Errorf("%s made %d requests for the answers %v; want 1 for many", b.Name, given, statuses)
	}
}
