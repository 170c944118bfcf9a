// Package template holds template.yaml to what the README and the function say: checked by
// AWS's own tools, deployed on paper, and built for real. It needs Python and, once, the
// Python package index, and so runs only when VOXKV_TEMPLATE is set.
package template

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"voxkv/test/tools"
)

const root = "../.."

// templates are all there are, from root.
var templates = []string{"template.yaml", "examples/rest-api/template.yaml"}

// samTools installs the tools where needed and returns the directory of their programs.
func samTools(t *testing.T) string {
	t.Helper()
	tools.Gate(t, "VOXKV_TEMPLATE")
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import venv, ensurepip").Run(); err != nil {
		t.Skip("SKIPPED, THE TEMPLATE IS NOT CHECKED: python3 with venv and pip is missing")
	}
	return strings.TrimSpace(output(t, nil, filepath.Join(root, "scripts/sam-tools")))
}

// output runs a program in root and returns its standard output.
func output(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &stdout, &stderr
	// The region keeps the tools from asking anybody; no credentials are there.
	cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION=eu-central-1", "SAM_CLI_TELEMETRY=0",
		"SAM_CLI_CHECK_FOR_UPDATES=0")
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}

func TestLint(t *testing.T) {
	bin := samTools(t)
	for _, template := range templates {
		t.Run(template, func(t *testing.T) {
			output(t, nil, filepath.Join(bin, "cfn-lint"), template)
			output(t, nil, filepath.Join(bin, "sam"), "validate", "--lint", "--template-file", template)
		})
	}
}

// source returns template as it is written.
func source(t *testing.T, template string) map[string]any {
	t.Helper()
	return decode[map[string]any](t, python(t, "transform.py", template))
}

// transformed returns the CloudFormation templates that AWS makes of template
// with each of the parameters.
func transformed(t *testing.T, template string, parameters []map[string]string) []map[string]any {
	t.Helper()
	given, err := json.Marshal(parameters)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "parameters.json")
	if err := os.WriteFile(file, given, 0o600); err != nil {
		t.Fatal(err)
	}
	return decode[[]map[string]any](t, python(t, "transform.py", template, file))
}

// python runs a script of this directory with the tools installed.
func python(t *testing.T, script string, args ...string) string {
	t.Helper()
	return output(t, nil, filepath.Join(samTools(t), "python"), append([]string{"test/template/" + script}, args...)...)
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
