package requestlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/allowlist"
	"voxkv/auth"
	"voxkv/direct"
	"voxkv/handler"
	"voxkv/internal/lookuptest"
	"voxkv/internal/requestlog"
	"voxkv/internal/requestlogtest"
	"voxkv/internal/voximplanttest"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// begun is when a test in a bubble of synctest begins.
var begun = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// outcome has an answer, a failure or a panic for each key.
func outcome(ctx context.Context, key string) (lookup.Answer, error) {
	a, err := lookuptest.Living(time.Hour, 0)(ctx, key)
	asked := func(from lookup.Source, took time.Duration) {
		time.Sleep(took)
		a.Source, a.UpstreamTime = from, took
		if from == lookup.FromNowhere {
			a.Item, a.Left = nil, 0
		}
	}
	failed := &voximplant.Error{Kind: voximplant.KindThrottled, Code: 340, Status: 200}
	switch key {
	case "miss":
		asked(lookup.FromUpstream, 80*time.Millisecond)
	case "slow":
		asked(lookup.FromUpstream, 1500*time.Microsecond)
	case "absent":
		asked(lookup.FromUpstream, 20*time.Millisecond)
		a.Item, a.Left, err = nil, 0, voximplant.ErrNotFound
	case "forbidden":
		a, err = lookup.Answer{At: lookuptest.At(), Source: lookup.FromScope}, voximplant.ErrNotFound
	case "claimless":
		a, err = lookup.Answer{At: lookuptest.At(), Source: lookup.FromScope, Rule: allowlist.Decision{Private: true, ClaimUnusable: true}}, voximplant.ErrNotFound
	case "stale":
		asked(lookup.FromStaleCache, 30*time.Millisecond)
		a.UpstreamErr = &voximplant.Error{Kind: voximplant.KindUnavailable, Status: 503}
	case "busy":
		asked(lookup.FromNowhere, 10*time.Millisecond)
		err = failed
	case "refused":
		asked(lookup.FromNowhere, 40*time.Millisecond)
		err = fmt.Errorf("lookup: %w", &voximplant.Error{Kind: voximplant.KindCredentials, Code: 433, Status: 200})
	case "late":
		asked(lookup.FromNowhere, 5*time.Second)
		err = context.DeadlineExceeded
	case "bug":
		asked(lookup.FromNowhere, 0)
		err = errors.New("a bug, told in words")
	case "panic":
		panic("a token in a panic")
	case "ahead":
		a.Skew = 6 * time.Second
	case "behind":
		a.Skew = -2 * time.Hour
	case "longlived":
		a.Left = 92 * 24 * time.Hour
	case "ordinary":
		a.Skew, a.Left = 5*time.Second, 91*24*time.Hour
	}
	return a, err
}

