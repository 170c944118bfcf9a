package documents

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestTypesFollowTheDocument finds what openapi.yaml says and examples/javascript/types.d.ts, which is generated from it,
// does not. That the file is exactly what the generator makes is checked where npm is, by make test-examples.
func TestTypesFollowTheDocument(t *testing.T) {
	t.Parallel()
	var document map[string]any
	if err := yaml.Unmarshal([]byte(read(t, "openapi.yaml")), &document); err != nil {
		t.Fatal(err)
	}
	types := read(t, "examples/javascript/types.d.ts")
	found := 0
	for _, part := range []string{"paths", "components"} {
		for _, said := range sayings(part, document[part]) {
			for line := range strings.Lines(said) {
				found++
				if line = strings.TrimSpace(line); !strings.Contains(types, line) {
					t.Errorf("examples/javascript/types.d.ts does not have %q of openapi.yaml; run make types", line)
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("%d texts found in openapi.yaml; want 100 or more", found)
	}
}

// sayings returns what a type can show of the part of an OpenAPI document that is called name: descriptions, the elements of
// enums, and the names of paths, members and headers.
func sayings(name string, part any) (said []string) {
	switch part := part.(type) {
	case map[string]any:
		for member, value := range part {
			switch text, isText := value.(string); {
			case slices.Contains([]string{"example", "examples", "tags", "oneOf"}, member):
				continue // which the generator leaves out
			case isText && (member == "description" || member == "summary"):
				said = append(said, text)
			case slices.Contains([]string{"paths", "properties", "headers"}, name):
				said = append(said, member)
			}
			said = append(said, sayings(member, value)...)
		}
	case []any:
		for _, value := range part {
			if name == "enum" {
				said = append(said, fmt.Sprint(value))
			}
			said = append(said, sayings("", value)...)
		}
	}
	return said
}
