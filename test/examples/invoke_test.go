package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"voxkv/test/tools"
)

const invokeDir = "../../examples/invoke"

func TestInvokeFromGo(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "caller")
	goInModule(t, invokeDir+"/go", "build", "-o", binary, ".")
	testCaller(t, tools.Program{Command: []string{binary}})
}

// TestInvokeFromNode compiles with the strictest rules, as the file is copied into projects that have them. Node 22.18 and
// later run a file without enums and the like as it is.
func TestInvokeFromNode(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	dir := tools.NPM(t, invokeDir+"/voxkv.ts", "package.json")
	tools.Program{Dir: dir, Command: []string{"node", "node_modules/typescript/bin/tsc", "--strict", "--noUncheckedIndexedAccess",
		"--exactOptionalPropertyTypes", "--erasableSyntaxOnly", "--verbatimModuleSyntax", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "voxkv.ts"}}.Output(t)
	testCaller(t, tools.Program{Dir: dir, Environ: []string{"NODE_NO_WARNINGS=1"}, Command: []string{"node", "voxkv.js"}})
}

func TestInvokeFromPython(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	python := tools.Python(t, "requirements.txt")
	tools.Program{Dir: invokeDir, Command: []string{python, "-m", "mypy", "--strict", "--ignore-missing-imports", "--cache-dir", os.DevNull, "voxkv.py"}}.Output(t)
	testCaller(t, tools.Program{Dir: invokeDir, Environ: []string{"PYTHONDONTWRITEBYTECODE=1"}, Command: []string{python, "voxkv.py"}})
}

// testCaller holds that all callers do the same.
func testCaller(t *testing.T, p tools.Program) {
	const (
		unexpected = "UnexpectedAnswer: "
		absent     = "ResourceNotFoundException"
		item       = `{"key":"order:1001","value":"value of order:1001","expires_at":T,"max_age":N}`
	)
	api := newLambdaAPI(t, newStorage(t))
	root := tools.Serve(t, api)
	tests := []struct {
		function, args string
		stdout         string
		stderr         string // is in it
		code           int
		invoked        int64
	}{
		{functionName, "get order:1001", item, "", 0, 1},
		{functionName + ":live", "get order:1001", item, "", 0, 1},
		{"arn:aws:lambda:eu-central-1:123456789012:function:voxkv:live", "get order:1001", item, "", 0, 1},
		{functionName, "get ключЁё", `{"key":"ключЁё","value":"value of ключЁё","expires_at":T,"max_age":N}`, "", 0, 1},
		{functionName, "get .", `{"key":".","value":"value of .","expires_at":T,"max_age":N}`, "", 0, 1},
		{functionName, "get constructor", "null", "", 0, 1},
		{functionName, "get fails:busy", "", "UpstreamBusy: The storage is busy.", 75, 1},
		{functionName, "get fails:unavailable", "", "UpstreamUnavailable: The storage cannot be reached.", 75, 1},
		{functionName, "get fails:timeout", "", "UpstreamTimeout: The storage did not answer in time.", 75, 1},
		{functionName, "get fails:failure", "", "UpstreamFailure: The storage gave no usable answer.", 1, 1},
		{functionName, "get a/b", "", "InvalidRequest: Not a key", 1, 1},
		{functionName, "many order:1001 constructor fails:busy a/b",
			`{"order:1001":` + item + `,"constructor":null,"fails:busy":"UpstreamBusy","a/b":"InvalidRequest"}`, "", 0, 1},
		{functionName, "many" + strings.Repeat(" order:1001", 51), "", "InvalidRequest: ", 1, 1},

		{functionName, "set call:1 ringing 3600", `{"key":"call:1","value":"ringing","expires_at":T}`, "", 0, 1},
		{functionName, "list call:", `{"items":[{"key":"call:1","value":"ringing","expires_at":T}],"next_offset":null}`, "", 0, 1},
		{functionName, "list", "", "accepted: get KEY", 1, 0},
		{functionName, "delete call:1", "null", "", 0, 1},
		{functionName, "delete call:1", "null", "", 0, 1},
		{functionName, "list call:", `{"items":[],"next_offset":null}`, "", 0, 1},
		{functionName, "set call:1 ringing -1", "", "InvalidRequest: ", 1, 1},

		{"", "get order:1001", "", "VOXKV_FUNCTION is not set; accepted: the name or the ARN of the voxkv function", 1, 0},
		{"nobody", "get order:1001", "", absent, 1, 1},
		{functionName + ":green", "set order:1001 v 60", "", absent, 1, 1},
		{"killed", "get order:1001", "", "Unknown: 2026-11-23T15:33:58Z 8f5c3a52 Task timed out", 1, 1},
		{"another", "get order:1001", "", unexpected, 1, 1},
		{"another", "many order:1001", "", unexpected, 1, 1},
		{"another", "list order:", "", unexpected, 1, 1},
		{"another", "set order:1001 v 60", "", unexpected, 1, 1},
		{"another", "delete order:1001", "", unexpected, 1, 1},
		{"empty", "get order:1001", "", unexpected, 1, 1},

		{"throttled", "get order:1001", "", "TooManyRequestsException", 1, 3},
		{"throttled", "set order:1001 v 60", "", "TooManyRequestsException", 1, 1},
		{"breaks", "list order:", "", " ", 1, 3},
		{"breaks", "set order:1001 v 60", "", " ", 1, 1},
		{"breaks", "delete order:1001", "", " ", 1, 1},
		{"hangs", "set order:1001 v 60", "", " ", 1, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %.60s", tt.function, tt.args), func(t *testing.T) {
			api.invoked.Store(0)
			stdout, stderr, code := with(p, awsEnvironment(root, tt.function), strings.Fields(tt.args)...).Run(t)
			if code != tt.code || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
				t.Errorf("exit code %d, standard error %q; want %d and %q", code, stderr, tt.code, tt.stderr)
			}
			if !alike(t, stdout, tt.stdout) {
				t.Errorf("printed %s; want %s", stdout, tt.stdout)
			}
			if n := api.invoked.Load(); n != tt.invoked {
				t.Errorf("%d invocations; want %d", n, tt.invoked)
			}
		})
	}
	testClaims(t, api, root, p)
}

