package template

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/gatewaytest"
	"voxkv/internal/runtimetest"
	"voxkv/internal/voximplanttest"
)

// minutes are how long each situation lasts, with one request in each.
const minutes = 5

// A way is how requests come to the function.
type way struct {
	name, template string
	parameters     map[string]string
	front          *gatewaytest.Gateway // nil for direct invocation
	accessFormat   string               // the path of the format of AccessLogGroup, if the gateway has a log
	throttled      int                  // what callers get when Lambda throttles, by AWS's documents
}

var ways = []way{
	{"HTTP API", "template.yaml", openStack, &gatewaytest.Gateway{Kind: gatewaytest.HTTPAPI}, "HttpApiStage.AccessLogSettings.Format", 503},
	{"CloudFront", "template.yaml", cloudFrontStack, &gatewaytest.Gateway{Kind: gatewaytest.FunctionURL}, "", 429},
	{"REST API", "examples/rest-api/template.yaml", openStack, &gatewaytest.Gateway{Kind: gatewaytest.REST, Stage: "live"}, "RestApiliveStage.AccessLogSetting.Format", 500},
	{"direct", "template.yaml", openStack, nil, "", 0},
}

// A question is what is asked by HTTP, and what is asked directly.
type question struct{ target, payload string }

var (
	one     = question{"/v1/items/order:1", `{"key":"order:1"}`}
	several = question{"/v1/items?key=order:1&key=order:2", `{"keys":["order:1","order:2"]}`}
	wrong   = question{"/v1/items", `{"keys":[]}`}
)

// A failure is one way to fail.
type failure struct {
	name     string
	asked    question                                                      // one, if it is empty
	event    string                                                        // a file that is the payload, past the way's gateway
	settings []string                                                      // of the function, over the template's
	answer   func(s *sandbox, w http.ResponseWriter, r *http.Request) bool // what Voximplant does, if not what it should
	quiet    bool                                                          // nobody need be told
	upstream bool                                                          // no release brings it about
	throttle string                                                        // what turns the request away: Lambda or the gateway
	slow     bool
}

var failures = []failure{
	{name: "nothing", quiet: true, upstream: true},
	{name: "a caller asks for no key", asked: wrong, quiet: true, upstream: true},
	{name: "an event source invokes the function", event: "events/sqs.json", quiet: true, upstream: true},
	{name: "Voximplant refuses the key or the account", answer: says(http.StatusOK, `{"error":{"code":100,"msg":"no"}}`), upstream: true},
	{name: "Voximplant is down", answer: says(http.StatusInternalServerError, ""), upstream: true},
	{name: "Voximplant fails for one key of several", asked: several, answer: failsForOne, upstream: true},
	{name: "Voximplant refuses, asked for several keys", asked: several, answer: says(http.StatusOK, `{"error":{"code":100,"msg":"no"}}`), upstream: true},
	{name: "Voximplant throttles", answer: says(http.StatusOK, `{"error":{"code":340,"msg":"no"}}`), upstream: true},
	{name: "Lambda throttles", throttle: "Lambda"},
	{name: "the gateway throttles", throttle: "gateway"},
	{name: "answers are slow", answer: late, slow: true, upstream: true},
	{name: "the application's number is wrong", answer: says(http.StatusOK, `{"error":{"code":116,"msg":"no"}}`)},
	{name: "the function crashes", answer: crash},
	{name: "the function does not start", settings: []string{"ALLOWED_KEYS="}},
}

func says(status int, body string) func(*sandbox, http.ResponseWriter, *http.Request) bool {
	return func(_ *sandbox, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		io.WriteString(w, body)
		return true
	}
}

// failsForOne leaves one of the two keys answered.
func failsForOne(_ *sandbox, w http.ResponseWriter, r *http.Request) bool {
	if r.FormValue("key") == "order:1" {
		return false
	}
	w.WriteHeader(http.StatusInternalServerError)
	return true
}

// late makes an answer take 20 ms at least.
func late(*sandbox, http.ResponseWriter, *http.Request) bool {
	time.Sleep(20 * time.Millisecond)
	return false
}

