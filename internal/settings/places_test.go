package settings_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"voxkv/internal/settings"
)

// root is the directory of the module.
const root = "../.."

// fields returns the fields of Settings by the variable that each is read from.
func fields() map[string]reflect.StructField {
	byVariable := map[string]reflect.StructField{}
	for field := range reflect.TypeFor[settings.Settings]().Fields() {
		byVariable[field.Tag.Get("env")] = field
	}
	return byVariable
}

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSettingsInTemplate: each setting is a variable of the function in
// template.yaml, which a parameter with the same default gives, and a line of the
// resource Settings, without which a change of the parameter would not reach callers.
func TestSettingsInTemplate(t *testing.T) {
	t.Parallel()
	template := readTemplate(t, "template.yaml")
	published := template.Resources.Settings.Properties.Content[0].Value
	for _, v := range settings.Variables() {
		value, ok := template.variables()[v.Name]
		if !ok {
			t.Errorf("%s: template.yaml does not set it in the Environment of VoxkvFunction", v.Name)
			continue
		}
		if !strings.Contains("\n"+published, "\n"+v.Name+"=${") {
			t.Errorf("%s: the resource Settings of template.yaml has no line %s=${…}", v.Name, v.Name)
		}
		if parameters := template.defaults(&value); v.Default != "" && !slices.Contains(slices.Collect(maps.Values(parameters)), v.Default) {
			t.Errorf("%s: in template.yaml it comes from parameters with the defaults %v; want one with %s, as the function has it", v.Name, parameters, v.Default)
		}
	}
}

// TestTemplatesKnowNoOtherSettings: a variable that the function does not read has
// no effect, whatever a template sets it to.
func TestTemplatesKnowNoOtherSettings(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"template.yaml", "examples/rest-api/template.yaml"} {
		variables := readTemplate(t, name).variables()
		if len(variables) < 5 {
			t.Errorf("%s: the function has the variables %v", name, slices.Collect(maps.Keys(variables)))
		}
		for variable := range variables {
			if _, ok := fields()[variable]; !ok && variable != "SSL_CERT_DIR" {
				t.Errorf("%s sets %s, which is not a setting of the function", name, variable)
			}
		}
	}
}

// TestEveryParameterIsGrouped: the console of CloudFormation shows a parameter
// without a group at the end, away from those that belong to it.
func TestEveryParameterIsGrouped(t *testing.T) {
	t.Parallel()
	template := readTemplate(t, "template.yaml")
	grouped := map[string]bool{}
	for _, group := range template.Metadata.Console.Groups {
		for _, parameter := range group.Parameters {
			grouped[parameter] = true
			if _, ok := template.Parameters[parameter]; !ok {
				t.Errorf("template.yaml: ParameterGroups has %s, which is not a parameter", parameter)
			}
		}
	}
	for parameter := range template.Parameters {
		if !grouped[parameter] {
			t.Errorf("template.yaml: ParameterGroups does not have the parameter %s", parameter)
		}
	}
}

// A template is what is read here of one of SAM.
type template struct {
	Metadata struct {
		Console struct {
			Groups []struct {
				Parameters []string `yaml:"Parameters"`
			} `yaml:"ParameterGroups"`
		} `yaml:"AWS::CloudFormation::Interface"`
	} `yaml:"Metadata"`
	Parameters map[string]struct {
		Default string `yaml:"Default"`
	} `yaml:"Parameters"`
	Resources struct {
		Function struct {
			Properties struct {
				Environment struct {
					Variables map[string]yaml.Node `yaml:"Variables"`
				} `yaml:"Environment"`
			} `yaml:"Properties"`
		} `yaml:"VoxkvFunction"`
		Settings struct {
			Properties struct {
				Content []yaml.Node `yaml:"Content"`
			} `yaml:"Properties"`
		} `yaml:"Settings"`
	} `yaml:"Resources"`
}

func readTemplate(t *testing.T, name string) (parsed template) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(file(t, name)), &parsed); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return parsed
}

// variables returns the values of the function's environment variables.
func (t template) variables() map[string]yaml.Node {
	return t.Resources.Function.Properties.Environment.Variables
}

// defaults returns the default of each parameter that value refers to.
func (t template) defaults(value *yaml.Node) map[string]string {
	found := map[string]string{}
	if parameter, ok := t.Parameters[value.Value]; ok && value.Tag == "!Ref" {
		found[value.Value] = parameter.Default
	}
	for _, part := range value.Content {
		maps.Copy(found, t.defaults(part))
	}
	return found
}

// TestSettingsInDocuments: the table of settings, wherever it stands, has a row
// for each, with its default.
func TestSettingsInDocuments(t *testing.T) {
	t.Parallel()
	rows := map[string][]string{}
	for _, name := range documents(t) {
		for _, line := range rowsUnder(file(t, name), "| variable | meaning | default |") {
			cells := strings.Split(strings.Trim(line, "|\n "), " | ")
			variable := strings.Trim(cells[0], "` ")
			if _, twice := rows[variable]; twice {
				t.Errorf("%s: the row stands twice, the second time in %s", variable, name)
			}
			rows[variable] = append(cells, name)
			if _, ok := accepted()[variable]; !ok {
				t.Errorf("%s: %s has a row for it, and there is no such setting", variable, name)
			}
		}
	}
	for _, v := range settings.Variables() {
		row := rows[v.Name]
		if len(row) != 4 {
			t.Errorf("%s: the table | variable | meaning | default | of README.md or docs/ has no row of three cells for it", v.Name)
		} else if v.Default != "" && !strings.Contains(row[2], "`"+v.Default+"`") {
			t.Errorf("%s: %s has the default %s; want `%s`", v.Name, row[3], row[2], v.Default)
		}
	}
}

// documents returns README.md and the pages of docs, by their paths in the module.
func documents(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"README.md"}
	for _, page := range pages {
		names = append(names, "docs/"+filepath.Base(page))
	}
	return names
}

// rowsUnder returns the rows of all tables in text that have the header.
func rowsUnder(text, header string) []string {
	var rows []string
	for _, table := range strings.Split(text, header+"\n")[1:] {
		table, _, _ = strings.Cut(table, "\n\n")
		rows = append(rows, strings.Split(strings.TrimSpace(table), "\n")[1:]...) // the first is |---|---|---|
	}
	return rows
}

// TestSettingsInChangelog: each setting is named in the changelog.
func TestSettingsInChangelog(t *testing.T) {
	t.Parallel()
	changelog := file(t, "CHANGELOG.md")
	for variable := range fields() {
		if !strings.Contains(changelog, "`"+variable+"`") {
			t.Errorf("%s: CHANGELOG.md does not name it", variable)
		}
	}
}

// TestSettingsAreUsed: each field is read by a program or by what puts the
// function together.
func TestSettingsAreUsed(t *testing.T) {
	t.Parallel()
	used := ""
	for _, directory := range []string{"internal/function", "cmd/lambda"} {
		sources, err := filepath.Glob(filepath.Join(root, directory, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			if !strings.HasSuffix(source, "_test.go") {
				used += file(t, strings.TrimPrefix(source, root))
			}
		}
	}
	for variable, field := range fields() {
		if !regexp.MustCompile(`(?m)^[^/\n]*\bs\.` + field.Name + `\b`).MatchString(used) {
			t.Errorf("%s: nothing reads s.%s in internal/function and cmd/lambda, so that it has no effect", variable, field.Name)
		}
	}
}
