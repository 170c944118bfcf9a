package requestlog

import (
	"cmp"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// namespace is the one in which CloudWatch shows the metrics.
const namespace = "voxkv"

// A metric is a member of a line that CloudWatch reads as a metric.
type metric struct {
	name, unit string
	value      float64
}

// A metricList holds the metrics of one line.
type metricList []metric

// add adds value to the metric called name. A metric that is 0 is left out.
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

// attrs are the members that make a line a document of CloudWatch's Embedded
// Metric Format: the metrics, and a directive that names them.
func (m metricList) attrs(at time.Time) []slog.Attr {
	// A dimension, so that the metrics of two functions in a region do not mix.
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

// metrics are what the line tells CloudWatch. That costs no call and no second
// line. cause is nil if nothing failed.
func (l *Log) metrics(s Start, line Line, cause error) metricList {
	var m metricList
	m.count("Requests", 1)
	m.count("Status"+strconv.Itoa(line.Status/100)+"xx", 1)
	if s.cold {
		m.count("ColdStarts", 1)
	}
	var waited time.Duration
	for _, a := range line.answers() {
		if name := cacheMetric(a.Source); name != "" {
			m.count(name, 1)
		}
		waited = max(waited, a.UpstreamTime)
	}
	m.count("ClaimsUnusable", int64(line.claimsUnusable()))
	m.add("UpstreamTime", "Milliseconds", milliseconds(waited))
	if failed, ok := errors.AsType[*voximplant.Error](cause); ok {
		kind := string(failed.Kind)
		m.count("UpstreamErrors", 1)
		m.count("UpstreamErrors"+strings.ToUpper(kind[:1])+kind[1:], 1)
	}
	if l.TokenCounts != nil {
		signed, read := l.TokenCounts()
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