// TestLines is what each kind of request leaves in the log: every member of the
// line. Beside want stand time, message, request id and, but for a second
// request, the cold start.
// It is B3-16, B3-19 and E5-22 of docs/http-statements.md.
func TestLines(t *testing.T) {
	t.Parallel()
	const (
		trace  = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
		parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	)
	for _, row := range []struct {
		request string // a method and a target, or a payload
		change  func(*site)
		want    string // members of the line
		metrics string // in their order; "" for a site without
	}{
		// One key over HTTP.
		{request: "GET /v1/items/hit", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":200,"ms":0,"key":"# hit","cache":"hit"`,
			metrics: "Requests Status2xx ColdStarts CacheHits"},
		{request: "HEAD /v1/parsed/miss", want: `"level":"INFO","method":"HEAD","route":"/v1/parsed/{key}","status":200,"ms":80,"key":"# miss","cache":"miss","upstream_ms":80`,
			metrics: "Requests Status2xx ColdStarts CacheMisses UpstreamTime=80"},
		{request: "GET /v1/items?key=slow", want: `"level":"INFO","method":"GET","route":"/v1/items","status":200,"ms":1.5,"key":"# slow","cache":"miss","upstream_ms":1.5`,
			metrics: "Requests Status2xx ColdStarts CacheMisses UpstreamTime=1.5"},
		{request: "GET /v1/items/hit If-None-Match", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":304,"ms":0,"key":"# hit","cache":"hit"`,
			metrics: "Requests Status3xx ColdStarts CacheHits"},
		{request: "GET /v1/items/absent", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":404,"ms":20,"code":"not_found","key":"# absent","cache":"miss","upstream_ms":20`,
			metrics: "Requests Status4xx ColdStarts CacheMisses UpstreamTime=20"},
		{request: "GET /v1/items/forbidden", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":404,"ms":0,"code":"not_found","key":"# forbidden","cache":"scope"`,
			metrics: "Requests Status4xx ColdStarts"},
		{request: "GET /v1/items/claimless", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":404,"ms":0,"code":"not_found","key":"# claimless","cache":"scope","claim_unusable":1`,
			metrics: "Requests Status4xx ColdStarts ClaimsUnusable"},
		{request: "GET /v1/items?key=claimless&key=hit&key=claimless", want: `"level":"INFO","method":"GET","route":"/v1/items","status":200,"ms":0,"claim_unusable":2,"keys":3,"failed":0`,
			metrics: "Requests Status2xx ColdStarts CacheHits ClaimsUnusable=2"},
		{request: "GET /v1/items/stale", want: `"level":"WARN","method":"GET","route":"/v1/items/{key}","status":200,"ms":30,"key":"# stale","cache":"stale","upstream_ms":30,
			"upstream_kind":"unavailable","upstream_code":0,"error":"voximplant: unavailable, HTTP status 503"`,
			metrics: "Requests Status2xx ColdStarts CacheStale UpstreamTime=30 UpstreamErrors UpstreamErrorsUnavailable"},
		{request: "GET /v1/items/busy", want: `"level":"WARN","method":"GET","route":"/v1/items/{key}","status":503,"ms":10,"code":"upstream_busy","key":"# busy","cache":"none",
			"upstream_ms":10,"upstream_kind":"throttled","upstream_code":340,"error":"voximplant: throttled, code 340, HTTP status 200"`,
			metrics: "Requests Status5xx ColdStarts UpstreamTime=10 UpstreamErrors UpstreamErrorsThrottled"},
		{request: "GET /v1/items/refused", want: `"level":"ERROR","method":"GET","route":"/v1/items/{key}","status":502,"ms":40,"code":"upstream_failure","key":"# refused","cache":"none",
			"upstream_ms":40,"upstream_kind":"credentials","upstream_code":433,"error":"lookup: voximplant: credentials, code 433, HTTP status 200"`,
			metrics: "Requests Status5xx ColdStarts UpstreamTime=40 UpstreamErrors UpstreamErrorsCredentials"},
		{request: "GET /v1/items/late", want: `"level":"WARN","method":"GET","route":"/v1/items/{key}","status":504,"ms":5000,"code":"upstream_timeout","key":"# late","cache":"none",
			"upstream_ms":5000,"error":"context deadline exceeded"`,
			metrics: "Requests Status5xx ColdStarts UpstreamTime=5000"},
		{request: "GET /v1/items/bug", want: `"level":"ERROR","method":"GET","route":"/v1/items/{key}","status":500,"ms":0,"code":"internal_error","key":"# bug","cache":"none",
			"error":"a bug, told in words"`,
			metrics: "Requests Status5xx ColdStarts"},
		{request: "GET /v1/items/panic", want: `"level":"ERROR","method":"GET","route":"/v1/items/{key}","status":500,"ms":0,"code":"internal_error","key":"# panic",
			"error":"panic: a value of type string","stack":"STACK"`,
			metrics: "Requests Status5xx ColdStarts"},
		{request: "GET /v1/items/ahead", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":200,"ms":0,"key":"# ahead","cache":"hit","api_clock_ahead_s":6`},
		{request: "GET /v1/items/behind", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":200,"ms":0,"key":"# behind","cache":"hit","api_clock_ahead_s":-7200`},
		{request: "GET /v1/items/longlived", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":200,"ms":0,"key":"# longlived","cache":"hit","expires_in_s":7948800`},
		{request: "GET /v1/items/ordinary", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":200,"ms":0,"key":"# ordinary","cache":"hit"`},

		// What is no request for a key.
		{request: "GET /v1/items/a%20b", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":400,"ms":0,"code":"invalid_key"`,
			metrics: "Requests Status4xx ColdStarts"},
		{request: "GET /favicon.ico", want: `"level":"INFO","method":"GET","status":404,"ms":0,"code":"no_route"`},
		{request: "OPTIONS /v1/items/hit", want: `"level":"INFO","method":"OPTIONS","route":"/v1/items/{key}","status":204,"ms":0`,
			metrics: "Requests Status2xx ColdStarts"},
		{request: "GET /v1/health", want: `"level":"INFO","method":"GET","route":"/v1/health","status":200,"ms":0`},

		// Several keys over HTTP: the worst decides the level, the slowest the time.
		{request: "GET /v1/items?key=hit&key=miss&key=slow&key=absent", want: `"level":"INFO","method":"GET","route":"/v1/items","status":200,"ms":80,"keys":4,"failed":0`,
			metrics: "Requests Status2xx ColdStarts CacheHits CacheMisses=3 UpstreamTime=80"},
		{request: "GET /v1/items?key=hit&key=bad%25", want: `"level":"INFO","method":"GET","route":"/v1/items","status":200,"ms":0,"keys":2,"failed":0`,
			metrics: "Requests Status2xx ColdStarts CacheHits"},
		{request: "GET /v1/items?key=hit&key=stale", want: `"level":"WARN","method":"GET","route":"/v1/items","status":200,"ms":30,"keys":2,"failed":0,
			"upstream_kind":"unavailable","upstream_code":0,"error":"voximplant: unavailable, HTTP status 503"`,
			metrics: "Requests Status2xx ColdStarts CacheHits CacheStale UpstreamTime=30 UpstreamErrors UpstreamErrorsUnavailable"},
		{request: "GET /v1/items?key=panic&key=busy&key=forbidden&key=bad%25&key=hit", want: `"level":"ERROR","method":"GET","route":"/v1/items","status":200,"ms":10,"keys":5,"failed":2,
			"upstream_kind":"throttled","upstream_code":340,"error":"voximplant: throttled, code 340, HTTP status 200"`,
			metrics: "Requests Status2xx ColdStarts CacheHits UpstreamTime=10 UpstreamErrors UpstreamErrorsThrottled"},
		{request: "GET /v1/items?key=hit&key=panic", want: `"level":"ERROR","method":"GET","route":"/v1/items","status":200,"ms":0,"keys":2,"failed":1,
			"error":"panic: a value of type string","stack":"STACK"`},

		// Direct invocation: one key, several, a list of requests.
		{request: `{"key":"miss"}`, want: `"level":"INFO","route":"direct","status":200,"ms":80,"key":"# miss","cache":"miss","upstream_ms":80`,
			metrics: "Requests Status2xx ColdStarts CacheMisses UpstreamTime=80"},
		{request: `{"key":"absent"}`, want: `"level":"INFO","route":"direct","status":404,"ms":20,"code":"not_found","key":"# absent","cache":"miss","upstream_ms":20`},
		{request: `{"key":"panic"}`, want: `"level":"ERROR","route":"direct","status":500,"ms":0,"code":"internal_error","key":"# panic",
			"error":"panic: a value of type string","stack":"STACK"`},
		{request: `{"key":"a b"}`, want: `"level":"WARN","route":"direct","status":400,"ms":0,"code":"invalid_key"`},
		{request: `{"key":"` + strings.Repeat("a", 1<<20) + `"}`, want: `"level":"WARN","route":"direct","status":400,"ms":0,"code":"payload_too_large"`},
		{request: `{"keys":["hit","slow","absent","busy","a b"]}`, want: `"level":"WARN","route":"direct","status":200,"ms":20,"keys":5,"failed":1,
			"upstream_kind":"throttled","upstream_code":340,"error":"voximplant: throttled, code 340, HTTP status 200"`,
			metrics: "Requests Status2xx ColdStarts CacheHits CacheMisses=2 UpstreamTime=20 UpstreamErrors UpstreamErrorsThrottled"},
		{request: `[{"key":"hit"},{"key":"absent"}]`, want: `"level":"INFO","route":"direct","status":200,"ms":20,"keys":2,"failed":0`,
			metrics: "Requests Status2xx ColdStarts CacheHits CacheMisses UpstreamTime=20"},
		{request: `[{"key":"hit"},{"key":"busy"}]`, want: `"level":"WARN","route":"direct","status":503,"ms":10,"code":"upstream_busy","keys":2,"failed":1,
			"upstream_kind":"throttled","upstream_code":340,"error":"voximplant: throttled, code 340, HTTP status 200"`,
			metrics: "Requests Status5xx ColdStarts CacheHits UpstreamTime=10 UpstreamErrors UpstreamErrorsThrottled"},
		{request: `[{"key":"stale"},{"key":"busy"}]`, want: `"level":"WARN","route":"direct","status":503,"ms":30,"code":"upstream_busy","keys":2,"failed":1,
			"upstream_kind":"unavailable","upstream_code":0,"error":"voximplant: unavailable, HTTP status 503"`},

		// Operations have no cache.
		{request: `{"operation":"set","key":"order:1","value":"` + lookuptest.Value + `","ttl":60}`, want: `"level":"INFO","route":"direct set","status":200,"ms":0,"key":"# order:1"`,
			metrics: "Requests Status2xx ColdStarts"},
		{request: `{"operation":"delete","key":"order:1"}`, want: `"level":"INFO","route":"direct delete","status":200,"ms":0,"key":"# order:1"`},
		{request: `{"operation":"list","prefix":"order:"}`, want: `"level":"INFO","route":"direct list","status":200,"ms":0`},
		{request: `{"operation":"set","key":"order 1","value":"v","ttl":1}`, want: `"level":"WARN","route":"direct set","status":400,"ms":0,"code":"invalid_key"`},
		{request: `{"operation":"set","key":"secret:1","value":"v","ttl":1}`, want: `"level":"WARN","route":"direct set","status":400,"ms":0,"code":"out_of_scope","key":"# secret:1"`},
		{request: `{"operation":"list","prefix":"secret:"}`, want: `"level":"WARN","route":"direct list","status":400,"ms":0,"code":"out_of_scope"`},
		{request: `{"operation":"order:1"}`, want: `"level":"WARN","route":"direct","status":400,"ms":0,"code":"unknown_operation"`},
		{request: `{"operation":"delete","key":"order:1"}`, change: func(s *site) { s.direct.Items.Writable = false },
			want: `"level":"WARN","route":"direct delete","status":400,"ms":0,"code":"writes_off","key":"# order:1"`},
		{request: `{"operation":"delete","key":"order:1"}`, change: func(s *site) {
			s.api.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				fmt.Fprint(w, `{"error":{"code":104,"msg":"no rights"}}`)
				return true
			})
		}, want: `"level":"ERROR","route":"direct delete","status":502,"ms":0,"code":"upstream_failure","key":"# order:1",
			"upstream_kind":"credentials","upstream_code":104,"error":"voximplant: DelKeyValueItem: credentials, code 104, HTTP status 200"`,
			metrics: "Requests Status5xx ColdStarts UpstreamErrors UpstreamErrorsCredentials"},

		// What comes beside a request.
		{request: "GET /v1/items/hit Traceparent", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":200,"ms":0,"key":"# hit","cache":"hit","traceparent":"` + parent + `"`},
		{request: "GET /v1/items/hit X-Ray", want: `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":200,"ms":0,"key":"# hit","cache":"hit",
			"trace_id":"` + trace + `","traceparent":"00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"`},
		{request: "GET /v1/items/hit", change: func(s *site) { s.direct.Invoke(context.Background(), []byte("{}")); s.lines.Reset() },
			want:    `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":200,"ms":0,"key":"# hit","cache":"hit","cold_start":false`,
			metrics: "Requests Status2xx CacheHits"},
		{request: "GET /v1/items/hit", change: func(s *site) { s.log.TokenCounts = func() (int64, int64) { return 2, 1 } },
			want:    `"level":"INFO","method":"GET","route":"/v1/items/{key}","status":200,"ms":0,"key":"# hit","cache":"hit"`,
			metrics: "Requests Status2xx ColdStarts CacheHits TokensSigned=2 SecretsRead"},
	} {
		t.Run(row.request[:min(len(row.request), 60)], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.log.Metrics = row.metrics != ""
				if row.change != nil {
					row.change(s)
				}
				ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "the-request"})
				if strings.HasSuffix(row.request, " X-Ray") {
					ctx = context.WithValue(ctx, "x-amzn-trace-id", trace) //nolint:staticcheck // aws-lambda-go's own key
				}
				s.send(t, ctx, row.request, parent)
				checkLine(t, s.lines.String(), row.want, row.metrics)
			})
		})
	}
}

