package examples

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"voxkv/test/tools"
)

var update = flag.Bool("update", false, "write examples/javascript/types.d.ts anew")

const types = "../../examples/javascript/types.d.ts"

// TestTypes holds types.d.ts to openapi.yaml, and to how it is used.
func TestTypes(t *testing.T) {
	tools.Gate(t, "VOXKV_EXAMPLES")
	dir := tools.NPM(t, "../../openapi.yaml", "usage.mts")
	generated := filepath.Join(dir, "types.d.ts")
	tools.Program{Dir: dir, Command: []string{"node", "node_modules/openapi-typescript/bin/cli.js", "openapi.yaml", "--output", "types.d.ts", "--empty-objects-unknown"}}.Output(t)
	want, err := os.ReadFile(generated)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(types, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(types); err != nil || string(got) != string(want) {
		t.Errorf("%s is not what openapi.yaml gives (%v); write it anew with -update", types, err)
	}
	tools.Program{Dir: dir, Command: []string{"node", "node_modules/typescript/bin/tsc",
		"--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "usage.mts"}}.Output(t)
}
