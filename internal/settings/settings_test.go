package settings_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"voxkv/allowlist"
	"voxkv/internal/settings"
	"voxkv/internal/settingstest"
)

// problems returns the lines of Read's error.
func problems(e map[string]string) []string {
	_, err := settings.Read(e)
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// blamed returns the variable of each problem.
func blamed(e map[string]string) (variables []string) {
	for _, line := range problems(e) {
		variable, _, _ := strings.Cut(line, " ")
		variables = append(variables, variable)
	}
	return variables
}

// accepted returns what each variable accepts.
func accepted() map[string]string {
	accepts := map[string]string{}
	for _, v := range settings.Variables() {
		accepts[v.Name] = v.Accepts
	}
	return accepts
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s := settingstest.Read(t, settingstest.Environ())
	want := settings.Settings{
		SecretID:        "voxkv/key",
		ApplicationID:   42,
		AllowedKeys:     s.AllowedKeys,
		APIURL:          "https://api.voximplant.com/platform_api",
		CacheMaxAge:     time.Minute,
		CacheScope:      "public",
		NotFoundMaxAge:  5 * time.Second,
		LocalMaxAge:     new(10 * time.Second),
		LocalMaxItems:   4096,
		UpstreamTimeout: 5 * time.Second,
		MaxKeys:         10,
		CORSOrigins:     []string{"*"},
		NotFoundCodes:   []int{341},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("Read = %+v; want %+v", s, want)
	}
	allows := func(key string) bool { return s.AllowedKeys.Decide(key, allowlist.Caller{}).Allowed }
	if !allows("status:1") || !allows("greeting") || allows("secret") {
		t.Errorf("AllowedKeys = %v; want status:* and greeting", s.AllowedKeys)
	}
}

func TestEverySettingIsRead(t *testing.T) {
	t.Parallel()
	s := settingstest.Read(t, map[string]string{
		"VOXIMPLANT_SECRET_ID":        " arn:aws:secretsmanager:eu-central-1:123456789012:secret:voxkv/key-AbCdEf ",
		"VOXIMPLANT_APPLICATION_NAME": "app.example",
		"ALLOWED_KEYS":                "*",
		"BASE_PATH":                   "phone/v2/",
		"VOXIMPLANT_API_URL":          "https://api.example.com/platform_api",
		"CACHE_MAX_AGE":               "1h",
		"CACHE_SCOPE":                 "private",
		"NOT_FOUND_MAX_AGE":           "0s",
		"LOCAL_MAX_AGE":               "1h",
		"STALE_MAX_AGE":               "2h",
		"LOCAL_MAX_ITEMS":             "65536",
		"UPSTREAM_TIMEOUT":            "100ms",
		"MAX_KEYS":                    "50",
		"CORS_ORIGINS":                "https://a.example, http://localhost:3000",
		"CORS_HEADERS":                "X-Amz-Date, x-api-key",
		"LOG_LEVEL":                   "error",
		"LOG_KEYS":                    "true",
		"METRICS":                     "true",
		"RAW_VALUES":                  "true",
		"ALLOW_WRITES":                "true",
		"NOT_FOUND_CODES":             "341,496",
	})
	want := settings.Settings{
		SecretID:        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:voxkv/key-AbCdEf",
		ApplicationName: "app.example",
		AllowedKeys:     s.AllowedKeys,
		BasePath:        "/phone/v2",
		APIURL:          "https://api.example.com/platform_api",
		CacheMaxAge:     time.Hour,
		CacheScope:      "private",
		LocalMaxAge:     new(time.Hour),
		StaleMaxAge:     new(2 * time.Hour),
		LocalMaxItems:   65_536,
		UpstreamTimeout: 100 * time.Millisecond,
		MaxKeys:         50,
		CORSOrigins:     []string{"https://a.example", "http://localhost:3000"},
		CORSHeaders:     []string{"X-Amz-Date", "x-api-key"},
		LogKeys:         true,
		Metrics:         true,
		RawValues:       true,
		AllowWrites:     true,
		NotFoundCodes:   []int{341, 496},
	}
	want.LogLevel = s.LogLevel
	if !reflect.DeepEqual(s, want) || slog.Level(s.LogLevel) != slog.LevelError || !s.AllowedKeys.Everything() {
		t.Errorf("Read = %+v; want %+v", s, want)
	}
}

func TestBasePath(t *testing.T) {
	t.Parallel()
	for set, want := range map[string]string{
		"": "", "/": "", "phone": "/phone", "/phone": "/phone", "/phone/": "/phone", "phone/v2": "/phone/v2", "/$default/v1.0-a_b~c": "/$default/v1.0-a_b~c",
	} {
		if got := string(settingstest.Read(t, settingstest.Environ("BASE_PATH", set)).BasePath); got != want {
			t.Errorf("BASE_PATH=%s: %q; want %q", set, got, want)
		}
	}
}

func TestDefaultsThatFollowCacheMaxAge(t *testing.T) {
	t.Parallel()
	for cache, local := range map[string]time.Duration{"0s": 0, "3s": 1500 * time.Millisecond, "10s": 5 * time.Second, "20s": 10 * time.Second, "1h": 10 * time.Second} {
		s := settingstest.Read(t, settingstest.Environ("CACHE_MAX_AGE", cache))
		if *s.LocalMaxAge != local || s.StaleMaxAge != nil {
			t.Errorf("CACHE_MAX_AGE=%s: LocalMaxAge = %v, StaleMaxAge = %v; want %v, none of its own", cache, *s.LocalMaxAge, s.StaleMaxAge, local)
		}
	}
}

// TestNotFoundFollowsRules: no absence is believed for longer than the shortest
// max-age of a rule, whichever key it is of.
func TestNotFoundFollowsRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		allowed, notFound string
		want              time.Duration
	}{
		{"a", "5s", 5 * time.Second},
		{"a max-age=1h", "5s", 5 * time.Second},
		{"a max-age=1h,b max-age=2s,c", "5s", 2 * time.Second},
		{"a max-age=2s", "1s", time.Second},
		{"a,b max-age=0s", "5s", 0},
	} {
		if got := settingstest.Read(t, settingstest.Environ("ALLOWED_KEYS", tt.allowed, "NOT_FOUND_MAX_AGE", tt.notFound)).NotFoundMaxAge; got != tt.want {
			t.Errorf("ALLOWED_KEYS=%s NOT_FOUND_MAX_AGE=%s: %v; want %v", tt.allowed, tt.notFound, got, tt.want)
		}
	}
}