var account = sync.OnceValue(func() *voximplanttest.ServiceAccount {
	account, err := voximplanttest.NewServiceAccount(1234567)
	if err != nil {
		panic(err)
	}
	return account
})

// A site is both ways in, with one log, and an API behind the operations.
type site struct {
	http   *handler.Handler
	direct *direct.Handler
	log    *requestlog.Log
	lines  *requestlogtest.Lines
	api    *voximplanttest.Server
}

// newSite finds what outcome says, and has an API that answers at once.
func newSite(t *testing.T) *site {
	t.Helper()
	scope, err := allowlist.Parse("order:*")
	if err != nil {
		t.Fatal(err)
	}
	log, lines := requestlogtest.New()
	log.HashKey = func(key string) string { return "# " + key }
	s := &site{log: log, lines: lines, api: &voximplanttest.Server{AccountID: 1234567, ApplicationID: 42}}
	s.api.AddKey(account().KeyID, &account().PrivateKey.PublicKey)
	client := &voximplant.Client{
		ApplicationID: 42, Transport: inProcess{s.api},
		Tokens: &auth.TokenSource{Key: func(context.Context) (*auth.ServiceAccountKey, error) {
			return auth.ParseServiceAccountKey(account().Credentials())
		}},
	}
	s.http = &handler.Handler{Lookup: outcome, MaxAge: time.Minute, NotFoundMaxAge: 5 * time.Second, Origins: []string{"*"}, Log: log}
	s.direct = &direct.Handler{Lookup: outcome, MaxAge: time.Minute, Log: log, Items: &direct.Items{
		Client: client, Scope: scope, Forget: func(string) {}, Writable: true, Timeout: 10 * time.Second,
	}}
	return s
}

