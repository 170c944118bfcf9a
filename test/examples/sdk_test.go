package examples

import (
	"path/filepath"
	"strings"
	"testing"

	"voxkv/test/tools"
)

// wantOfSDKs is what every SDK makes of cmd/local's Invoke.
const wantOfSDKs = `{
	"sync": "200 $LATEST null",
	"log": true,
	"event": "202 ",
	"dry": "204 ",
	"alias": "null",
	"failed": "200 Unhandled InvalidRequest",
	"nothing": "InvalidRequest",
	"absent": "ResourceNotFoundException 404",
	"large": "RequestTooLargeException 413",
	"largeEvent": "RequestTooLargeException 413",
	"garbage": "InvalidRequestContentException 400",
	"mismatch": "InvalidParameterValueException 400"
}`

func TestSDKs(t *testing.T) {
	gated(t)
	t.Parallel()
	root, _ := runLocal(t, nil)
	environ := awsEnvironment(root, "")
	check := func(t *testing.T, p program) {
		t.Helper()
		p.environ = append(environ, p.environ...)
		stdout, stderr, code := p.run(t)
		line, _, _ := strings.Cut(stdout, "\n")
		if code != 0 || !alike(t, line, wantOfSDKs) {
			t.Errorf("exit code %d, %s%s; want %s", code, stdout, stderr, wantOfSDKs)
		}
	}
	t.Run("boto3", func(t *testing.T) {
		t.Parallel()
		check(t, program{command: []string{tools.Python(t, "requirements.txt"), "sdk.py"}})
	})
	t.Run("client-lambda", func(t *testing.T) {
		t.Parallel()
		check(t, program{dir: tools.NPM(t, "sdk.mjs"), environ: []string{"NODE_NO_WARNINGS=1"}, command: []string{need(t, "node"), "sdk.mjs"}})
	})
	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		binary, err := filepath.Abs(filepath.Join(t.TempDir(), "sdk.test"))
		if err != nil {
			t.Fatal(err)
		}
		goInModule(t, "test", "-c", "-o", binary, ".")
		check(t, program{command: []string{binary, "-test.run=^TestSDK$"}})
	})
}

// TestAWSCLI pastes the line that cmd/local prints, and calls the other ways of invocation.
func TestAWSCLI(t *testing.T) {
	gated(t)
	t.Parallel()
	python := tools.Python(t, "../../scripts/requirements.txt")
	root, line := runLocal(t, nil)
	invoke := "aws lambda invoke --endpoint-url " + root + " --region us-east-1 --no-sign-request --function-name voxkv "
	tests := []struct {
		command string
		want    []string
		failed  bool
	}{
		{line, []string{`"key":"order:1001"`, `"StatusCode": 200`, `"ExecutedVersion": "$LATEST"`}, false},
		{invoke + "--invocation-type Event /dev/stdout", []string{`"StatusCode": 202`}, false},
		{invoke + "--invocation-type DryRun /dev/stdout", []string{`"StatusCode": 204`}, false},
		{invoke + "--log-type Tail --query LogResult --output text /dev/null | base64 -d", []string{`"route":"direct"`, `"code":"invalid_request"`}, false},
		{invoke + "--qualifier live /dev/stdout", []string{`"FunctionError": "Unhandled"`, `"errorType":"InvalidRequest"`}, false},
		{invoke + "--qualifier green /dev/stdout", []string{"(ResourceNotFoundException)", "Function not found: "}, true},
		{"head -c 7000000 /dev/zero | tr '\\0' 1 | " + invoke + "--payload fileb:///dev/stdin /dev/stdout", []string{"(RequestTooLargeException)"}, true},
	}
	for _, tt := range tests {
		environ := append(awsEnvironment(root, ""), "AWS_PAGER=", "PYTHONDONTWRITEBYTECODE=1", "PYTHON="+python)
		stdout, stderr, code := program{environ: environ, command: []string{need(t, "sh"), "-c", `aws() { "$PYTHON" -m awscli "$@"; }; ` + tt.command}}.run(t)
		for _, want := range tt.want {
			if (code != 0) != tt.failed || !strings.Contains(stdout+stderr, want) {
				t.Errorf("%s: exit code %d\n%s%s\nwant %s", tt.command, code, stdout, stderr, want)
			}
		}
	}
}
