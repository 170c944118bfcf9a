package settings_test

import (
	"testing"

	"voxkv/internal/settings"
)

func TestVariables(t *testing.T) {
	t.Parallel()
	all := settings.Variables()
	if len(all) != len(fields()) {
		t.Fatalf("there are %d variables; want the %d that Settings has", len(all), len(fields()))
	}
	for _, v := range all {
		if field, ok := fields()[v.Name]; !ok || v.Accepts == "" || v.Accepts != field.Tag.Get("accepts") || v.Default != field.Tag.Get("envDefault") {
			t.Errorf("%+v is not what Settings says of it", v)
		}
	}
}
