package settings_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"voxkv/internal/settings"
)

// TestSettingsInREADME: the table has a row for each variable, with its default.
func TestSettingsInREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(readme)) {
		if cells := strings.Split(strings.Trim(line, "|\n "), " | "); strings.HasPrefix(line, "| `") && len(cells) == 3 {
			rows[strings.Trim(cells[0], "` ")] = cells
		}
	}
	for field := range reflect.TypeFor[settings.Settings]().Fields() {
		variable := field.Tag.Get("env")
		row, ok := rows[variable]
		if !ok {
			t.Errorf("README.md has no row for %s", variable)
		} else if value := field.Tag.Get("envDefault"); value != "" && !strings.Contains(row[2], "`"+value+"`") {
			t.Errorf("README.md: the default of %s is %s; want `%s`", variable, row[2], value)
		}
	}
}