// crash ends the function while it waits, as too little memory would.
func crash(s *sandbox, _ http.ResponseWriter, _ *http.Request) bool {
	s.process.Load().Stop()
	return true
}

// A sandbox is the real function behind one way in, and what it wrote.
type sandbox struct {
	bootstrap string
	env       []string
	process   atomic.Pointer[runtimetest.Process] // nil while there is none
	written   []string
}

// An outcome is what AWS counts of one request.
type outcome struct {
	status             int // 0 for direct invocation
	invoked, throttled bool
	failed             bool // a function error, a crash, or no start
}

// invoke runs the function once, and starts it where needed.
func (s *sandbox) invoke(ctx context.Context, id string, payload []byte) ([]byte, error) {
	p := s.process.Load()
	if p == nil {
		var err error
		if p, err = runtimetest.Start(ctx, s.bootstrap, s.env); err != nil {
			return nil, err
		}
		s.process.Store(p)
	}
	result, err := p.Invoke(ctx, runtimetest.Invocation{Payload: payload, RequestID: id, Deadline: time.Now().Add(time.Hour)})
	if err != nil {
		s.stop()
		return nil, err
	}
	if result.FunctionError != nil {
		return nil, result.FunctionError
	}
	return result.Payload, nil
}

func (s *sandbox) stop() {
	if p := s.process.Swap(nil); p != nil {
		p.Stop()
		s.written = append(s.written, strings.Split(p.Output(), "\n")...)
	}
}

// ask sends one request the given way.
func (s *sandbox) ask(t *testing.T, w way, f failure, id string) outcome {
	ctx := t.Context()
	switch f.throttle {
	case "Lambda":
		return outcome{status: w.throttled, throttled: true}
	case "gateway":
		return outcome{status: http.StatusTooManyRequests}
	}
	asked := cmp.Or(f.asked, one)
	if f.event != "" {
		asked.payload = string(read(t, filepath.Join(root, f.event)))
	}
	if w.front == nil || f.event != "" {
		_, err := s.invoke(ctx, id, []byte(asked.payload))
		return outcome{invoked: true, failed: err != nil}
	}
	var failed error
	front := *w.front
	front.Invoke = func(ctx context.Context, payload []byte) (answer []byte, err error) {
		answer, failed = s.invoke(ctx, id, payload)
		return answer, failed
	}
	target := asked.target
	if front.Stage != "" {
		target = "/" + front.Stage + target
	}
	answer := httptest.NewRecorder()
	front.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil))
	return outcome{status: answer.Code, invoked: true, failed: failed != nil}
}

// A recording is what came of the requests, minute by minute, and all that the function wrote.
type recording struct {
	outcomes []outcome
	written  []string
}

// record lets a failure last for some minutes.
func record(t *testing.T, s *stack, w way, f failure, tools kit) recording {
	t.Helper()
	world, err := e2etest.NewFor(tools.account)
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	for _, key := range []string{"order:1", "order:2"} {
		world.Voximplant.Put(key, "paid", time.Now().Add(time.Hour))
	}
	box := &sandbox{bootstrap: tools.bootstrap}
	// A slow machine has all the time that UPSTREAM_TIMEOUT can give.
	box.env = slices.Concat(world.Environment(ofTemplate(s)...), f.settings,
		[]string{"LOCAL_MAX_AGE=0s", "UPSTREAM_TIMEOUT=1m", "AWS_LAMBDA_FUNCTION_VERSION=" + published(s)})
	if f.answer != nil {
		world.Voximplant.Intercept(func(w http.ResponseWriter, r *http.Request) bool { return f.answer(box, w, r) })
	}
	var outcomes []outcome
	for minute := range minutes {
		outcomes = append(outcomes, box.ask(t, w, f, fmt.Sprint("minute-", minute+1)))
	}
	box.stop()
	return recording{outcomes, box.written}
}

// ofTemplate are the settings that the template makes, but those that say where the world is.
func ofTemplate(s *stack) (settings []string) {
	for name, value := range environment(s) {
		if !strings.HasPrefix(name, "VOXIMPLANT_") && name != "ALLOWED_KEYS" {
			settings = append(settings, fmt.Sprintf("%s=%v", name, value))
		}
	}
	return settings
}

