package settings

import "reflect"

// A Variable is an environment variable that Read reads.
type Variable struct {
	Name    string
	Accepts string
	Default string // empty if there is none, or if it depends on others
}

// Variables returns all that Read reads, but those of AWS.
func Variables() []Variable {
	var all []Variable
	for field := range reflect.TypeFor[Settings]().Fields() {
		all = append(all, Variable{field.Tag.Get("env"), field.Tag.Get("accepts"), field.Tag.Get("envDefault")})
	}
	return all
}
