package handler

import (
	"cmp"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/lookup"
)

// namespace is where CloudWatch shows the metrics.
const namespace = "voxkv"

// A metric is a member of a log line that CloudWatch takes for one.
type metric struct {
	name, unit string
	value      float64
}

// A metricList is the metrics of one line.
type metricList []metric

// add adds value to the metric name; 0 leaves it out.
func (m *metricList) add(name, unit string, value float64) {
	if value == 0 {
		return
	}
	for i := range *m {
		if (*m)[i].name == name {
			(*m)[i].value += value
			return
		}
	}
	*m = append(*m, metric{name, unit, value})
}

func (m *metricList) count(name string, n int64) { m.add(name, "Count", float64(n)) }

// attrs are the members that make a log line a document of CloudWatch's
// Embedded Metric Format, whose directive names members of the line itself.
func (m metricList) attrs(at time.Time) []slog.Attr {
	// One dimension, so that two functions in a region do not mix.
	attrs := []slog.Attr{slog.String("FunctionName", cmp.Or(lambdacontext.FunctionName, "local"))}
	var definitions []any
	for _, metric := range m {
		attrs = append(attrs, slog.Float64(metric.name, metric.value))
		definitions = append(definitions, map[string]string{"Name": metric.name, "Unit": metric.unit})
	}
	return append(attrs, slog.Any("_aws", map[string]any{
		"Timestamp": at.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": namespace, "Dimensions": [][]string{{"FunctionName"}}, "Metrics": definitions,
		}},
	}))
}

// metrics are what e's log line tells CloudWatch, at the cost of no call and
// no second line.
func (h *Handler) metrics(e *entry) metricList {
	var m metricList
	m.count("Requests", 1)
	m.count("Status"+strconv.Itoa(e.status/100)+"xx", 1)
	if e.cold {
		m.count("ColdStarts", 1)
	}
	var waited time.Duration
	for _, a := range e.answers() {
		if name := cacheMetric(a.Source); name != "" {
			m.count(name, 1)
		}
		waited = max(waited, a.UpstreamTime)
	}
	m.add("UpstreamTime", "Milliseconds", milliseconds(waited))
	if failed := e.upstreamError(); failed != nil {
		kind := string(failed.Kind)
		m.count("UpstreamErrors", 1)
		m.count("UpstreamErrors"+strings.ToUpper(kind[:1])+kind[1:], 1)
	}
	if h.TokenCounts != nil {
		signed, read := h.TokenCounts()
		m.count("TokensSigned", signed)
		m.count("SecretsRead", read)
	}
	return m
}

func cacheMetric(from lookup.Source) string {
	switch from {
	case lookup.FromCache:
		return "CacheHits"
	case lookup.FromUpstream:
		return "CacheMisses"
	case lookup.FromStaleCache:
		return "CacheStale"
	}
	return ""
}