// published is the one that the alias points to.
func published(s *stack) string {
	for _, alias := range s.resources("AWS::Lambda::Alias") {
		return fmt.Sprint(alias["FunctionVersion"])
	}
	return "$LATEST"
}

// learn fills a CloudWatch with what AWS would count, and with the lines.
func learn(s *stack, w way, f failure, r recording) cloudWatch {
	c := cloudWatch{}
	for i, o := range r.outcomes {
		minute := i + 1
		c.countLambda(s, minute, o, milliseconds(f, fmt.Sprint("minute-", minute), r.written))
		c.countFront(w, minute, o)
		lines := linesOf(fmt.Sprint("minute-", minute), r.written)
		if o.invoked {
			lines = append(lines, `{"type":"platform.report","record":{}}`) // Lambda's own, whatever becomes of the function
		}
		c.filter(s, "LogGroup", minute, lines)
		if w.accessFormat != "" && o.status != 0 {
			c.filter(s, "AccessLogGroup", minute, []string{accessLine(s, w, o.status)})
		}
	}
	return c
}

func linesOf(id string, written []string) (lines []string) {
	for _, line := range written {
		if strings.Contains(line, `"`+id+`"`) {
			lines = append(lines, line)
		}
	}
	return lines
}

// milliseconds is how long the function took by its own line. No alarm but that
// for slow answers looks at it, and then it is no less than Voximplant took.
func milliseconds(f failure, id string, written []string) float64 {
	var line struct{ MS float64 }
	for _, text := range linesOf(id, written) {
		if f.slow && json.Unmarshal([]byte(text), &line) == nil {
			return line.MS
		}
	}
	return 1
}

func (c cloudWatch) countLambda(s *stack, minute int, o outcome, ms float64) {
	alias := map[string]string{"FunctionName": "VoxkvFunction"}
	all := []map[string]string{alias}
	if len(s.resources("AWS::Lambda::Alias")) > 0 {
		named := merged(alias, map[string]string{"Resource": "VoxkvFunction:live"})
		all = append(all, named, merged(named, map[string]string{"ExecutedVersion": published(s)}))
	}
	for _, dimensions := range all {
		if o.throttled {
			c.put(minute, 1, "AWS/Lambda", "Throttles", dimensions)
		}
		if o.invoked {
			c.put(minute, 1, "AWS/Lambda", "Invocations", dimensions)
			c.put(minute, count(o.failed), "AWS/Lambda", "Errors", dimensions)
			c.put(minute, ms, "AWS/Lambda", "Duration", dimensions)
		}
	}
}

// countFront counts what the way in counts itself. CloudFront's rates are percents.
func (c cloudWatch) countFront(w way, minute int, o outcome) {
	failed, refused := count(o.status >= 500), count(o.status >= 400 && o.status < 500)
	put := func(namespace string, dimensions map[string]string, values map[string]float64) {
		for name, value := range values {
			c.put(minute, value, namespace, name, dimensions)
		}
	}
	switch w.name {
	case "HTTP API":
		put("AWS/ApiGateway", map[string]string{"ApiId": "HttpApi", "Stage": "$default"}, map[string]float64{"Count": 1, "4xx": refused, "5xx": failed})
	case "REST API":
		put("AWS/ApiGateway", map[string]string{"ApiName": "voxkv", "Stage": "live"}, map[string]float64{"Count": 1, "4XXError": refused, "5XXError": failed})
	case "CloudFront":
		put("AWS/Lambda", map[string]string{"FunctionName": "VoxkvFunction", "Resource": "VoxkvFunction:live"},
			map[string]float64{"UrlRequestCount": 1, "Url4xxCount": refused, "Url5xxCount": failed})
		put("AWS/CloudFront", map[string]string{"DistributionId": "Distribution", "Region": "Global"},
			map[string]float64{"Requests": 1, "4xxErrorRate": 100 * refused, "5xxErrorRate": 100 * failed})
	}
}