// inProcess is a transport to a server that shares the caller's clock.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// send makes the request of a row: a method, a target and the name of a header
// if there is one, or the payload of a direct invocation.
func (s *site) send(t *testing.T, ctx context.Context, request, parent string) {
	t.Helper()
	if strings.ContainsAny(request[:1], "{[") {
		s.direct.Invoke(ctx, []byte(request))
		return
	}
	words := append(strings.Fields(request), "")
	r := httptest.NewRequestWithContext(ctx, words[0], words[1], nil)
	switch words[2] {
	case "If-None-Match":
		r.Header.Set("If-None-Match", "*")
	case "Traceparent":
		r.Header.Set("Traceparent", parent)
	}
	s.http.ServeHTTP(httptest.NewRecorder(), r)
}

// checkLine compares the only line of log, all of it, with what a row wants.
func checkLine(t *testing.T, log, want, metrics string) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(log), &got); err != nil { // also where there are two lines
		t.Fatalf("log = %s: %v; want one line of JSON", log, err)
	}
	wanted := map[string]any{"msg": "request", "request_id": "the-request", "cold_start": true}
	if err := json.Unmarshal([]byte("{"+want+"}"), &wanted); err != nil {
		t.Fatal(err)
	}
	// A bubble's clock stands still but for what is waited for.
	wanted["time"] = begun.Add(time.Duration(wanted["ms"].(float64) * float64(time.Millisecond))).Format(time.RFC3339Nano)
	if stack, _ := got["stack"].(string); strings.Contains(stack, "line_test.go") {
		got["stack"] = "STACK" // it leads to the panic
	}
	addMetrics(t, wanted, metrics)
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("line = %v\nwant   %v", got, wanted)
	}
}