// malformed are values that each variable must refuse, by variable; those that are
// true or false need none.
var malformed = map[string][]string{
	"VOXIMPLANT_SECRET_ID":        {"my secret", "ключ", "a,b", `"quoted"`, "key\\n"},
	"VOXIMPLANT_APPLICATION_ID":   {"app", "-1", "0", "1.5", "42x", "9223372036854775808"},
	"VOXIMPLANT_APPLICATION_NAME": {"app.example"}, // beside the id
	"ALLOWED_KEYS":                {"a b", "a*b", "a,", ",", "café"},
	"BASE_PATH":                   {"//phone", "phone//v2", "phone//", "/./phone", "phone/..", "phone%2Fv2", "phone?", "phone#v2", "my phone", "телефон", `phone\v2`, "https://example.com/phone"},
	"VOXIMPLANT_API_URL":          {"api.voximplant.com", "http://api.voximplant.com/platform_api"},
	"CACHE_MAX_AGE":               {"60", "-1s", "a minute", "1d"},
	"CACHE_SCOPE":                 {"Public", "shared", "no-store"},
	"NOT_FOUND_MAX_AGE":           {"5", "-5s", "x"},
	"LOCAL_MAX_AGE":               {"10", "-1ns", "61s", "x"},
	"STALE_MAX_AGE":               {"60", "-1ns", "x"},
	"LOCAL_MAX_ITEMS":             {"0", "-1", "65537", "4k", "1e3"},
	"UPSTREAM_TIMEOUT":            {"5", "0s", "99ms", "61s", "-5s"},
	"MAX_KEYS":                    {"0", "-1", "51", "ten", "1e1"},
	"CORS_ORIGINS":                {"example.com", "https://a.example/"},
	"CORS_HEADERS":                {"*", "X-Api-Key:", "X-Api-Key,,X-Other", "X Api Key", "X-Äpi-Key", "7734015923", "c6eb1ba4-5d3b-4c39-9d0c-5f8a3b1f6f0e", "Authorization"},
	"LOG_LEVEL":                   {"verbose", "4", "debug,info"},
	"LOG_KEYS":                    {"yes"},
	"NOT_FOUND_CODES":             {"absent", "341;496", "341 496", "0", "-341", "+341", "341.0", "4294967296"},
}

