package template

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A stack is a template deployed on paper: its parameters have values, its conditions are
// decided and its intrinsic functions computed. A resource's Ref is its logical id, and an
// attribute of it is id.attribute.
type stack struct {
	t          *testing.T
	template   map[string]any
	parameters map[string]any
	physical   func(id string) string // what Ref to a resource gives; its logical id if nil
}

// given are the parameters that have no default, and those that AWS gives.
var given = map[string]string{
	"AWS::StackName": "voxkv", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012",
	"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",

	"SecretArn":     "arn:aws:secretsmanager:eu-central-1:123456789012:secret:voxkv-a1b2c3",
	"ApplicationId": "1",
	"AllowedKeys":   "order:*",
}

// deploy returns the stack of template with given and more parameters.
func deploy(t *testing.T, template string, more map[string]string) *stack {
	t.Helper()
	return deployAll(t, template, []map[string]string{more})[0]
}

// deployAll deploys template once with each of more.
func deployAll(t *testing.T, template string, more []map[string]string) []*stack {
	t.Helper()
	var values []map[string]string
	for _, m := range more {
		values = append(values, merged(given, m))
	}
	var stacks []*stack
	for i, template := range transformed(t, template, values) {
		stacks = append(stacks, (&stack{t: t, template: template}).with(more[i]))
	}
	return stacks
}

func merged(a, b map[string]string) map[string]string {
	a = maps.Clone(a)
	maps.Copy(a, b)
	return a
}

// with is the same template deployed with given and more parameters. SAM puts parameters in
// place where its own resources use them, so only the others may differ.
func (s *stack) with(more map[string]string) *stack {
	values := merged(given, more)
	s = &stack{t: s.t, template: s.template, parameters: map[string]any{"AWS::NoValue": nil}}
	for name, value := range values {
		s.parameters[name] = value
	}
	for name, declared := range object(s.template["Parameters"]) {
		value, ok := values[name]
		if !ok {
			value = fmt.Sprint(object(declared)["Default"])
		}
		s.parameters[name] = value
		if object(declared)["Type"] == "CommaDelimitedList" {
			s.parameters[name] = list(strings.Split(value, ","))
		}
	}
	return s
}

// resources are the computed properties of those of a type that exist, by logical id.
func (s *stack) resources(kind string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for id, declared := range object(s.template["Resources"]) {
		if r := object(declared); r["Type"] == kind && s.exists(r) {
			found[id] = object(s.value(r["Properties"]))
		}
	}
	return found
}

func (s *stack) exists(r map[string]any) bool {
	condition, ok := r["Condition"].(string)
	return !ok || s.holds(condition)
}

// resource is the one of that name. It must exist.
func (s *stack) resource(id string) map[string]any {
	s.t.Helper()
	r := object(s.at(id))
	if r == nil {
		s.t.Fatalf("there is no %s", id)
	}
	return r
}

// at is what stands at path: the name of a resource or of an output, and those of
// members and the numbers of elements, separated by dots. It is nil where nothing does.
func (s *stack) at(path string) any {
	s.t.Helper()
	names := strings.Split(path, ".")
	declared, what := object(object(s.template["Resources"])[names[0]]), "Properties"
	if declared == nil {
		declared, what = object(object(s.template["Outputs"])[names[0]]), "Value"
	}
	if declared == nil {
		s.t.Fatalf("the template has neither a resource nor an output %s", names[0])
	}
	if !s.exists(declared) {
		return nil
	}
	v := s.value(declared[what])
	for _, name := range names[1:] {
		if members, ok := v.([]any); ok {
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(members) {
				return nil
			}
			v = members[i]
		} else {
			v = object(v)[name]
		}
	}
	return v
}

func (s *stack) holds(condition string) bool {
	return s.value(object(s.template["Conditions"])[condition]) == true
}

// refusals are the rules that the parameters break.
func (s *stack) refusals() []string {
	var refused []string
	for _, rule := range object(s.template["Rules"]) {
		condition, conditional := object(rule)["RuleCondition"]
		if conditional && s.value(condition) != true {
			continue
		}
		for _, assertion := range object(rule)["Assertions"].([]any) {
			if s.value(object(assertion)["Assert"]) != true {
				refused = append(refused, object(assertion)["AssertDescription"].(string))
			}
		}
	}
	return refused
}