func count(happened bool) float64 {
	if happened {
		return 1
	}
	return 0
}

// accessValues are what API Gateway puts for the variables of a log's format. Keys are in paths, queries and claims, so no
// variable that holds them may be among these.
var accessValues = map[string]string{
	"requestTime":             "25/Nov/2026:10:00:00 +0000",
	"requestId":               "8f5c3a52-5f0e-4c39-9d0c-5f8a3b1f6f0e",
	"identity.sourceIp":       "203.0.113.10",
	"identity.apiKeyId":       "a1b2c3d4e5",
	"httpMethod":              "GET",
	"routeKey":                "ANY /v1/{proxy+}",
	"resourcePath":            "/{proxy+}",
	"responseLength":          "1024",
	"responseLatency":         "25",
	"integrationLatency":      "20",
	"error.message":           "Too Many Requests",
	"integrationErrorMessage": "-",
	"authorizer.error":        "-",
}

// accessLine is a line of the gateway's log as the template words it, which must be JSON for the filters.
func accessLine(s *stack, w way, status int) string {
	s.t.Helper()
	line := regexp.MustCompile(`\$context\.[\w.]+`).ReplaceAllStringFunc(s.at(w.accessFormat).(string), func(variable string) string {
		name := strings.TrimPrefix(variable, "$context.")
		value, ok := accessValues[name]
		switch {
		case name == "status":
			return fmt.Sprint(status)
		case !ok:
			s.t.Fatalf("the access log of %s holds %s", w.name, variable)
		case name == "error.message" && status < 400:
			return "-"
		}
		return value
	})
	if !json.Valid([]byte(line)) {
		s.t.Errorf("a line of the access log is no JSON, so no filter reads it: %s", line)
	}
	return line
}

// TestToldErrors has the lines of function errors that the alarms leave out. A panic is none of them.
func TestToldErrors(t *testing.T) {
	samTools(t)
	lines := map[string]float64{
		`{"message":"request","route":"direct","status":400}`:      1,
		`{"message":"request","route":"direct list","status":502}`: 1,
		`{"message":"request","route":"direct","status":404}`:      0,
		`{"message":"request","route":"direct","status":200}`:      0,
		`{"message":"request","route":"unknown","status":400}`:     1,
		`{"message":"request","route":"unknown","status":500}`:     0,
		`{"message":"request","route":"/v1/items/*","status":500}`: 0,
		`{"type":"platform.report","record":{"status":"error"}}`:   0,
	}
	for _, template := range templates {
		s := deploy(t, template, openStack)
		for line, want := range lines {
			c := cloudWatch{}
			c.filter(s, "LogGroup", 1, []string{line})
			got := c[metricKey("voxkv/voxkv", "DirectErrors", nil)][1]
			if !slices.Equal(got, []float64{want}) {
				t.Errorf("%s: %s counts %v; want %v", template, line, got, want)
			}
		}
	}
}

// A kit is what all situations share.
type kit struct {
	bootstrap string
	account   *voximplanttest.ServiceAccount
}

func newKit(t *testing.T) kit {
	t.Helper()
	bootstrap, err := e2etest.Build(t.Context(), t.TempDir(), "voxkv/cmd/lambda")
	account, err2 := voximplanttest.NewServiceAccount(e2etest.AccountID)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return kit{bootstrap, account}
}

// TestAlarmsRing plays every failure on every way in, one request a minute, at
// the strictest log level there is, and tells when which alarm rings.
func TestAlarmsRing(t *testing.T) {
	samTools(t)
	kit := newKit(t)
	rings := make([][]rung, len(failures))
	for i := range failures {
		rings[i] = make([]rung, len(ways))
	}
	t.Run("play", func(t *testing.T) {
		for column, w := range ways {
			stacks := map[bool]*stack{}
			for _, slow := range []bool{false, true} {
				stacks[slow] = deploy(t, w.template, strictest(t, w, slow))
			}
			for row, f := range failures {
				t.Run(w.name+"/"+f.name, func(t *testing.T) {
					t.Parallel()
					s := *stacks[f.slow]
					s.t = t
					rings[row][column] = ringing(t, &s, learn(&s, w, f, record(t, &s, w, f, kit)))
				})
			}
		}
	})
	if !t.Failed() {
		checkRings(t, rings)
		checkTable(t, "alarms", table(rings))
	}
}

