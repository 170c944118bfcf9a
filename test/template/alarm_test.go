package template

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A cloudWatch is what CloudWatch does with lines and metrics: the values of
// each metric, minute by minute.
type cloudWatch map[string]map[int][]float64

func (c cloudWatch) put(minute int, value float64, namespace, name string, dimensions map[string]string) {
	metric := metricKey(namespace, name, dimensions)
	if c[metric] == nil {
		c[metric] = map[int][]float64{}
	}
	c[metric][minute] = append(c[metric][minute], value)
}

func metricKey(namespace, name string, dimensions map[string]string) string {
	key := namespace + " " + name
	for _, dimension := range slices.Sorted(maps.Keys(dimensions)) {
		key += " " + dimension + "=" + dimensions[dimension]
	}
	return key
}

// filter puts what the metric filters of s make of the lines of a log group in
// a minute. Without a match, a filter's default value counts, if there are lines.
func (c cloudWatch) filter(s *stack, group string, minute int, lines []string) {
	for _, filter := range s.resources("AWS::Logs::MetricFilter") {
		if filter["LogGroupName"] != group {
			continue
		}
		to := object(filter["MetricTransformations"].([]any)[0])
		namespace, name, matched := to["MetricNamespace"].(string), to["MetricName"].(string), false
		for _, line := range lines {
			var fields map[string]any
			if json.Unmarshal([]byte(line), &fields) != nil || !matches(s.t, filter["FilterPattern"].(string), fields) {
				continue
			}
			matched = true
			c.put(minute, 1, namespace, name, fieldDimensions(to["Dimensions"], fields))
		}
		if standard, ok := to["DefaultValue"].(float64); ok && !matched && len(lines) > 0 {
			c.put(minute, standard, namespace, name, nil)
		}
	}
}

// fieldDimensions are the dimensions that a line's own fields give.
func fieldDimensions(declared any, fields map[string]any) map[string]string {
	dimensions := map[string]string{}
	all, _ := declared.([]any)
	for _, d := range all {
		field := strings.TrimPrefix(object(d)["Value"].(string), "$.")
		dimensions[object(d)["Key"].(string)] = fmt.Sprint(fields[field])
	}
	return dimensions
}

// matches reports whether a JSON line fits a filter pattern.
func matches(t *testing.T, pattern string, fields map[string]any) bool {
	inner := strings.TrimSuffix(strings.TrimPrefix(pattern, "{"), "}")
	inner = strings.NewReplacer(" = ", " == ", "$.", "line.").Replace(inner)
	return compute(t, inner, func(field string) any { return fields[field] }) == true
}

