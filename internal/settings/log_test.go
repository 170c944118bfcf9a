package settings_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"

	"voxkv/internal/settings"
	"voxkv/internal/settingstest"
)

// started returns the log lines of a start with changes to the settings.
func started(t *testing.T, changes ...string) []map[string]any {
	t.Helper()
	environ := settingstest.Environ("ALLOWED_KEYS", "order:*,status:*,+15550100,+15550199", "AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
	s := settingstest.Read(t, settingstest.With(environ, changes...))
	var output bytes.Buffer
	settings.LogStart(slog.New(slog.NewJSONHandler(&output, nil)), "1.2.3", s)
	for _, secret := range []string{"15550100", "15550199", "wJalrXUtnFEMI"} {
		if strings.Contains(output.String(), secret) {
			t.Errorf("the log of the start holds %s: %s", secret, output.String())
		}
	}
	var lines []map[string]any
	for text := range strings.Lines(output.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// TestStartIsLogged: the one on call sees what runs, and no key.
func TestStartIsLogged(t *testing.T) {
	t.Parallel()
	lines := started(t, "CACHE_SCOPE", "private", "LOCAL_MAX_AGE", "3s")
	if len(lines) != 1 || lines[0]["msg"] != "start" || lines[0]["level"] != "INFO" || lines[0]["version"] != "1.2.3" {
		t.Fatalf("the start logs %v; want one line", lines)
	}
	want := map[string]any{
		"application_id": 42., "api_host": "api.voximplant.com",
		"allowed_keys": map[string]any{"exact": 2., "prefixes": []any{"order:", "status:"}},
		"base_path":    "",
		"cache_scope":  "private", "cache_max_age": "1m0s", "not_found_max_age": "5s", "local_max_age": "3s", "stale_max_age": "1m0s",
		"local_max_items": 4096., "upstream_timeout": "5s", "max_keys": 10., "cors_origins": []any{"*"}, "cors_headers": "", "log_level": "INFO",
		"metrics": false, "raw_values": false, "allow_writes": false, "log_keys": false, "not_found_codes": []any{341.},
	}
	logged, _ := lines[0]["settings"].(map[string]any)
	for name, value := range want {
		if !reflect.DeepEqual(logged[name], value) {
			t.Errorf("%s = %v; want %v", name, logged[name], value)
		}
	}
	named := started(t, "VOXIMPLANT_APPLICATION_ID", "", "VOXIMPLANT_APPLICATION_NAME", "shop")
	if settings, _ := named[0]["settings"].(map[string]any); settings["application_name"] != "shop" || settings["application_id"] != nil {
		t.Errorf("settings = %v; want the application by its name", settings)
	}
	misplaced := started(t, "VOXIMPLANT_APPLICATION_ID", "", "VOXIMPLANT_APPLICATION_NAME", `{"private_key":"wJalrXUtnFEMI"}`)
	if settings, _ := misplaced[0]["settings"].(map[string]any); settings["application_name"] != "not shown here" {
		t.Errorf("settings = %v; want a name that is not shown", settings)
	}
}

// unlogged are the settings that the start line leaves out, and why.
var unlogged = map[string]string{
	"VOXIMPLANT_SECRET_ID": "its ARN has the number of the AWS account, and a secret may stand in its place",
}

// TestEverySettingIsInTheStartLine: each setting that is changed changes the line.
func TestEverySettingIsInTheStartLine(t *testing.T) {
	t.Parallel()
	changed := map[string]string{
		"VOXIMPLANT_SECRET_ID": "other", "VOXIMPLANT_APPLICATION_ID": "43", "ALLOWED_KEYS": "order:*",
		"VOXIMPLANT_APPLICATION_NAME": "warehouse", "VOXIMPLANT_API_URL": "https://other.test", "CACHE_MAX_AGE": "61s",
		"CACHE_SCOPE": "private", "NOT_FOUND_MAX_AGE": "6s", "LOCAL_MAX_AGE": "11s", "STALE_MAX_AGE": "59s",
		"LOCAL_MAX_ITEMS": "4097", "UPSTREAM_TIMEOUT": "6s", "CORS_ORIGINS": "https://a.example", "LOG_LEVEL": "warn",
		"MAX_KEYS": "11", "CORS_HEADERS": "X-Api-Key", "BASE_PATH": "/phone", "NOT_FOUND_CODES": "341,477",
	}
	for variable, field := range fields() {
		base := settingstest.Environ("LOCAL_MAX_AGE", "10s", "STALE_MAX_AGE", "60s")
		if variable == "VOXIMPLANT_APPLICATION_NAME" { // stands in place of the id
			base["VOXIMPLANT_APPLICATION_ID"], base[variable] = "", "shop"
		}
		other := maps.Clone(base)
		other[variable] = changed[variable]
		if field.Type.Kind() == reflect.Bool {
			other[variable] = fmt.Sprint(field.Tag.Get("envDefault") != "true")
		}
		if other[variable] == "" {
			t.Errorf("%s: this test has no value for it other than the default", variable)
			continue
		}
		shown := settingstest.Read(t, base).LogValue().String() != settingstest.Read(t, other).LogValue().String()
		switch why := unlogged[variable]; {
		case !shown && why == "":
			t.Errorf("%s: the log line of the start does not show it; LogValue in internal/settings/log.go writes that line", variable)
		case shown && why != "":
			t.Errorf("%s: the log line of the start shows it, and should not: %s", variable, why)
		}
	}
}

// TestStartWarns: of a lone *, which is accepted and not passed over, and of a rule
// that gives away what another protects. The line says how many rules need claims.
func TestStartWarns(t *testing.T) {
	t.Parallel()
	const (
		everything = "ALLOWED_KEYS is *: whoever reaches this function may read every key of the application"
		givenAway  = "ALLOWED_KEYS: pattern 4 allows everyone all that pattern 2 allows only callers with the right claims"
	)
	for _, test := range []struct {
		allowed, warning string
		needClaims       any
	}{
		{"*", everything, nil},
		{"order:*, *", everything, nil},
		{"order:*,o*", "", nil},
		{"order:{sub}:*, call:{phone_number}, status:* max-age=2s", "", 2.},
		{"a, order:{sub}:*, call:{sub}, order:*", givenAway, 2.},
	} {
		lines := started(t, "ALLOWED_KEYS", test.allowed)
		settings, _ := lines[0]["settings"].(map[string]any)
		if keys, _ := settings["allowed_keys"].(map[string]any); keys["need_claims"] != test.needClaims {
			t.Errorf("ALLOWED_KEYS=%s: the start line says %v; want that %v rules need claims", test.allowed, settings["allowed_keys"], test.needClaims)
		}
		var warnings []any
		for _, line := range lines[1:] {
			warnings = append(warnings, line["level"], line["msg"])
		}
		if want := fmt.Sprint([]any{"WARN", test.warning}); fmt.Sprint(warnings) != want && (test.warning != "" || warnings != nil) {
			t.Errorf("ALLOWED_KEYS=%s: the start logs %v; want %s", test.allowed, warnings, want)
		}
	}
}
