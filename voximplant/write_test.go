package voximplant_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"voxkv/voximplant"
)

func TestSetKeyValueItem(t *testing.T) {
	t.Parallel()
	const written = `"v" until 946684860` // a minute after a bubble begins
	checkBodies(t, set(key, "v", lasts(time.Minute)), map[string][]string{
		written: {
			`{"result":{"key":"test:1234","value":"v","expires_at":946684860}}`,
			`{"result":[{"key":"test:1234","value":"v","expires_at":946684860}]}`,
			`{"result":{"key":"test:1234","value":"v","expires_at":"946684860","created":1}}`,
			`{"result":{"key":"test:1234","value":"before","expires_at":946684860}}`, item,
			`{"result":{"key":"test:1234","value":"v"}}`,
			`{"result":{"key":"test:1234","value":"before","expires_at":946684799}}`,
			`{"result":{"key":"test:1234","value":"v","expires_at":946684799}}`,
		},
		"malformed 0 200": {
			`{"result":{"key":"test:12345","value":"v"}}`, `{"result":{"key":"test:1234","expires_at":1795430000}}`,
			`{"result":1}`,
		},
		"failed 341 200": {`{"error":{"code":341}}`},
	})
}

// TestEndOfWhatIsSet: a given end is to come by our clock, and the second it falls
// into is over with it. A ttl counts from the API's clock where that is one to go
// by, and its own reckoning counts where it is of this write.
func TestEndOfWhatIsSet(t *testing.T) {
	t.Parallel()
	const now = 946684800 // in a bubble
	tests := []struct {
		name       string
		life       voximplant.Lifetime
		date, echo int64 // relative to now
		want       int64
	}{
		{"clocks agree", lasts(time.Minute), 0, 60, 60},
		{"reckoned a second before", lasts(time.Minute), 0, 59, 59},
		{"reckoned a second after", lasts(time.Minute), 0, 61, 61},
		{"set before for a little less", lasts(time.Minute), 0, 58, 60},
		{"set before for a little more", lasts(time.Minute), 0, 62, 60},
		{"no time at all", lasts(0), 0, 0, 0},
		{"the longest time", lasts(voximplant.MaxTTL), 0, 1, 7_776_000},
		{"a clock ahead", lasts(time.Minute), 600, 660, 660},
		{"a clock ahead, and another end", lasts(time.Minute), 600, 60, 660},
		{"a clock behind", lasts(time.Minute), -600, 1, -540},
		{"a clock an hour ahead", lasts(time.Minute), 3600, 1, 3660},
		{"a clock out of order", lasts(time.Minute), 3601, 3661, 60},
		{"a clock out of order behind", lasts(time.Minute), -3601, -3541, 60},
		{"a given end", until(now + 90), 600, 90, 90},
		{"a given end, and another one", until(now + 90), 0, 91, 90},
		{"a given end that is now", until(now), 0, 1, 0},
		{"an end within a second", voximplant.Lifetime{ExpiresAt: time.Unix(now+90, 999_999_999)}, 0, 1, 90},
	}
	for _, test := range tests {
		inBubble(t, func(t *testing.T, ctx context.Context) {
			body := fmt.Sprintf(`{"result":{"key":"test:1234","value":"v","expires_at":%d}}`, now+test.echo)
			date := time.Unix(now+test.date, 0).UTC().Format(http.TimeFormat)
			got := set(key, "v", test.life)(t, ctx, (&network{answers: []answer{says(200, body, "Date", date)}}).client(oneToken))
			if want := fmt.Sprintf(`"v" until %d`, now+test.want); got != want {
				t.Errorf("%s: SetKeyValueItem = %s; want %s", test.name, got, want)
			}
		})
	}
}

func TestDelKeyValueItem(t *testing.T) {
	t.Parallel()
	checkBodies(t, del(key), map[string][]string{
		"deleted": {
			`{"result":1}`, `{"result": 1 }`, `{"result":"1"}`, `{"result":1.0}`,
		},
		"not found": {
			`{"result":0}`, `{"result":"0"}`, `{"error":{"code":341}}`,
		},
		"malformed 0 200": {
			`{"result":2}`, `{"result":-1}`, `{"result":11}`, item,
		},
	})
}
