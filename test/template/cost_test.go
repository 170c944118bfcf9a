package template

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// List prices in us-east-1 in USD, first tier, without free tiers, as of
// 2026-11-23, from the pages that bench/scale names.
const (
	httpAPIMillion  = 1.00
	lambdaMillion   = 0.20
	lambdaGBSecond  = 0.0000133334
	provisionedGBs  = 0.0000033334
	logGB           = 0.50
	trafficGB       = 0.09
	secretMonth     = 0.40
	secretReads     = 0.05 / 10_000
	alarmMetric     = 0.10
	metricMonth     = 0.30
	natHour         = 0.045
	addressHour     = 0.005 // a public IPv4 address
	hours           = 730
	tokens          = hours * 60 / 14.0 // of an instance in a month: one each 14 minutes
	instances       = 10
	memoryGB        = 0.25
	seconds         = 0.020 // of a request
	sentGB          = 2     // by a million answers of 1 KB, with their headers
	platformLinesKB = 0.6   // Lambda's own start and report, which only AWS writes
)

// TestCosts holds the tables of docs/deploy.md to the template and to lines that the function wrote.
func TestCosts(t *testing.T) {
	samTools(t)
	kit := newKit(t)
	line, withMetrics := lineKB(t, kit, "false"), lineKB(t, kit, "true")
	t.Logf("a line has %.0f bytes, with METRICS %.0f", 1000*line, 1000*withMetrics)
	s := deploy(t, "template.yaml", openStack)
	access := float64(len(accessLine(s, ways[0], http.StatusOK))) / 1000
	checkTable(t, "costs of a million", perMillion(tenth(line), tenth(access)))
	checkTable(t, "costs of a month", perMonth(alarmMetrics(s), standingMetrics(s), tenth(line), tenth(withMetrics)))
}

// tenth rounds, so that a digit more in a line does not make another table.
func tenth(kB float64) float64 { return math.Round(10*kB) / 10 }

// lineKB is the size of the line of a request that asked Voximplant.
func lineKB(t *testing.T, kit kit, metrics string) float64 {
	t.Helper()
	s := deploy(t, "template.yaml", map[string]string{"Metrics": metrics})
	played := record(t, s, ways[0], failure{}, kit)
	lines := linesOf("minute-2", played.written)
	if len(lines) != 1 {
		t.Fatalf("one request wrote %q", lines)
	}
	onAWS := strings.NewReplacer("minute-2", "8f5c3a52-5f0e-4c39-9d0c-5f8a3b1f6f0e", published(s), "12").Replace(lines[0])
	onAWS = regexp.MustCompile(`"(ms|upstream_ms|UpstreamTime)":[0-9.]+`).ReplaceAllString(onAWS, `"$1":12.345`)
	return float64(len(onAWS)) / 1000
}

// alarmMetrics are what CloudWatch bills of the alarms: each metric that one looks at.
func alarmMetrics(s *stack) (n int) {
	for _, alarm := range s.resources("AWS::CloudWatch::Alarm") {
		queries, _ := alarm["Metrics"].([]any)
		n += max(1, len(slices.DeleteFunc(slices.Clone(queries), func(q any) bool { return object(q)["MetricStat"] == nil })))
	}
	return n
}

// standingMetrics are the filters' metrics that are there also while nothing fails.
func standingMetrics(s *stack) (n int) {
	for _, filter := range s.resources("AWS::Logs::MetricFilter") {
		if object(filter["MetricTransformations"].([]any)[0])["DefaultValue"] != nil {
			n++
		}
	}
	return n
}

// A bill is the rows of a table, with a sum.
type bill struct {
	rows []string
	sum  float64
}

func (b *bill) add(what, arithmetic string, dollars float64) {
	b.rows = append(b.rows, fmt.Sprintf("| %s | %s | %.2f |", what, arithmetic, dollars))
	b.sum += dollars
}

func (b *bill) table(what string, more ...string) string {
	head := []string{"| | arithmetic | USD |", "|---|---|---|"}
	sum := fmt.Sprintf("| **%s** | | **%.2f** |", what, b.sum)
	return strings.Join(slices.Concat(head, b.rows, []string{sum}, more), "\n") + "\n"
}

func perMillion(line, access float64) string {
	var b bill
	logged := line + platformLinesKB + access
	b.add("HTTP API", "1 million × $1.00", httpAPIMillion)
	b.add("Lambda, requests", "1 million × $0.20", lambdaMillion)
	b.add("Lambda, time", "1 million × 0.020 s × 0.25 GB × $0.0000133334", 1e6*seconds*memoryGB*lambdaGBSecond)
	b.add("logs", fmt.Sprintf("1 million × (%.1f KB function + %.1f KB platform + %.1f KB access) = %.1f GB × $0.50", line, platformLinesKB, access, logged), logged*logGB)
	b.add("traffic out", "2 GB with headers × $0.09", sentGB*trafficGB)
	return b.table("a million requests")
}

func perMonth(alarms, metrics int, line, withMetrics float64) string {
	var b, wanted bill
	b.add("the secret", "1 × $0.40", secretMonth)
	b.add("reading it, once for each token of an instance", fmt.Sprintf("%d instances × %s a month × $0.05 / 10,000", instances, thousands(tokens)), instances*tokens*secretReads)
	b.add("alarms, by the metrics that they look at", fmt.Sprintf("%d × $0.10", alarms), float64(alarms)*alarmMetric)
	b.add("metrics of the log filters that are there while nothing fails", fmt.Sprintf("%d × $0.30", metrics), float64(metrics)*metricMonth)
	b.add("dashboard", "the first three of an account are free, then $3.00", 0)
	wanted.add("if wanted: `Metrics`, without errors up to 13 of them", "13 × $0.30", 13*metricMonth)
	wanted.add("and for each million requests", fmt.Sprintf("1 million × (%.1f KB in place of %.1f KB) × $0.50", withMetrics, line), (withMetrics-line)*logGB)
	wanted.add("if wanted: one provisioned instance", "2,628,000 s × 0.25 GB × $0.0000033334", hours*3600*memoryGB*provisionedGBs)
	wanted.add("if wanted: a NAT gateway and its address", "730 h × ($0.045 + $0.005), and $0.045 for each GB", hours*(natHour+addressHour))
	return b.table("a month", wanted.rows...)
}

func thousands(n float64) string {
	whole := int(math.Round(n))
	return fmt.Sprintf("%d,%03d", whole/1000, whole%1000)
}
