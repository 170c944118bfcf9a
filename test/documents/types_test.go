package documents

import (
	"fmt"
	"os"
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
	text, err := os.ReadFile(root + "/openapi.yaml")
	if err == nil {
		err = yaml.Unmarshal(text, &document)
	}
	types, typesErr := os.ReadFile(root + "/examples/javascript/types.d.ts")
	if err != nil || typesErr != nil {
		t.Fatal(err, typesErr)
	}
	found := 0
	for _, part := range []string{"paths", "components"} {
		for where, said := range sayings(part, document[part]) {
			for line := range strings.Lines(said) {
				found++
				if line = strings.TrimSpace(line); !strings.Contains(string(types), line) {
					t.Errorf("%s: examples/javascript/types.d.ts does not have %q; run make types", where, line)
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("%d texts found in openapi.yaml; want 100 or more", found)
	}
}

// sayings returns what a type can show of a part of an OpenAPI document, by its place: descriptions, the elements of
// enums, and the names of paths, members and headers.
func sayings(place string, part any) map[string]string {
	said := map[string]string{}
	add := func(name string, value any) {
		for where, text := range sayings(place+"."+name, value) {
			said[where] = text
		}
	}
	switch part := part.(type) {
	case map[string]any:
		for name, value := range part {
			switch text, isText := value.(string); {
			case slices.Contains([]string{"example", "examples", "tags", "oneOf"}, name):
				continue // which the generator leaves out
			case isText && (name == "description" || name == "summary"):
				said[place+"."+name] = text
			case slices.Contains([]string{"paths", "properties", "headers"}, lastName(place)):
				said[place+"."+name] = name
			}
			add(name, value)
		}
	case []any:
		for i, value := range part {
			if lastName(place) == "enum" {
				said[fmt.Sprint(place, ".", i)] = fmt.Sprint(value)
			}
			add(fmt.Sprint(i), value)
		}
	}
	return said
}

func lastName(place string) string { return place[strings.LastIndex(place, ".")+1:] }