// testClaims: a user's claims are in every payload, those of a user without any too, and none in the others.
func testClaims(t *testing.T, api *lambdaAPI, root string, p tools.Program) {
	claiming := func(claims string) tools.Program {
		return with(p, append(awsEnvironment(root, functionName), "VOXKV_CLAIMS="+claims))
	}
	for _, args := range []string{"get order:1001", "many order:1001", "list order:", "set call:2 v 60", "delete call:2"} {
		for _, claims := range []string{"", "{}", `{"sub":"42","cognito:groups":["a"]}`} {
			_, stderr, code := with(claiming(claims), nil, strings.Fields(args)...).Run(t)
			if got := api.lastClaims(t); code != 0 || !tools.SameJSON(t, got, claims) {
				t.Errorf("%s with the claims %s: exit code %d, %s, sent %s", args, claims, code, stderr, got)
			}
		}
	}
	if stdout, stderr, code := with(claiming("["), nil, "get", "order:1001").Run(t); code != 1 || stdout != "" || stderr == "" {
		t.Errorf("with broken claims: exit code %d, %s%s", code, stdout, stderr)
	}
}

// alike reports whether two JSON texts, or two empty ones, say the same but for times. An item without max_age may have 0.
func alike(t *testing.T, got, want string) bool {
	t.Helper()
	got = regexp.MustCompile(`, ?"max_age": ?0\b`).ReplaceAllString(got, "")
	got = regexp.MustCompile(`"(max_age|expires_at)": ?\d+`).ReplaceAllString(got, `"$1":1`)
	return tools.SameJSON(t, got, strings.NewReplacer(`"expires_at":T`, `"expires_at":1`, `"max_age":N`, `"max_age":1`).Replace(want))
}

// awsEnvironment points any SDK at api, and at nothing else.
func awsEnvironment(api, function string) []string {
	return []string{
		"VOXKV_FUNCTION=" + function,
		"AWS_ENDPOINT_URL_LAMBDA=" + api,
		"AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1", // boto3 knows no other outside of Lambda
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY=stand-in",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"NO_PROXY=127.0.0.1,localhost",
	}
}