// minutesToAlarm is after how many of the minutes the alarm rings; 0 if it never does.
func (c cloudWatch) minutesToAlarm(t *testing.T, alarm map[string]any, minutes int) int {
	t.Helper()
	if alarm["TreatMissingData"] != "notBreaching" || alarm["Threshold"] == nil {
		t.Fatalf("not evaluated here: %v", alarm)
	}
	window := int(number(t, alarm["EvaluationPeriods"]))
	needed := int(number(t, cmp.Or(alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"])))
	for last := 1; last <= minutes; last++ {
		breaching := 0
		for minute := last - window + 1; minute <= last; minute++ {
			if c.breaches(t, alarm, minute) {
				breaching++
			}
		}
		if breaching >= needed {
			return last
		}
	}
	return 0
}

func (c cloudWatch) breaches(t *testing.T, alarm map[string]any, minute int) bool {
	operators := map[any]token.Token{"GreaterThanOrEqualToThreshold": token.GEQ, "GreaterThanThreshold": token.GTR}
	operator, ok := operators[alarm["ComparisonOperator"]]
	if !ok {
		t.Fatalf("not evaluated here: %v", alarm["ComparisonOperator"])
	}
	return operate(t, operator, c.datapoint(t, alarm, minute), number(t, alarm["Threshold"])) == true
}

// datapoint is the value that the alarm looks at, nil where there is none.
func (c cloudWatch) datapoint(t *testing.T, alarm map[string]any, minute int) any {
	if alarm["Metrics"] == nil {
		stat := cmp.Or(alarm["ExtendedStatistic"], alarm["Statistic"])
		return c.statistic(t, alarm, stat, alarm["EvaluateLowSampleCountPercentile"], minute)
	}
	values, expression := map[string]any{}, ""
	for _, m := range alarm["Metrics"].([]any) {
		query := object(m)
		if query["ReturnData"] == true {
			expression = query["Expression"].(string)
			continue
		}
		stat := object(query["MetricStat"])
		metric := maps.Clone(object(stat["Metric"]))
		metric["Period"] = stat["Period"]
		values[query["Id"].(string)] = c.statistic(t, metric, stat["Stat"], nil, minute)
	}
	return compute(t, expression, func(name string) any { return values[name] })
}

// statistic is the value of a metric in a minute, nil where it has none. A
// percentile of fewer samples than 10/(1-p) may be told to be ignored.
func (c cloudWatch) statistic(t *testing.T, metric map[string]any, stat, lowSampleCount any, minute int) any {
	if number(t, metric["Period"]) != 60 {
		t.Fatalf("not evaluated here: a period of %v", metric["Period"])
	}
	dimensions := map[string]string{}
	declared, _ := metric["Dimensions"].([]any)
	for _, d := range declared {
		dimensions[object(d)["Name"].(string)] = fmt.Sprint(object(d)["Value"])
	}
	values := c[metricKey(metric["Namespace"].(string), metric["MetricName"].(string), dimensions)][minute]
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	switch {
	case len(values) == 0, stat == "p99" && lowSampleCount == "ignore" && len(values) < 1000:
		return nil
	case stat == "Sum":
		return sum
	case stat == "Average":
		return sum / float64(len(values))
	case stat == "p99":
		return slices.Max(values)
	}
	t.Fatalf("not evaluated here: the statistic %v", stat)
	return nil
}

// number is a number of the template, which parameters give as text.
func number(t *testing.T, v any) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// compute evaluates metric math, or a filter pattern with == for = and line. for
// $., which both are Go expressions. A missing value makes the result missing,
// and fits nothing.
func compute(t *testing.T, expression string, value func(name string) any) any {
	t.Helper()
	tree, err := parser.ParseExpr(expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	var of func(ast.Expr) any
	of = func(e ast.Expr) any {
		switch e := e.(type) {
		case *ast.ParenExpr:
			return of(e.X)
		case *ast.Ident:
			return value(e.Name)
		case *ast.SelectorExpr:
			return value(e.Sel.Name)
		case *ast.BasicLit:
			return literal(t, e)
		case *ast.BinaryExpr:
			return operate(t, e.Op, of(e.X), of(e.Y))
		}
		t.Fatalf("%s: not computed here: %T", expression, e)
		return nil
	}
	return of(tree)
}

func literal(t *testing.T, e *ast.BasicLit) any {
	if e.Kind == token.STRING {
		text, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	return number(t, e.Value)
}

func operate(t *testing.T, op token.Token, a, b any) any {
	switch op {
	case token.LAND:
		return a == true && b == true
	case token.LOR:
		return a == true || b == true
	}
	if pattern, ok := b.(string); ok {
		text, isText := a.(string)
		same, err := path.Match(pattern, text)
		if err != nil {
			t.Fatal(err)
		}
		return isText && same == (op == token.EQL)
	}
	x, isNumber := a.(float64)
	y, isToo := b.(float64)
	if !isNumber || !isToo || op == token.QUO && y == 0 {
		return nil
	}
	left, right := constant.MakeFloat64(x), constant.MakeFloat64(y)
	if op.Precedence() == token.EQL.Precedence() {
		return constant.Compare(left, op, right)
	}
	result, _ := constant.Float64Val(constant.BinaryOp(left, op, right))
	return result
}