// TestLists: every setting that is a list is read by one rule.
func TestLists(t *testing.T) {
	t.Parallel()
	for variable, pair := range map[string][2]string{
		"ALLOWED_KEYS":    {"a", "b*"},
		"CORS_ORIGINS":    {"https://a.example", "http://b.example"},
		"CORS_HEADERS":    {"X-Api-Key", "X-Other"},
		"NOT_FOUND_CODES": {"341", "477"},
	} {
		a, b := pair[0], pair[1]
		want := settingstest.Read(t, settingstest.Environ(variable, a+","+b))
		for _, value := range []string{a + ", " + b, " " + a + " ,\t" + b + " ", a + "\n,\n" + b, a + "," + b + "," + a} {
			if got := settingstest.Read(t, settingstest.Environ(variable, value)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s=%q: %+v; want that of %s,%s", variable, value, got, a, b)
			}
		}
		for _, value := range []string{a + ",", "," + a, a + ",," + b, a + ", ," + b, ",", a + " " + b} {
			if got := problems(settingstest.Environ(variable, value)); len(got) != 1 {
				t.Errorf("%s=%q: problems = %q; want one", variable, value, got)
			}
		}
	}
}

// TestMalformedPatterns: keys are not shown, since many are phone numbers, but
// which pattern is wrong, and why.
func TestMalformedPatterns(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"+15550100,+1/5550199":   "pattern 2: the key has a character outside",
		"+15550100,+1 5550199":   "pattern 2: it has an option that is not known",
		"a,order:{sub}*":         "pattern 2: a placeholder must be followed by",
		"order:*,":               "pattern 2: it is empty",
		strings.Repeat("k", 201): "pattern 1: the key has more than 200 characters",
	} {
		checkPatterns(t, value, want)
	}
}

func checkPatterns(t *testing.T, value, want string) {
	t.Helper()
	got := problems(settingstest.Environ("ALLOWED_KEYS", value))
	if len(got) != 1 || !strings.HasPrefix(got[0], "ALLOWED_KEYS is not accepted: "+want) || strings.Contains(got[0], "5550") || strings.Contains(got[0], "PRIVATE") {
		t.Errorf("problems = %q; want only that %s is wrong, without its text", got, want)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for variable, accepts := range accepted() {
		values := malformed[variable]
		if fields()[variable].Type.Kind() == reflect.Bool {
			values = []string{"yes", "2", "on"}
		}
		if accepts == "" {
			t.Errorf("%s: its field has no tag accepts, which messages show", variable)
		}
		if len(values) == 0 {
			t.Errorf("%s: the table malformed of this test has no value that it must refuse", variable)
		}
		for _, value := range values {
			got := problems(settingstest.Environ(variable, value))
			want := fmt.Sprintf("%s is %q; accepted: %s", variable, value, accepts)
			if variable == "ALLOWED_KEYS" { // keys are not shown, since many are phone numbers
				continue
			}
			if len(got) != 1 || got[0] != want {
				t.Errorf("%s=%s: problems = %q; want only %q", variable, value, got, want)
			}
		}
	}
}

func TestAllMalformedAtOnce(t *testing.T) {
	t.Parallel()
	e := map[string]string{}
	for variable, values := range malformed {
		e[variable] = values[0]
	}
	// Two names are wrong together only where the id is right.
	delete(e, "VOXIMPLANT_APPLICATION_NAME")
	if got, want := blamed(e), slices.Sorted(maps.Keys(e)); !slices.Equal(got, want) {
		t.Errorf("problems with %v; want each of %v once", got, want)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	accepts := accepted()
	var want []string
	for _, variable := range []string{"ALLOWED_KEYS", "VOXIMPLANT_APPLICATION_ID", "VOXIMPLANT_SECRET_ID"} {
		line := variable + " is not set; accepted: " + accepts[variable]
		want = append(want, line)
		for _, empty := range []string{"", " \t\n"} {
			if got := problems(settingstest.Environ(variable, empty)); len(got) != 1 || got[0] != line {
				t.Errorf("%s=%q: problems = %q; want only %q", variable, empty, got, line)
			}
		}
	}
	if got := problems(nil); !slices.Equal(got, want) {
		t.Errorf("nothing set: problems = %q; want %q", got, want)
	}
}

func TestEmptyIsNotSet(t *testing.T) {
	t.Parallel()
	e := settingstest.Environ("AWS_LAMBDA_LOG_LEVEL", "")
	for variable := range accepted() {
		if e[variable] == "" {
			e[variable] = " "
		}
	}
	if got, want := settingstest.Read(t, e), settingstest.Read(t, settingstest.Environ()); !reflect.DeepEqual(got, want) {
		t.Errorf("Read = %+v; want the defaults %+v", got, want)
	}
}

// TestLeastAndMost has the bounds that TestEverySettingIsRead has not.
func TestLeastAndMost(t *testing.T) {
	t.Parallel()
	settingstest.Read(t, settingstest.Environ("CACHE_MAX_AGE", "2160h", "LOCAL_MAX_AGE", "0s", "STALE_MAX_AGE", "0s",
		"LOCAL_MAX_ITEMS", "1", "UPSTREAM_TIMEOUT", "1m", "MAX_KEYS", "1"))
}

// TestOneProblemNamesOneVariable has no setting blamed for what is wrong with another.
func TestOneProblemNamesOneVariable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ map[string]string
		want    []string
	}{
		{"local above the cache's", settingstest.Environ("CACHE_MAX_AGE", "5s", "LOCAL_MAX_AGE", "6s"), []string{"LOCAL_MAX_AGE"}},
		{"local beside a cache's that is none", settingstest.Environ("CACHE_MAX_AGE", "x", "LOCAL_MAX_AGE", "6s"), []string{"CACHE_MAX_AGE"}},
		{"local beside a negative cache's", settingstest.Environ("CACHE_MAX_AGE", "-1s", "LOCAL_MAX_AGE", "6s"), []string{"CACHE_MAX_AGE"}},
		{"neither id nor name", settingstest.Environ("VOXIMPLANT_APPLICATION_ID", ""), []string{"VOXIMPLANT_APPLICATION_ID"}},
		{"a bad id and a name", settingstest.Environ("VOXIMPLANT_APPLICATION_ID", "x", "VOXIMPLANT_APPLICATION_NAME", "n"), []string{"VOXIMPLANT_APPLICATION_ID"}},
		{"an id of 0 and a name", settingstest.Environ("VOXIMPLANT_APPLICATION_ID", "0", "VOXIMPLANT_APPLICATION_NAME", "n"), []string{"VOXIMPLANT_APPLICATION_ID"}},
		{"Lambda's level", settingstest.Environ("AWS_LAMBDA_LOG_LEVEL", "LOUD"), []string{"AWS_LAMBDA_LOG_LEVEL"}},
		{"Lambda's level, hidden by ours", settingstest.Environ("AWS_LAMBDA_LOG_LEVEL", "LOUD", "LOG_LEVEL", "info"), nil},
	}
	for _, tt := range tests {
		if got := blamed(tt.environ); !slices.Equal(got, tt.want) {
			t.Errorf("%s: problems with %v; want %v", tt.name, got, tt.want)
		}
	}
}

