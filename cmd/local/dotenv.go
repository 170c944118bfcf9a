package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// readDotEnv returns the variables of the file at path, nil if there is none.
func readDotEnv(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	variables, err := parseDotEnv(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return variables, nil
}

// parseDotEnv reads lines of NAME=value. The error does not show the line, which may hold a secret.
func parseDotEnv(text string) (map[string]string, error) {
	environ := map[string]string{}
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, value, assigns := strings.Cut(line, "=")
		name = strings.TrimSpace(strings.TrimPrefix(name, "export "))
		value, ok := unquote(strings.TrimSpace(value))
		if !assigns || !ok || !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name) {
			return nil, fmt.Errorf(`line %d is malformed; accepted: NAME=value, NAME="value", NAME='value' and # comment`, i+1)
		}
		environ[name] = value
	}
	return environ, nil
}

// unquote returns the text in quotes, or without quotes the text before a comment. ok is false if the closing quote is
// missing, or if anything but a comment follows it.
func unquote(text string) (value string, ok bool) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		value, _, _ = strings.Cut(" "+text, " #")
		return strings.TrimSpace(value), true
	}
	value, rest, ends := strings.Cut(text[1:], text[:1])
	rest = strings.TrimSpace(rest)
	return value, ends && (rest == "" || rest[0] == '#')
}
