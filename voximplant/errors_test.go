package voximplant_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"voxkv/voximplant"
)

// The codes are those of voximplant.com's error reference that a call may meet.
func TestCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind  voximplant.Kind
		tries int  // 3 where a repeat is worth it
		anew  bool // another token is asked for
		codes []int
	}{
		{voximplant.KindCredentials, 1, true, []int{100, 433, 447, 455, 456}},
		{voximplant.KindCredentials, 1, false, []int{104, 127, 131, 135, 137, 315, 316, 317, 320, 321, 322, 323, 527}},
		{voximplant.KindConfiguration, 1, false, []int{
			12, 101, 102, 103, 105, 107, 115, 116, 134, 195, 196, 454, 458, 485, 492, 545, 546, 558,
		}},
		{voximplant.KindThrottled, 3, false, []int{162, 314, 340, 416, 484, 515}},
		{voximplant.KindMalformed, 1, false, []int{477, 496, 497, 499}},
		{voximplant.KindFailed, 3, false, []int{1, 2, 4, 13}},
		{voximplant.KindFailed, 1, false, []int{5, 122, 429, 434, 435, 437, 501, 512, 0, -1, 9999}},
	}
	for _, test := range tests {
		for _, n := range test.codes {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, ctx context.Context) {
					anew := false
					api := &network{answers: []answer{code(n)}}
					outcome := ask(t, ctx, api.client(func(refused string) (string, error) {
						if refused == "" {
							return bearer, nil
						}
						anew = true
						return "", errors.New("no other token")
					}))
					want := fmt.Sprintf("%s %d 200", test.kind, n)
					if test.tries == 3 {
						want += " repeat"
					}
					if outcome != want || len(api.requests) != test.tries || anew != test.anew {
						t.Errorf("code %d = %s after %d tries, another token asked for: %t; want %s, %d, %t",
							n, outcome, len(api.requests), anew, want, test.tries, test.anew)
					}
				})
			})
		}
	}
}

// A named error tells its kind, as those of package auth do.
type named struct {
	kind string
	error
}

func (n named) Kind() string  { return n.kind }
func (n named) Unwrap() error { return n.error }

func TestTokenSourceFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want string
	}{
		{errors.New("out of reach"), "unavailable 0 0"},
		{named{"unavailable", context.DeadlineExceeded}, "unavailable 0 0"},
		{named{"configuration", errors.New("no such secret")}, "configuration 0 0"},
		{fmt.Errorf("token: %w", named{"credentials", errors.New("refused")}), "credentials 0 0"},
	}
	for _, test := range tests {
		api := &network{answers: []answer{says(200, item)}}
		client := api.client(func(string) (string, error) { return "", test.err })
		if got := ask(t, t.Context(), client); got != test.want || len(api.requests) != 0 {
			t.Errorf("GetKeyValueItem with token error %v = %s, %d requests; want %s, none", test.err, got, len(api.requests), test.want)
		}
		if _, err := client.GetKeyValueItem(t.Context(), key); !errors.Is(err, test.err) {
			t.Errorf("GetKeyValueItem = %v; want the error of the token source in it", err)
		}
	}
}
