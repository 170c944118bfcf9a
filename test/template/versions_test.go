package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// another is a second value of each parameter that has neither a list of values nor a number.
var another = map[string]string{
	"SecretArn":              "arn:aws:secretsmanager:eu-central-1:123456789012:secret:voxkv-d4e5f6",
	"SecretKmsKeyArn":        kmsKey + "ef",
	"ApplicationId":          "2",
	"ApplicationName":        "support",
	"AllowedKeys":            "order:1*",
	"ApiUrl":                 "https://api.example.com/platform_api",
	"JwtIssuer":              "https://other.example.com",
	"JwtAudience":            "other",
	"JwtScopes":              "read",
	"LinkPublicKey":          linkKey,
	"LinkPublicKey2":         otherLinkKey,
	"BasePath":               "/other",
	"CorsOrigins":            "https://other.example.com",
	"CallerRoles":            "other",
	"CacheMaxAge":            "30s",
	"NotFoundMaxAge":         "3s",
	"LocalMaxAge":            "1s",
	"StaleMaxAge":            "2s",
	"UpstreamTimeout":        "4s",
	"NotFoundCodes":          "341,342",
	"DomainName":             "other.example.com",
	"CertificateArn":         certificate + "ef",
	"WebAclArn":              "arn:aws:wafv2:us-east-1:123456789012:global/webacl/w/2",
	"SubnetIds":              "subnet-3",
	"SecurityGroupIds":       "sg-3",
	"ReservedConcurrency":    "3",
	"AlarmTopicArn":          topic + "2",
	"PermissionsBoundaryArn": boundary + "2",
}

// A change is one parameter with two values, in a stack that is otherwise the same.
type change struct {
	name          string
	before, after map[string]string
}

// changes are one for each parameter of template in each situation.
func changes(t *testing.T, template string, situations []map[string]string) []change {
	t.Helper()
	var all []change
	for name, declared := range object(source(t, template)["Parameters"]) {
		for _, situation := range situations {
			before := merged(given, situation)
			value, ok := before[name]
			if !ok {
				value = fmt.Sprint(object(declared)["Default"])
			}
			after := merged(situation, map[string]string{name: second(t, name, object(declared), value)})
			all = append(all, change{name, situation, after})
		}
	}
	// CloudFormation takes 4,096 bytes for a parameter; a version's description has 256.
	long := strings.Repeat("order:1234,", 400)[:3990]
	return append(all, change{"AllowedKeys", map[string]string{"AllowedKeys": long + ",order:100"}, map[string]string{"AllowedKeys": long + ",order:101"}})
}

func second(t *testing.T, name string, declared map[string]any, first string) string {
	t.Helper()
	if allowed, ok := declared["AllowedValues"]; ok {
		values := words(allowed)
		return values[slices.IndexFunc(values, func(v string) bool { return v != first })]
	}
	if declared["Type"] == "Number" {
		return fmt.Sprint(declared["MaxValue"])
	}
	value, ok := another[name]
	if !ok || value == first {
		t.Fatalf("%s: write another value than %q into the table of this test", name, first)
	}
	return value
}

// A changed parameter either changes what callers reach, or nothing of the
// function. And where nothing of the function changes, no version may be made:
// Lambda would refuse to publish it, and with it the deployment.
func TestParametersReachCallers(t *testing.T) {
	for template, situations := range map[string][]map[string]string{
		"template.yaml":                   {openStack, jwtStack, iamStack, cloudFrontStack, everythingStack, vpcStack},
		"examples/rest-api/template.yaml": {openStack},
	} {
		all := changes(t, template, situations)
		var parameters []map[string]string
		for _, c := range all {
			parameters = append(parameters, c.before, c.after)
		}
		stacks := deployAll(t, template, parameters)
		replaced := createOnly(t)
		reaching := map[string]bool{}
		for i, c := range all {
			before, after := stacks[2*i], stacks[2*i+1]
			changed := !reflect.DeepEqual(versioned(before), versioned(after))
			seen := reached(before, replaced) != reached(after, replaced)
			if seen {
				reaching[c.name] = true
			}
			switch {
			case changed && !seen:
				t.Errorf("%s: another %s changes the function, and callers keep the old one: see Settings", template, c.name)
			case !changed && seen:
				t.Errorf("%s: another %s changes nothing of the function, and would publish it again: see Settings", template, c.name)
			}
		}
		t.Logf("%s: %d changes; to callers come %v", template, len(all), slices.Sorted(maps.Keys(reaching)))
		checkReaching(t, template, reaching, object(source(t, template)["Parameters"]))
	}
}

// checkReaching holds the test itself to its purpose: these certainly reach callers.
func checkReaching(t *testing.T, template string, reaching map[string]bool, declared map[string]any) {
	t.Helper()
	for _, name := range []string{"AllowedKeys", "CacheMaxAge", "SecretArn", "AllowWrites", "Access", "MemorySize", "Architecture", "ApplicationId"} {
		if declared[name] != nil && !reaching[name] {
			t.Errorf("%s: another %s does not come to callers", template, name)
		}
	}
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
	aliases := s.resources("AWS::Lambda::Alias")
	if len(aliases) == 0 {
		text, _ := json.Marshal(versioned(s))
		return string(text)
	}
	for _, alias := range aliases {
		version, _, _ := strings.Cut(alias["FunctionVersion"].(string), ".")
		return identity(s, version, createOnly)
	}
	return ""
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
	text, _ := json.Marshal(kept)
	return id + string(text)
}

// createOnly are the properties by which CloudFormation replaces a resource, by type.
func createOnly(t *testing.T) map[string][]string {
	t.Helper()
	return decode[map[string][]string](t, python(t, "createonly.py", "AWS::Lambda::Version", "AWS::Lambda::Function",
		"AWS::AppConfig::Application", "AWS::AppConfig::ConfigurationProfile", "AWS::AppConfig::HostedConfigurationVersion"))
}
