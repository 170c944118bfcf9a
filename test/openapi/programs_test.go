package openapi

import (
	"path/filepath"
	"strings"
	"testing"

	"voxkv/test/tools"
)

func TestLint(t *testing.T) {
	tools.Gate(t, "VOXKV_OPENAPI")
	t.Parallel()
	redocly := filepath.Join(tools.NPM(t), "node_modules", ".bin", "redocly")
	// recommended-strict makes an error of every warning.
	tools.Program{Command: []string{redocly, "lint", "--config", "redocly.yaml", "../../openapi.yaml"}}.Output(t)
}

// TestRequestsMadeOfTheDocument has Schemathesis ask cmd/local everything that it makes of openapi.yaml: the examples,
// values at and beyond every bound, other methods, and random ones. All checks are on. Those of stateful testing and of
// authentication find nothing to do: there are no links between operations, and no credentials.
func TestRequestsMadeOfTheDocument(t *testing.T) {
	tools.Gate(t, "VOXKV_OPENAPI")
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
		command := append([]string{python, "-m", "schemathesis.cli", "run", document, "--url", url,
			"--checks", "all", "--phases", "examples,coverage,fuzzing",
			// The same requests each time: CI must not fail for what nobody has changed.
			"--generation-deterministic", "--max-examples", "200",
			"--continue-on-failure", "--request-timeout", "60", "--no-color"}, part.paths...)
		out := tools.Program{Dir: t.TempDir(), Command: command}.Output(t) // it leaves files where it runs
		if !strings.Contains(out, part.tested) {
			t.Errorf("schemathesis has not tested all operations, %s:\n%s", part.tested, out)
		}
	}
}