// strictest are the way's parameters with the highest log level that is offered,
// or with an alarm that takes any answer for slow.
func strictest(t *testing.T, w way, slow bool) map[string]string {
	parameters := merged(w.parameters, map[string]string{"AlarmTopicArn": topic, "AWS::Region": "us-east-1"}) // where CloudFront's metrics are
	if slow {
		parameters["SlowAnswerMs"] = "10"
		return parameters
	}
	if level := object(object(source(t, w.template)["Parameters"])["LogLevel"]); level != nil {
		levels := words(level["AllowedValues"])
		parameters["LogLevel"] = levels[len(levels)-1]
	}
	return parameters
}

// A rung is which alarms rang, and after how many minutes: those that tell
// somebody, and those that take a deployment back.
type rung struct{ told, back map[string]int }

func ringing(t *testing.T, s *stack, c cloudWatch) rung {
	r := rung{map[string]int{}, map[string]int{}}
	ofDeployment := deploymentAlarms(s)
	for id, alarm := range s.resources("AWS::CloudWatch::Alarm") {
		minute := c.minutesToAlarm(t, alarm, minutes)
		if minute > 0 && alarm["AlarmActions"] != nil {
			r.told[strings.TrimSuffix(id, "Alarm")] = minute
		}
		if minute > 0 && slices.Contains(ofDeployment, id) {
			r.back[id] = minute
		}
	}
	return r
}

func deploymentAlarms(s *stack) (names []string) {
	for _, group := range s.resources("AWS::CodeDeploy::DeploymentGroup") {
		for _, alarm := range object(group["AlarmConfiguration"])["Alarms"].([]any) {
			names = append(names, object(alarm)["Name"].(string))
		}
	}
	return names
}

// possible reports whether a failure can be on a way: CloudFront and direct
// invocation have no throttling of their own.
func possible(w way, f failure) bool { return f.throttle != "gateway" || w.accessFormat != "" }

func checkRings(t *testing.T, rings [][]rung) {
	t.Helper()
	for row, f := range failures {
		for column, w := range ways {
			rang := rings[row][column]
			switch {
			case f.quiet && len(rang.told) > 0:
				t.Errorf("%s: %s, and %v", w.name, f.name, rang.told)
			case !f.quiet && possible(w, f) && len(rang.told) == 0:
				t.Errorf("%s: %s, and no alarm rings", w.name, f.name)
			case strings.HasPrefix(f.name, "Voximplant refuses") && rang.told["RefusedByVoximplant"] != 1:
				t.Errorf("%s: %s, and nobody is told at once: %v", w.name, f.name, rang.told)
			case f.upstream && len(rang.back) > 0:
				t.Errorf("%s: %s, which would take every release back: %v", w.name, f.name, rang.back)
			case !f.upstream && f.throttle == "" && w.template == "template.yaml" && len(rang.back) == 0:
				t.Errorf("%s: %s, and a release that brings it about stays", w.name, f.name)
			}
		}
	}
}

// table is what docs/operations.md tells.
func table(rings [][]rung) string {
	var b strings.Builder
	b.WriteString("| what fails |")
	for _, w := range ways {
		b.WriteString(" " + w.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(ways)) + "\n")
	for row, f := range failures {
		if f.quiet {
			continue
		}
		b.WriteString("| " + f.name + " |")
		for column, w := range ways {
			b.WriteString(" " + cell(possible(w, f), rings[row][column].told) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func cell(possible bool, rang map[string]int) string {
	if !possible {
		return "cannot"
	}
	var alarms []string
	for alarm, minute := range rang {
		alarms = append(alarms, fmt.Sprintf("%d: %s", minute, alarm))
	}
	slices.Sort(alarms)
	return strings.Join(alarms, "<br>")
}
