package handler

import (
	"log/slog"
	"strconv"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// namespace is where CloudWatch shows the metrics.
const namespace = "voxkv"

// A metricList turns a log line into a document of CloudWatch's Embedded
// Metric Format: its directive names members of the line itself.
type metricList struct {
	values  []slog.Attr
	metrics []metricDefinition
}

type metricDefinition struct {
	Name string
	Unit string
}

func (m *metricList) count(name string, n int64) {
	if n > 0 {
		m.values = append(m.values, slog.Int64(name, n))
		m.metrics = append(m.metrics, metricDefinition{name, "Count"})
	}
}

// metricAttrs are the members that make e's log line a metric document too,
// which costs no call and no second line.
func (h *Handler) metricAttrs(e *entry) []slog.Attr {
	var m metricList
	m.count("Requests", 1)
	m.count("Status"+strconv.Itoa(e.status/100)+"xx", 1)
	if e.cold {
		m.count("ColdStarts", 1)
	}
	switch e.answer.Source {
	case lookup.FromCopy:
		m.count("CacheHits", 1)
	case lookup.FromUpstream:
		m.count("CacheMisses", 1)
	case lookup.FromOldCopy:
		m.count("CacheStale", 1)
	}
	if a := e.answer; a.Upstream > 0 {
		m.values = append(m.values, slog.Float64("UpstreamTime", milliseconds(a.Upstream)))
		m.metrics = append(m.metrics, metricDefinition{"UpstreamTime", "Milliseconds"})
	}
	if failed := e.upstreamError(); failed != nil {
		m.count("UpstreamErrors", 1)
		m.count(kindMetric(failed.Kind), 1)
	}
	h.countTokens(&m)
	return append(m.values, slog.Any("_aws", map[string]any{
		"Timestamp": e.start.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": namespace, "Dimensions": [][]string{{}}, "Metrics": m.metrics,
		}},
	}))
}

// kindMetric is UpstreamErrorsThrottled for throttled, and so on.
func kindMetric(kind voximplant.Kind) string {
	return "UpstreamErrors" + camel(string(kind))
}

// countTokens counts what was signed and read since the last line.
func (h *Handler) countTokens(m *metricList) {
	if h.TokenCounts == nil {
		return
	}
	signed, read := h.TokenCounts()
	m.count("TokensSigned", signed-h.signed.Swap(signed))
	m.count("SecretsRead", read-h.read.Swap(read))
}
