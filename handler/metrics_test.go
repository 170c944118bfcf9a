package handler_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// emf reads the newest log line as CloudWatch does: the directive names numeric
// members of the line. It returns the values and units.
func emf(t *testing.T, s *site) map[string]any {
	t.Helper()
	line := s.lastLog(t)
	text, err := json.Marshal(line["_aws"])
	if err != nil {
		t.Fatal(err)
	}
	var directive struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	}
	if err := json.Unmarshal(text, &directive); err != nil || len(directive.CloudWatchMetrics) != 1 || directive.Timestamp == 0 {
		t.Fatalf("_aws = %s, %v; want one directive with a time", text, err)
	}
	d := directive.CloudWatchMetrics[0]
	if d.Namespace != "voxkv" || len(d.Dimensions) != 1 || len(d.Dimensions[0]) != 1 || line[d.Dimensions[0][0]] == "" || len(d.Metrics) > 100 {
		t.Errorf("directive = %+v", d)
	}
	values := map[string]any{}
	for _, m := range d.Metrics {
		value, ok := line[m.Name].(float64)
		if !ok {
			t.Errorf("metric %s is %v in the line; want a number", m.Name, line[m.Name])
		}
		values[m.Name] = value
	}
	return values
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	answer := func(a lookup.Answer, err error) func(context.Context, string) (lookup.Answer, error) {
		return func(context.Context, string) (lookup.Answer, error) { return a, err }
	}
	item := &voximplant.KeyValueItem{Key: "k", Value: value, ExpiresAt: at.Add(time.Hour)}
	throttled := &voximplant.Error{Kind: voximplant.KindThrottled}
	for _, row := range []struct {
		name string
		find func(context.Context, string) (lookup.Answer, error)
		want map[string]float64 // beside Requests and, the first time, ColdStarts
	}{
		{"hit", answer(lookup.Answer{Item: item, At: at, Source: lookup.FromCopy}, nil), map[string]float64{"Status2xx": 1, "CacheHits": 1}},
		{"miss", answer(lookup.Answer{Item: item, At: at, Source: lookup.FromUpstream, Upstream: 80 * time.Millisecond}, nil),
			map[string]float64{"Status2xx": 1, "CacheMisses": 1, "UpstreamTime": 80}},
		{"stale", answer(lookup.Answer{Item: item, At: at, Source: lookup.FromOldCopy, UpstreamErr: throttled}, nil),
			map[string]float64{"Status2xx": 1, "CacheStale": 1, "UpstreamErrors": 1, "UpstreamErrorsThrottled": 1}},
		{"failure", answer(lookup.Answer{At: at, Source: lookup.FromNowhere}, throttled),
			map[string]float64{"Status5xx": 1, "UpstreamErrors": 1, "UpstreamErrorsThrottled": 1}},
		{"out of scope", answer(lookup.Answer{At: at, Source: lookup.FromScope}, voximplant.ErrNotFound), map[string]float64{"Status4xx": 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(row.find)
			s.Metrics = true
			signed, read := int64(1), int64(1)
			s.TokenCounts = func() (int64, int64) { return signed, read }
			s.get(t, "/v1/items/k")
			first := emf(t, s)
			if first["ColdStarts"] != 1.0 || first["TokensSigned"] != 1.0 || first["SecretsRead"] != 1.0 {
				t.Errorf("first request: %v; want a cold start, a token and a secret", first)
			}
			signed, read = 2, 0
			s.get(t, "/v1/items/k")
			got := emf(t, s)
			row.want["Requests"], row.want["TokensSigned"] = 1, 2
			if len(got) != len(row.want) {
				t.Errorf("metrics = %v; want %v", got, row.want)
			}
			for name, want := range row.want {
				if got[name] != want {
					t.Errorf("%s = %v; want %v", name, got[name], want)
				}
			}
		})
	}
}

func TestNoMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(living(time.Hour, 0))
	s.get(t, "/v1/items/k")
	if line := s.lastLog(t); line["_aws"] != nil || line["Requests"] != nil {
		t.Errorf("without Metrics the line is %v", line)
	}
}
