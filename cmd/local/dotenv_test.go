package main

import (
	"maps"
	"os"
	"strings"
	"testing"
)

func TestParseDotEnv(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       map[string]string // nil for an error
	}{
		{"nothing", "", map[string]string{}},
		{"comments and blank lines", "# a=b\n\n \t\n  # c", map[string]string{}},
		{"lines", "A=1\nB_2=two\n", map[string]string{"A": "1", "B_2": "two"}},
		{"lines of Windows, and a byte order mark", "\ufeffA=1\r\nB=2\r\n", map[string]string{"A": "1", "B": "2"}},
		{"spaces around", "  A = 1 \n", map[string]string{"A": "1"}},
		{"as a shell has it", "export A=1\n", map[string]string{"A": "1"}},
		{"an empty value", "A=\nB=''\nC= # nothing", map[string]string{"A": "", "B": "", "C": ""}},
		{"an equals sign in a value", "A=b=c", map[string]string{"A": "b=c"}},
		{"a comment after a value", "A=order:* # orders\nB=a#b", map[string]string{"A": "order:*", "B": "a#b"}},
		{"quotes", `A="x # y" # z` + "\n" + `B='say "x"'`, map[string]string{"A": "x # y", "B": `say "x"`}},
		{"the last counts", "A=1\nA=2", map[string]string{"A": "2"}},
		{"no equals sign", "A=1\n\nsecret", nil},
		{"no name", "=secret", nil},
		{"a name with a space", "A secret=1", nil},
		{"a name with a digit first", "1A=secret", nil},
		{"a quote that does not end", `A="secret`, nil},
		{"something after a quote", `A="1"secret`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseDotEnv(tt.text)
			if tt.want == nil {
				if err == nil || !strings.HasPrefix(err.Error(), "line ") || strings.Contains(err.Error(), "secret") {
					t.Errorf("parseDotEnv(%q) = %v, %v; want an error that names the line and does not show it", tt.text, got, err)
				}
				return
			}
			if err != nil || !maps.Equal(got, tt.want) {
				t.Errorf("parseDotEnv(%q) = %v, %v; want %v", tt.text, got, err, tt.want)
			}
		})
	}
}

// TestDotEnv runs where there is a .env file.
func TestDotEnv(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(text string) {
		if err := os.WriteFile(".env", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# scope\nALLOWED_KEYS=secret:*\nLOCAL_MAX_AGE=never\n")
	root, _ := start(t, map[string]string{"LOCAL_MAX_AGE": "0s"}) // which wins
	check(t, "GET", root+"/v1/items/secret:token", "", 200, "not for callers")

	write("A=1\nB=2\nsecret")
	if err := refusal(t, nil); err == nil || !strings.HasPrefix(err.Error(), ".env line 3 is malformed; accepted: NAME=value") {
		t.Errorf("run = %v; want the file and the line", err)
	}
}