func TestSecretsAreNotEchoed(t *testing.T) {
	t.Parallel()
	const document = `{"account_id":1234567,"key_id":"4d3c2b1a","private_key":"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----\n"}`
	pasted := map[string]string{
		"document":                  document,
		"document in quotes":        fmt.Sprintf("%q", document),
		"document on several lines": strings.ReplaceAll(document, ",", ",\n"),
		"document in base64":        base64.StdEncoding.EncodeToString([]byte(strings.Repeat(document, 5))),
		"end of the document":       strings.ReplaceAll(document[50:], `\n`, "\n"),
		"start of the document":     document[:40],
		"header of the key":         "-----BEGIN PRIVATE KEY-----",
		"lines of the key":          "MIIEvQIBADAN\nMIIEvQIBADAN",
	}
	for name, value := range pasted {
		for variable := range accepted() {
			switch variable {
			case "VOXIMPLANT_APPLICATION_NAME": // any text may be a name
			case "ALLOWED_KEYS":
				checkPatterns(t, value, "pattern 1: ")
			default:
				checkHidden(t, name, variable, value)
			}
		}
	}
	checkHidden(t, "password", "VOXIMPLANT_API_URL", "https://user:MIIEvQIBADAN@api.voximplant.com/platform_api")
	checkHidden(t, "token", "VOXIMPLANT_SECRET_ID", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOjF9.c2lnbmF0dXJl")
	checkHidden(t, "API key", "VOXIMPLANT_API_URL", "https://api.voximplant.com/platform_api?api_key=MIIEvQIBADAN")
}

func checkHidden(t *testing.T, name, variable, value string) {
	t.Helper()
	want := variable + " holds something that is not shown here; accepted: " + accepted()[variable]
	if got := problems(settingstest.Environ(variable, value)); len(got) != 1 || got[0] != want {
		t.Errorf("%s in %s: problems = %q; want only %q", name, variable, got, want)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value string
		ok    bool
	}{
		{"*", true},
		{"https://example.com:8443", true},
		{"http://[::1]:3000", true},
		{"https://example.com:80", true},
		{"https://xn--e1afmkfd.xn--p1ai", true},
		{"chrome-extension://abcdefgh", true},
		{"https://a.example , https://b.example", true},

		{"null", false},
		{"example.com", false},
		{"https://", false},
		{"https://:8443", false},
		{"https://example.com/", false},
		{"https://example.com#", false},
		{"https://user@example.com", false},
		{"https://Example.com", false},
		{"https://example.com:443", false},
		{"http://example.com:80", false},
		{"https://example.com:", false},
		{"https://example.com:port", false},
		{"https://*.example.com", false},
		{"https://пример.рф", false},
		{"*,https://a.example", false},
		{"*,*", true},
	}
	for _, tt := range tests {
		if got := problems(settingstest.Environ("CORS_ORIGINS", tt.value)); (got == nil) != tt.ok {
			t.Errorf("CORS_ORIGINS=%s: problems = %q; want any: %t", tt.value, got, !tt.ok)
		}
	}
}

// TestWhereSecretsMayGo: the API's URL and AWS's endpoint follow one rule.
func TestWhereSecretsMayGo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value string
		ok    bool
	}{
		{"https://api.voximplant.com/platform_api", true},
		{"https://vpce-0123-abcd.secretsmanager.eu-central-1.vpce.amazonaws.com", true},
		{"http://127.1.2.3", true},
		{"http://[::1]:8080/platform_api", true},
		{"http://localhost:8080", true},
		{"http://LOCALHOST:8080", true},
		{"http://172.31.255.255", true},
		{"http://192.168.65.254:4566", true},
		{"http://169.254.1.1", true},
		{"http://[fd00:ec2::254]", true},
		{"http://[fe80::1%25eth0]", true},
		{"http://[::ffff:10.0.0.1]", true},

		{"http://api.voximplant.com/platform_api", false},
		{"http://[2001:db8::1]", false},
		{"https://user@api.voximplant.com", false},
		{"https://:443/platform_api", false},
		{"http://host.docker.internal:4566", false},
		{"http://127.0.0.1.example.com", false},
		{"http://localhost.example.com", false},
		{"http://172.32.0.1", false},
		{"http://8.8.8.8", false},
		{"http://0x0a000001", false},
		{"http://0.0.0.0", false},
		{"ftp://localhost", false},
		{"localhost:8080", false},
		{"https://", false},
		{"https:platform_api", false},
		{"https://user:password@api.voximplant.com", false},
		{"https://api.voximplant.com/platform_api?", false},
		{"https://api.voximplant.com/platform_api#", false},
		{"https://api.voximplant.com:port", false},
	}
	for _, tt := range tests {
		if got := problems(settingstest.Environ("VOXIMPLANT_API_URL", tt.value)); (got == nil) != tt.ok {
			t.Errorf("VOXIMPLANT_API_URL=%s: problems = %q; want any: %t", tt.value, got, !tt.ok)
		}
		for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER"} {
			if _, err := settings.ReadAWS(aws(variable, tt.value)); (err == nil) != tt.ok {
				t.Errorf("%s=%s: %v; want any error: %t", variable, tt.value, err, !tt.ok)
			}
		}
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ours, lambdas string
		want          slog.Level
	}{
		{"", "", slog.LevelInfo},
		{"debug", "", slog.LevelDebug},
		{"warn", "", slog.LevelWarn},
		{"error", "", slog.LevelError},
		{"WARN", "", slog.LevelWarn},
		{"", "TRACE", slog.LevelDebug},
		{"", "FATAL", slog.LevelError},
		{"error", "DEBUG", slog.LevelError},
		{" ", "DEBUG", slog.LevelDebug},
	}
	for _, tt := range tests {
		s := settingstest.Read(t, settingstest.Environ("LOG_LEVEL", tt.ours, "AWS_LAMBDA_LOG_LEVEL", tt.lambdas))
		if got := slog.Level(s.LogLevel); got != tt.want {
			t.Errorf("LOG_LEVEL=%s AWS_LAMBDA_LOG_LEVEL=%s: level %v; want %v", tt.ours, tt.lambdas, got, tt.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("VOXKV_TEST", "a=b")
	if got := settings.Environment()["VOXKV_TEST"]; got != "a=b" {
		t.Errorf("Environment()[VOXKV_TEST] = %q; want a=b", got)
	}
}
