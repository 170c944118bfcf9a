package settings_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
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
	variables := template.variables()
	published := texts(at(template.Node, "Resources", "Settings", "Properties", "Content"))
	for variable, field := range fields() {
		value, ok := variables[variable]
		if !ok {
			t.Errorf("%s: template.yaml does not set it in the Environment of VoxkvFunction", variable)
			continue
		}
		if !strings.Contains("\n"+published, "\n"+variable+"=${") {
			t.Errorf("%s: the resource Settings of template.yaml has no line %s=${…}", variable, variable)
		}
		standard := field.Tag.Get("envDefault")
		if parameters := template.defaults(value); standard != "" && !slices.Contains(slices.Collect(maps.Values(parameters)), standard) {
			t.Errorf("%s: in template.yaml it comes from parameters with the defaults %v; want one with %s, as the function has it", variable, parameters, standard)
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
	for _, group := range at(template.Node, "Metadata", "AWS::CloudFormation::Interface", "ParameterGroups").Content {
		for _, parameter := range at(group, "Parameters").Content {
			grouped[parameter.Value] = true
			if at(template.Node, "Parameters", parameter.Value) == nil {
				t.Errorf("template.yaml: ParameterGroups has %s, which is not a parameter", parameter.Value)
			}
		}
	}
	for parameter := range members(at(template.Node, "Parameters")) {
		if !grouped[parameter] {
			t.Errorf("template.yaml: ParameterGroups does not have the parameter %s", parameter)
		}
	}
}

// A template is one of SAM.
type template struct{ *yaml.Node }

func readTemplate(t *testing.T, name string) template {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(file(t, name)), &document); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return template{document.Content[0]}
}

// variables returns the values of the function's environment variables.
func (t template) variables() map[string]*yaml.Node {
	return members(at(t.Node, "Resources", "VoxkvFunction", "Properties", "Environment", "Variables"))
}

// defaults returns the default of each parameter that value refers to.
func (t template) defaults(value *yaml.Node) map[string]string {
	found := map[string]string{}
	if value.Tag == "!Ref" {
		if standard := at(t.Node, "Parameters", value.Value, "Default"); standard != nil {
			found[value.Value] = standard.Value
		}
	}
	for _, part := range value.Content {
		maps.Copy(found, t.defaults(part))
	}
	return found
}

// members returns the values of a mapping by name.
func members(mapping *yaml.Node) map[string]*yaml.Node {
	all := map[string]*yaml.Node{}
	if mapping != nil {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			all[mapping.Content[i].Value] = mapping.Content[i+1]
		}
	}
	return all
}

// at returns the node at the end of a path of names, nil if there is none.
func at(node *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		node = members(node)[name]
	}
	return node
}

// texts returns every scalar of node, each followed by a new line.
func texts(node *yaml.Node) string {
	if node == nil {
		return ""
	}
	all := node.Value + "\n"
	for _, part := range node.Content {
		all += texts(part)
	}
	return all
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
			if _, ok := fields()[variable]; !ok {
				t.Errorf("%s: %s has a row for it, and there is no such setting", variable, name)
			}
		}
	}
	for variable, field := range fields() {
		row := rows[variable]
		if len(row) != 4 {
			t.Errorf("%s: the table | variable | meaning | default | of README.md or docs/ has no row of three cells for it", variable)
		} else if standard := field.Tag.Get("envDefault"); standard != "" && !strings.Contains(row[2], "`"+standard+"`") {
			t.Errorf("%s: %s has the default %s; want `%s`", variable, row[3], row[2], standard)
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
	used := map[string]bool{}
	for _, directory := range []string{"internal/function", "cmd/lambda"} {
		sources, err := filepath.Glob(filepath.Join(root, directory, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			if !strings.HasSuffix(source, "_test.go") {
				maps.Copy(used, selected(t, source, "s"))
			}
		}
	}
	for variable, field := range fields() {
		if !used[field.Name] {
			t.Errorf("%s: nothing reads s.%s in internal/function and cmd/lambda, so that it has no effect", variable, field.Name)
		}
	}
}

// selected returns the fields and methods of name that a source file uses.
func selected(t *testing.T, source, name string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for n := range ast.Preorder(parsed) {
		if s, ok := n.(*ast.SelectorExpr); ok && fmt.Sprint(s.X) == name {
			all[s.Sel.Name] = true
		}
	}
	return all
}