// value computes what stands in the template.
func (s *stack) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, argument := range v {
			if len(v) == 1 && (strings.HasPrefix(name, "Fn::") || name == "Ref" || name == "Condition") {
				return s.call(name, argument)
			}
		}
		computed := map[string]any{}
		for name, member := range v {
			if member = s.value(member); member != nil {
				computed[name] = member
			}
		}
		return computed
	case []any:
		computed := []any{}
		for _, member := range v {
			if member = s.value(member); member != nil {
				computed = append(computed, member)
			}
		}
		return computed
	}
	return v
}

func (s *stack) call(name string, argument any) any {
	switch name {
	case "Ref":
		return s.ref(argument.(string))
	case "Condition":
		if condition, ok := argument.(string); ok {
			return s.holds(condition)
		}
		return map[string]any{name: s.value(argument)} // of an IAM statement
	case "Fn::If":
		branches := argument.([]any)
		if s.holds(branches[0].(string)) {
			return s.value(branches[1])
		}
		return s.value(branches[2])
	case "Fn::Sub":
		return s.sub(argument)
	}
	arguments, ok := s.value(argument).([]any)
	if !ok {
		s.t.Fatalf("%s %v: not computed here", name, argument)
	}
	return s.compute(name, arguments)
}

func (s *stack) compute(name string, a []any) any {
	switch name {
	case "Fn::GetAtt":
		if a[1] == "FunctionUrl" {
			return fmt.Sprintf("https://%v.example/", a[0])
		}
		return fmt.Sprintf("%v.%v", s.ref(a[0].(string)), a[1])
	case "Fn::Equals":
		return fmt.Sprint(a[0]) == fmt.Sprint(a[1])
	case "Fn::Not":
		return a[0] == false
	case "Fn::And":
		return !slices.Contains(a, false)
	case "Fn::Or":
		return slices.Contains(a, true)
	case "Fn::EachMemberIn":
		return !slices.ContainsFunc(a[0].([]any), func(member any) bool { return !slices.Contains(a[1].([]any), member) })
	case "Fn::Join":
		return strings.Join(words(a[1]), a[0].(string))
	case "Fn::Split":
		return list(strings.Split(a[1].(string), a[0].(string)))
	case "Fn::Select":
		return a[1].([]any)[int(a[0].(float64))]
	}
	s.t.Fatalf("%s is not computed here", name)
	return nil
}

func (s *stack) ref(name string) any {
	if value, ok := s.parameters[name]; ok {
		return value
	}
	if _, ok := object(s.template["Resources"])[name]; !ok {
		s.t.Fatalf("Ref to %s, which is neither a parameter nor a resource", name)
	}
	if s.physical != nil {
		return s.physical(name)
	}
	return name
}

var variable = regexp.MustCompile(`\$\{[^!}][^}]*\}`)

func (s *stack) sub(argument any) any {
	local := map[string]any{}
	if with, ok := argument.([]any); ok {
		argument, local = with[0], object(with[1])
	}
	return variable.ReplaceAllStringFunc(argument.(string), func(match string) string {
		name := match[2 : len(match)-1]
		if value, ok := local[name]; ok {
			return fmt.Sprint(s.value(value))
		}
		if id, attribute, ok := strings.Cut(name, "."); ok {
			return fmt.Sprintf("%v.%s", s.ref(id), attribute)
		}
		return fmt.Sprint(s.ref(name))
	})
}

func object(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

func list(words []string) []any {
	l := []any{}
	for _, word := range words {
		l = append(l, word)
	}
	return l
}

// words are the strings in a list or the one string that stands for a list.
func words(v any) []string {
	members, ok := v.([]any)
	if !ok {
		members = []any{v}
	}
	var texts []string
	for _, member := range members {
		texts = append(texts, fmt.Sprint(member))
	}
	return texts
}