// addMetrics adds to a line what CloudWatch reads: the directive, and the
// members that it names.
func addMetrics(t *testing.T, line map[string]any, metrics string) {
	t.Helper()
	if metrics == "" {
		return
	}
	var definitions []any
	for metric := range strings.FieldsSeq(metrics) {
		name, text, given := strings.Cut(metric, "=")
		if !given {
			text = "1"
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		unit := "Count"
		if name == "UpstreamTime" {
			unit = "Milliseconds"
		}
		line[name] = value
		definitions = append(definitions, map[string]any{"Name": name, "Unit": unit})
	}
	line["FunctionName"] = "local"
	line["_aws"] = map[string]any{
		"Timestamp": float64(begun.UnixMilli()),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": "voxkv", "Dimensions": []any{[]any{"FunctionName"}}, "Metrics": definitions,
		}},
	}
}

// TestRequestIDOutsideLambda: each request has one of its own, which its caller gets too.
func TestRequestIDOutsideLambda(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ids := map[any]bool{}
	for range 3 {
		w := httptest.NewRecorder()
		s.http.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/items/hit", nil))
		id := s.lines.Last(t)["request_id"]
		if got := w.Header().Get("X-Request-Id"); id != got || ids[id] || id == "" {
			t.Errorf("request_id = %v, X-Request-Id %q; want one that is new", id, got)
		}
		ids[id] = true
	}
}
