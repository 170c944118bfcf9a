package voximplant_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"voxkv/voximplant"
)

// newStorage is newAPI with the clock of the callers: expires_at is checked by it.
func newStorage(t *testing.T) *api {
	t.Helper()
	a := newAPI(t)
	a.now = time.Now().Truncate(time.Second)
	return a
}

// TestStorageOfTheAPI takes an item through its life.
func TestStorageOfTheAPI(t *testing.T) {
	t.Parallel()
	a := newStorage(t)
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %s; want %s", what, got, want)
		}
	}
	in := func(d time.Duration) int64 { return a.now.Add(d).Unix() }
	c, ctx := a.client, t.Context()
	check("deletion of nothing", del(key)(t, ctx, c), "deleted") // as the stand-in guesses
	check("list of nothing", items("test", voximplant.Page{})(t, ctx, c), "")
	check("list of nothing under a namespace", items("test:", voximplant.Page{})(t, ctx, c), "")
	stored := set(key, "v", lasts(time.Hour))(t, ctx, c)
	check("set", stored, fmt.Sprintf(`"v" until %d`, in(time.Hour))) // the clock goes on with the next call
	check("get", ask(t, ctx, c), stored)
	end := a.now.Add(time.Minute)
	check("set again", set(key, "w", voximplant.Lifetime{ExpiresAt: end})(t, ctx, c), fmt.Sprintf(`"w" until %d`, end.Unix()))
	check("items", items("test:", voximplant.Page{})(t, ctx, c), fmt.Sprintf(`test:1234 "w" until %d`, end.Unix()))
	check("keys", keys("", voximplant.Page{})(t, ctx, c), fmt.Sprintf(`test:1234 "" until %d`, end.Unix()))
	check("keys of another prefix", keys("order:", voximplant.Page{})(t, ctx, c), "")
	check("delete", del(key)(t, ctx, c), "deleted")
	check("get of what is deleted", ask(t, ctx, c), "not found")
	check("set for no time", set(key, "v", lasts(0))(t, ctx, c), fmt.Sprintf(`"v" until %d`, in(0)))
	check("get of what lasts no time", ask(t, ctx, c), "not found")
	c.ApplicationID = 43
	for name, call := range map[string]storageCall{"set": set(key, "v", lasts(0)), "delete": del(key), "items": items("a", voximplant.Page{}), "keys": keys("", voximplant.Page{})} {
		check(name+" in another application", call(t, ctx, c), "configuration 116 200")
	}
}

// TestValuesOfTheAPI: what may be stored comes back, byte for byte.
func TestValuesOfTheAPI(t *testing.T) {
	t.Parallel()
	a := newStorage(t)
	for key, value := range map[string]string{
		"latin":                   strings.Repeat("z", 2000),
		"cyrillic":                strings.Repeat("я", 2000),
		"emoji":                   strings.Repeat("😀", 2000),
		"empty":                   "",
		"azAZ09аяАЯёЁ_-:;.#+":     "a\x00b\r\n\u2028\"\\ й и\u0306 😀 %2B+&=;",
		strings.Repeat("ё", 200):  `{"a":[1,2]}`,
		"one":                     "\ufffd",
		"application_id:43;b+c#d": "&key=other",
	} {
		stored, err := a.client.SetKeyValueItem(t.Context(), key, value, lasts(90*24*time.Hour))
		if err != nil {
			t.Errorf("SetKeyValueItem(%q) = %v; want an item", key, err)
			continue
		}
		got, err := a.client.GetKeyValueItem(t.Context(), key)
		if err != nil || got.Value != value || stored.Value != value || !got.ExpiresAt.Equal(stored.ExpiresAt) {
			t.Errorf("GetKeyValueItem(%q) = %+v, %v; want %+v", key, got, err, stored)
		}
		list, _, err := a.client.GetKeyValueItems(t.Context(), key, voximplant.Page{})
		if err != nil || len(list) != 1 || list[0].Value != value || list[0].Key != key {
			t.Errorf("GetKeyValueItems(%q) = %+v, %v; want the item", key, list, err)
		}
		if err := a.client.DelKeyValueItem(t.Context(), key); err != nil {
			t.Errorf("DelKeyValueItem(%q) = %v; want no error", key, err)
		}
	}
	if left := a.Items(); len(left) != 0 {
		t.Errorf("%d items left; want none", len(left))
	}
}

// TestPages follows Next through whole lists.
func TestPages(t *testing.T) {
	t.Parallel()
	tests := []struct{ items, count, pages int }{
		{0, 0, 1}, {9, 0, 1}, {10, 0, 2}, {11, 0, 2},
		{0, 50, 1}, {10, 50, 1}, {49, 50, 1}, {50, 50, 2}, {51, 50, 2}, {120, 50, 3}, {120, 1, 121}, {3, 2, 2},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%d items by %d", test.items, test.count), func(t *testing.T) {
			t.Parallel()
			a := newStorage(t)
			var want []string
			for i := range test.items {
				want = append(want, fmt.Sprintf("order:%03d", i))
				a.Put(want[i], want[i]+"'s", a.now.Add(24*time.Hour))
			}
			a.Put("other:1", "v", time.Time{})
			read := func(ctx context.Context, prefix string, page voximplant.Page) ([]voximplant.KeyValueItem, int, error) {
				got, next, err := a.client.GetKeyValueItems(ctx, prefix, page)
				for _, item := range got {
					if item.Value != item.Key+"'s" {
						t.Errorf("item %s = %q", item.Key, item.Value)
					}
				}
				return got, next, err
			}
			checkPages(t, read, voximplant.Page{Count: test.count}, want, test.pages)
			checkPages(t, a.client.GetKeyValueKeys, voximplant.Page{Count: test.count}, want, test.pages)
		})
	}
}

func checkPages(t *testing.T, list func(context.Context, string, voximplant.Page) ([]voximplant.KeyValueItem, int, error), page voximplant.Page, want []string, pages int) {
	t.Helper()
	var got []string
	read := 0
	for more := true; more && read <= pages; read++ {
		items, next, err := list(t.Context(), "order:", page)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			got = append(got, item.Key)
		}
		page.Offset, more = next, next > 0
	}
	if !slices.Equal(got, want) || read != pages {
		t.Errorf("%d keys in %d pages; want %d in %d: %q", len(got), read, len(want), pages, got)
	}
}
