package main

import "testing"

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "bc", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"abcd", "badc", 3},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d; want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestMeantBy(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"CACHE_MAXAGE":          "CACHE_MAX_AGE",
		"CAHCE_MAX_AGE":         "CACHE_MAX_AGE",
		"cache_max_age":         "CACHE_MAX_AGE",
		"ALLOW_KEYS":            "ALLOWED_KEYS",
		"LOG_KEY":               "LOG_KEYS",
		"CORS_ORIGIN":           "CORS_ORIGINS",
		"VOXIMPLANT_APP_SECRET": "VOXIMPLANT_SECRET_ID or VOXIMPLANT_APPLICATION_ID or VOXIMPLANT_APPLICATION_NAME or VOXIMPLANT_API_URL",
		"CACHE_MAX_AGE":         "",
		"ALLOWED_KEYS":          "",
		"PATH":                  "",
		"HOME":                  "",
		"LANG":                  "",
		"AWS_REGION":            "",
		"AWS_LAMBDA_LOG_LEVEL":  "",
		"GOMAXPROCS":            "",
		"XDG_CACHE_HOME":        "",
		"":                      "",
	} {
		if got := meantBy(name); got != want {
			t.Errorf("meantBy(%q) = %q; want %q", name, got, want)
		}
	}
}
