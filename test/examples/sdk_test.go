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
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	root, _ := runLocal(t, nil)
	environ := awsEnvironment(root, "")
	check := func(t *testing.T, p tools.Program) {
		t.Helper()
		got, _, _ := strings.Cut(with(p, environ).Output(t), "\n")
		if !tools.SameJSON(t, got, wantOfSDKs) {
			t.Errorf("%s; want %s", got, wantOfSDKs)
		}
	}
	t.Run("boto3", func(t *testing.T) {
		t.Parallel()
		check(t, tools.Program{Command: []string{tools.Python(t, "requirements.txt"), "sdk.py"}})
	})
	t.Run("client-lambda", func(t *testing.T) {
		t.Parallel()
		check(t, tools.Program{Dir: tools.NPM(t, "sdk.mjs"), Environ: []string{"NODE_NO_WARNINGS=1"}, Command: []string{"node", "sdk.mjs"}})
	})
	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		binary := filepath.Join(t.TempDir(), "sdk.test")
		goInModule(t, invokeDir+"/go", "test", "-c", "-o", binary, ".")
		check(t, tools.Program{Command: []string{binary, "-test.run=^TestSDK$"}})
	})
}

// TestAWSCLI pastes the line that cmd/local prints. The CLI and boto3 are one library, of which TestSDKs asks for all else.
func TestAWSCLI(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	t.Parallel()
	python := tools.Python(t, "../../scripts/requirements.txt")
	root, line := runLocal(t, nil)
	environ := append(awsEnvironment(root, ""), "AWS_PAGER=", "PYTHONDONTWRITEBYTECODE=1", "PYTHON="+python)
	got := tools.Program{Environ: environ, Command: []string{"sh", "-c", `aws() { "$PYTHON" -m awscli "$@"; }; ` + line}}.Output(t)
	for _, want := range []string{`"key":"order:1001"`, `"StatusCode": 200`, `"ExecutedVersion": "$LATEST"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nprints %s\nwant %s", line, got, want)
		}
	}
}
