package itemjson_test

import (
	"encoding/json"
	"testing"
	"time"

	"voxkv/internal/itemjson"
	"voxkv/internal/lookuptest"
	"voxkv/internal/problem"
	"voxkv/lookup"
	"voxkv/voximplant"
)

func TestItem(t *testing.T) {
	t.Parallel()
	for want, item := range map[string]*voximplant.KeyValueItem{
		`{"key":"k","value":"v","expires_at":1795435200}`:       {Key: "k", Value: "v", ExpiresAt: lookuptest.At()},
		`{"key":"k","value":"\u003cb\u003e","expires_at":null}`: {Key: "k", Value: "<b>", Date: time.Now()},
	} {
		if got, err := json.Marshal(itemjson.Of(item)); err != nil || string(got) != want {
			t.Errorf("item = %s, %v; want %s", got, err, want)
		}
	}
}

// TestSeveral: each key is in one of two objects.
func TestSeveral(t *testing.T) {
	t.Parallel()
	keys := []string{"short", "absent", "busy", "not a key", "panic", "short"}
	results := problem.OfResults(lookup.Several(t.Context(), keys, lookuptest.Mixed))
	const want = `{"items":{"absent":null,"short":"the value that no log may hold"},"errors":{` +
		`"busy":{"code":"upstream_busy","errorType":"UpstreamBusy","errorMessage":"The storage is busy."},` +
		`"not a key":{"code":"invalid_key","errorType":"InvalidRequest","errorMessage":"Not a key: the key has a character outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +."},` +
		`"panic":{"code":"internal_error","errorType":"InternalError","errorMessage":"The request could not be served."}}}`
	got, err := json.Marshal(itemjson.OfResults(results, func(a lookup.Answer) string { return a.Item.Value }))
	if err != nil || string(got) != want {
		t.Errorf("several = %s, %v; want %s", got, err, want)
	}
	if got, _ := json.Marshal(itemjson.OfResults[string](nil, nil)); string(got) != `{"items":{},"errors":{}}` {
		t.Errorf("several of no key = %s; want two empty objects", got)
	}
}
