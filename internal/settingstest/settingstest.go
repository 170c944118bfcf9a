// Package settingstest has environments with settings for tests.
package settingstest

import (
	"testing"

	"voxkv/internal/settings"
)

// Environ returns the least that is required, changed by name, value, name, value, ….
func Environ(changes ...string) map[string]string {
	return With(map[string]string{
		"VOXIMPLANT_SECRET_ID":      "voxkv/key",
		"VOXIMPLANT_APPLICATION_ID": "42",
		"ALLOWED_KEYS":              "status:*,greeting",
	}, changes...)
}

// With returns base changed by name, value, name, value, ….
func With(base map[string]string, changes ...string) map[string]string {
	for i := 0; i < len(changes); i += 2 {
		base[changes[i]] = changes[i+1]
	}
	return base
}

// Read returns the settings in an environment that must be good.
func Read(t *testing.T, e map[string]string) settings.Settings {
	t.Helper()
	s, err := settings.Read(e)
	if err != nil {
		t.Fatalf("Read(%v) = _, %v; want no error", e, err)
	}
	return s
}
