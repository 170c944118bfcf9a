package openapi

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"voxkv/test/tools"
)

// patience bounds one run of a program; they take 1 to 20 seconds.
const patience = 3 * time.Minute

func gated(t *testing.T) {
	t.Helper()
	if os.Getenv("VOXKV_OPENAPI") == "" {
		t.Skip("VOXKV_OPENAPI is not set")
	}
}

func TestLint(t *testing.T) {
	gated(t)
	t.Parallel()
	redocly := filepath.Join(tools.NPM(t), "node_modules", ".bin", "redocly")
	// recommended-strict makes an error of every warning.
	out, err := run(t, ".", redocly, "lint", "--config", "redocly.yaml", "../../openapi.yaml")
	if err != nil {
		t.Errorf("redocly lint: %v\n%s", err, out)
	}
}

// TestRequestsMadeOfTheDocument has Schemathesis ask cmd/local everything that it makes of openapi.yaml: the examples,
// values at and beyond every bound, other methods, and random ones. All checks are on. Those of stateful testing and of
// authentication find nothing to do: there are no links between operations, and no credentials.
func TestRequestsMadeOfTheDocument(t *testing.T) {
	gated(t)
	t.Parallel()
	python := tools.Python(t, "requirements.txt")
	document, err := filepath.Abs("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	url, _ := tools.StartLocal(t, tools.BuildLocal(t), []string{"RAW_VALUES=true"})
	for _, part := range []struct {
		paths  []string
		tested string
	}{
		{[]string{"--exclude-path", "/v1/items"}, "Tested: 15"},
		// In a query everything is a string, so a number that violates the schema arrives as a key that does not.
		{[]string{"--include-path", "/v1/items", "--exclude-checks", "negative_data_rejection"}, "Tested: 3"},
	} {
		args := append([]string{"-m", "schemathesis.cli", "run", document, "--url", url,
			"--checks", "all", "--phases", "examples,coverage,fuzzing",
			// The same requests each time: CI must not fail for what nobody has changed.
			"--generation-deterministic", "--max-examples", "200",
			"--continue-on-failure", "--request-timeout", "60", "--no-color"}, part.paths...)
		out, err := run(t, t.TempDir(), python, args...) // it leaves files where it runs
		if err != nil {
			t.Errorf("schemathesis: %v\n%s", err, out)
		}
		if !strings.Contains(string(out), part.tested) {
			t.Errorf("schemathesis has not tested all operations, %s:\n%s", part.tested, out)
		}
	}
}

// run runs program in dir and returns what it prints.
func run(t *testing.T, dir, program string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	return cmd.CombinedOutput()
}
