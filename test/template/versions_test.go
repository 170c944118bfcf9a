package template

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A changed parameter either changes what callers reach, or nothing of the
// function. And where nothing of the function changes, no version may be made:
// Lambda would refuse to publish it, and with it the deployment.
func TestParametersReachCallers(t *testing.T) {
	// CloudFormation takes 4,096 bytes for a parameter; a version's description has 256.
	long := map[string]string{"AllowedKeys": strings.Repeat("order:1234,", 400)[:4000]}
	replaced := createOnly(t)
	for template, situations := range map[string][]map[string]string{
		"template.yaml":                   {openStack, jwtStack, iamStack, cloudFrontStack, everythingStack, vpcStack, long},
		"examples/rest-api/template.yaml": {openStack, long},
	} {
		reaching := map[string]bool{}
		declared := object(source(t, template)["Parameters"])
		names := slices.Sorted(maps.Keys(declared))
		for _, situation := range situations {
			parameters := []map[string]string{situation}
			for _, name := range names {
				parameters = append(parameters, merged(situation, map[string]string{name: second(name, object(declared[name]), situation)}))
			}
			stacks := deployAll(t, template, parameters)
			for i, name := range names {
				before, after := stacks[0], stacks[1+i]
				changed := !reflect.DeepEqual(versioned(before), versioned(after))
				seen := reached(before, replaced) != reached(after, replaced)
				reaching[name] = reaching[name] || seen
				switch {
				case changed && !seen:
					t.Errorf("%s: another %s changes the function, and callers keep the old one: see Settings", template, name)
				case !changed && seen:
					t.Errorf("%s: another %s changes nothing of the function, and would publish it again: see Settings", template, name)
				}
			}
		}
		// This holds the test itself to its purpose: these certainly reach callers.
		for _, name := range []string{"AllowedKeys", "CacheMaxAge", "SecretArn", "AllowWrites", "Access", "MemorySize", "Architecture", "ApplicationId"} {
			if declared[name] != nil && !reaching[name] {
				t.Errorf("%s: another %s does not come to callers", template, name)
			}
		}
	}
}

// second is another value than the situation has. On paper any text will do, but for the PEM of a key, which the template
// takes apart.
func second(name string, declared map[string]any, situation map[string]string) string {
	first, ok := merged(given, situation)[name]
	if !ok {
		first = fmt.Sprint(declared["Default"])
	}
	if allowed, ok := declared["AllowedValues"]; ok {
		values := words(allowed)
		return values[slices.IndexFunc(values, func(v string) bool { return v != first })]
	}
	if strings.HasPrefix(name, "LinkPublicKey") {
		return linkKey
	}
	return first + "2"
}

// versioned are the properties of the function that a published version keeps.
func versioned(s *stack) map[string]any {
	properties := maps.Clone(s.resource("VoxkvFunction"))
	delete(properties, "ReservedConcurrentExecutions")
	return properties
}

// reached tells apart what callers of the stack come to: the version that the
// alias points to, or without an alias the function as it is.
func reached(s *stack, createOnly map[string][]string) string {
	for _, alias := range s.resources("AWS::Lambda::Alias") {
		version, _, _ := strings.Cut(alias["FunctionVersion"].(string), ".")
		return identity(s, version, createOnly)
	}
	return fmt.Sprint(versioned(s))
}

// identity tells a resource apart from what CloudFormation would replace it by:
// from one of another name, and from one with other properties of those that
// its type cannot change. Such a property may name another resource.
func identity(s *stack, id string, createOnly map[string][]string) string {
	named := *s
	named.physical = func(id string) string { return identity(s, id, createOnly) }
	declared := object(object(s.template["Resources"])[id])
	kept := map[string]any{}
	for _, property := range createOnly[declared["Type"].(string)] {
		kept[property] = named.value(object(declared["Properties"])[property])
	}
	return id + fmt.Sprint(kept)
}

// createOnly are the properties by which CloudFormation replaces a resource, by type.
func createOnly(t *testing.T) map[string][]string {
	t.Helper()
	return decode[map[string][]string](t, python(t, "createonly.py", "AWS::Lambda::Version", "AWS::Lambda::Function",
		"AWS::AppConfig::Application", "AWS::AppConfig::ConfigurationProfile", "AWS::AppConfig::HostedConfigurationVersion"))
}
