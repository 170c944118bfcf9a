package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMutantsOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const source = "package p\n\nfunc f(a int) (int, error) {\n\tif a > 7 {\n\t\ta = g(a)\n\t}\n\treturn a, nil\n}\n"
	for _, name := range []string{"p.go", "p_test.go"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mutants, err := mutantsOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range mutants {
		got = append(got, m.from+" → "+m.to)
	}
	want := []string{"a > 7 → !(a > 7)", "> → >=", "7 → (7 + 1)", "7 → (7 - 1)", "a = g(a) → ", "a → nil"}
	if !slices.Equal(got, want) {
		t.Errorf("mutants = %q; want %q", got, want)
	}
	if got, want := string(mutants[1].source), "package p\n\nfunc f(a int) (int, error) {\n\tif a >= 7 {\n\t\ta = g(a)\n\t}\n\treturn a, nil\n}\n"; got != want {
		t.Errorf("the second mutant is %q; want %q", got, want)
	}
}
