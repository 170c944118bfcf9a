package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"voxkv/internal/settings"
)

// variables are the environment variables for the function, and where each comes from.
type variables struct {
	values map[string]string
	from   map[string]string // such as .env or -allowed-keys; by name
	dotEnv string            // the file that was read, empty if there is none
	notes  []string          // what was given and has no effect
	needs  map[string]string // what to say of a variable that is required and not set, where that names a flag; by name
}

// gather reads the .env file at path, if there is one, beside environ, which wins.
func gather(environ map[string]string, path string) (*variables, error) {
	inFile, err := readDotEnv(path)
	if err != nil {
		return nil, err
	}
	v := &variables{values: map[string]string{}, from: map[string]string{}}
	v.notes = append(misspelt("the environment", environ), misspelt(path, inFile)...)
	for name, value := range inFile {
		v.set(name, value, path)
	}
	for name, value := range environ {
		v.set(name, value, "the environment")
	}
	if inFile != nil {
		if v.dotEnv, err = filepath.Abs(path); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v *variables) set(name, value, from string) { v.values[name], v.from[name] = value, from }

// offer sets a variable that is not set.
func (v *variables) offer(name, value, from string) {
	if _, ok := v.values[name]; !ok {
		v.set(name, value, from)
	}
}

// flag sets a variable to what its flag has, if that was given.
func (v *variables) flag(name, value, flag string) {
	if value == "" {
		return
	}
	if was := v.values[name]; was != "" && was != value {
		v.note("%s counts, and not %s of %s", flag, name, v.from[name])
	}
	v.set(name, value, flag)
}

// drop takes out variables that have no effect here.
func (v *variables) drop(why string, names ...string) {
	names = slices.DeleteFunc(names, func(name string) bool { return v.values[name] == "" })
	if len(names) > 0 {
		v.note("%s: no effect of %s", why, strings.Join(names, ", "))
	}
	for _, name := range names {
		delete(v.values, name)
		delete(v.from, name)
	}
}

func (v *variables) note(text string, args ...any) {
	v.notes = append(v.notes, fmt.Sprintf(text, args...))
}

// printNotes prints the notes that are new.
func (v *variables) printNotes(w io.Writer) {
	for _, note := range v.notes {
		fmt.Fprintln(w, "local:", note)
	}
	v.notes = nil
}

// read returns the settings. Its error names flags where they gave the values.
func (v *variables) read() (settings.Settings, error) {
	s, err := settings.Read(v.values)
	if err == nil {
		return s, nil
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		switch from := v.from[name]; {
		case v.needs[name] != "" && strings.HasPrefix(rest, "is not set"):
			lines[i] = v.needs[name]
		case strings.HasPrefix(from, "-"):
			lines[i] = from + " " + rest
		}
	}
	return s, errors.New(strings.Join(lines, "\n"))
}

// print prints the settings that say how fresh answers are, and those that somebody has chosen.
func (v *variables) print(w io.Writer, s settings.Settings) {
	always := []string{"ALLOWED_KEYS", "CACHE_MAX_AGE", "LOCAL_MAX_AGE", "NOT_FOUND_MAX_AGE"}
	values := v.effective(s)
	fmt.Fprintln(w, "\nSettings; -help lists them all:")
	for _, variable := range settings.Variables() {
		name := variable.Name
		value, show := values[name]
		from, chosen := v.from[name]
		if !chosen {
			from = "the default"
		}
		if show && (chosen || slices.Contains(always, name)) {
			fmt.Fprintf(w, "  %s=%s (%s)\n", name, value, from)
		}
	}
	if v.dotEnv == "" {
		fmt.Fprintln(w, "There is no .env file in this directory.")
		return
	}
	fmt.Fprintf(w, "Read %s.\n", v.dotEnv)
}

// effective are the values of the settings by their variables, without those that a log must not show. Rules for keys are
// shown as they were written.
func (v *variables) effective(s settings.Settings) map[string]string {
	loggable := map[string]string{}
	for _, attr := range s.LogValue().Group() {
		text := strings.Trim(attr.Value.String(), "[]") // of a list
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		loggable[attr.Key] = text
	}
	values := map[string]string{"VOXIMPLANT_API_URL": loggable["api_host"]}
	for _, variable := range settings.Variables() {
		name := strings.ToLower(variable.Name)
		if application, ok := strings.CutPrefix(name, "voximplant_"); !ok {
			values[variable.Name] = loggable[name]
		} else if value, ok := loggable[application]; ok {
			values[variable.Name] = value
		}
	}
	values["ALLOWED_KEYS"] = v.values["ALLOWED_KEYS"]
	return values
}
