// Package settings reads the environment variables of the function, says what is
// wrong with them, and what a log may show of them.
package settings

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"voxkv/allowlist"
)

// Settings are the environment variables of the function. The tags of a field give
// the name of its variable, its default and, for error messages, what it accepts.
// An empty variable counts as one that is not set.
type Settings struct {
	SecretID        string         `env:"VOXIMPLANT_SECRET_ID" accepts:"the name or ARN of the secret that holds the service-account JSON"`
	ApplicationID   int64          `env:"VOXIMPLANT_APPLICATION_ID" accepts:"the application's number, unless VOXIMPLANT_APPLICATION_NAME is set"`
	ApplicationName string         `env:"VOXIMPLANT_APPLICATION_NAME" accepts:"the application's name, in place of VOXIMPLANT_APPLICATION_ID"`
	AllowedKeys     allowlist.List `env:"ALLOWED_KEYS" accepts:"keys and prefix* patterns, with {claim} placeholders and max-age= where needed, comma-separated; * for every key"`
	BasePath        basePath       `env:"BASE_PATH" accepts:"a path such as /phone or phone/v2, without escapes and empty segments"`
	APIURL          apiURL         `env:"VOXIMPLANT_API_URL" envDefault:"https://api.voximplant.com/platform_api" accepts:"an https URL, or http to this machine or an address of a private network"`
	CacheMaxAge     time.Duration  `env:"CACHE_MAX_AGE" envDefault:"60s" accepts:"a duration such as 60s; 0s forbids caching"`
	CacheScope      cacheScope     `env:"CACHE_SCOPE" envDefault:"public" accepts:"public or private"`
	NotFoundMaxAge  time.Duration  `env:"NOT_FOUND_MAX_AGE" envDefault:"5s" accepts:"a duration such as 5s; 0s forbids caching"`
	// The default of LOCAL_MAX_AGE follows CACHE_MAX_AGE. STALE_MAX_AGE is nil where it is
	// not set: it is then as long as the key may be kept.
	LocalMaxAge     *time.Duration `env:"LOCAL_MAX_AGE" accepts:"a duration such as 10s, at most CACHE_MAX_AGE"`
	StaleMaxAge     *time.Duration `env:"STALE_MAX_AGE" accepts:"a duration such as 60s"`
	LocalMaxItems   int            `env:"LOCAL_MAX_ITEMS" envDefault:"4096" accepts:"a number from 1 to 65536"`
	UpstreamTimeout time.Duration  `env:"UPSTREAM_TIMEOUT" envDefault:"5s" accepts:"a duration from 100ms to 1m"`
	MaxKeys         int            `env:"MAX_KEYS" envDefault:"10" accepts:"a number from 1 to 50"`
	CORSOrigins     origins        `env:"CORS_ORIGINS" envDefault:"*" accepts:"* alone, or origins such as https://example.com, comma-separated"`
	CORSHeaders     headers        `env:"CORS_HEADERS" accepts:"names of request headers that begin with X-, such as X-Api-Key, comma-separated"`
	LogLevel        level          `env:"LOG_LEVEL" accepts:"debug, info, warn or error"`
	LogKeys         bool           `env:"LOG_KEYS" envDefault:"false" accepts:"true or false"`
	Metrics         bool           `env:"METRICS" envDefault:"false" accepts:"true or false"`
	RawValues       bool           `env:"RAW_VALUES" envDefault:"false" accepts:"true or false"`
	AllowWrites     bool           `env:"ALLOW_WRITES" envDefault:"false" accepts:"true or false"`
	NotFoundCodes   codes          `env:"NOT_FOUND_CODES" envDefault:"341" accepts:"error codes of the Management API, comma-separated"`
}

// defaultLocalMaxAge is the default of LOCAL_MAX_AGE, unless half of CACHE_MAX_AGE
// is shorter: a cache may keep an answer from a local copy only for the rest of
// CACHE_MAX_AGE, so an older copy would leave it little.
const defaultLocalMaxAge = 10 * time.Second

// Read reads the settings from environ, name to value. The error
// lists every problem on a line of its own: the variable, its value and what is
// accepted.
func Read(environ map[string]string) (Settings, error) {
	set := map[string]string{}
	for name, value := range environ {
		if value = strings.TrimSpace(value); value != "" {
			set[name] = value
		}
	}
	r := reader{set: set, accepts: map[string]string{}, source: map[string]string{}, parseErrors: map[string]error{}}
	if set["LOG_LEVEL"] == "" {
		set["LOG_LEVEL"] = set["AWS_LAMBDA_LOG_LEVEL"]
		r.source["LOG_LEVEL"] = "AWS_LAMBDA_LOG_LEVEL"
	}
	var s Settings
	r.parse(&s)
	r.check(&s)
	return s, errors.Join(r.problems...)
}

// A reader collects what is wrong with the variables.
type reader struct {
	set         map[string]string // the variables that are set, with their values
	accepts     map[string]string // what a variable accepts
	source      map[string]string // the variable that is read in place of another, which is not set
	parseErrors map[string]error  // by variable
	problems    []error
	refused     []string // the variables that problems has
}

// parse fills s from the variables.
func (r *reader) parse(s *Settings) {
	variables := map[string]string{} // by field
	for field := range reflect.TypeFor[Settings]().Fields() {
		variables[field.Name] = field.Tag.Get("env")
		r.accepts[field.Tag.Get("env")] = field.Tag.Get("accepts")
	}
	err := env.ParseWithOptions(s, env.Options{Environment: r.set})
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		for _, err := range all.Errors {
			if failed, ok := errors.AsType[env.ParseError](err); ok {
				r.parseErrors[variables[failed.Name]] = failed.Err
				r.refuse(variables[failed.Name])
			} else {
				r.problems = append(r.problems, err)
			}
		}
	}
}

// refuse adds the problem that the value of a variable is not accepted. It does so
// once for each variable.
func (r *reader) refuse(variable string) {
	if slices.Contains(r.refused, variable) {
		return
	}
	r.refused = append(r.refused, variable)
	r.problems = append(r.problems, fmt.Errorf("%s %s; accepted: %s", cmp.Or(r.source[variable], variable), r.describe(variable), r.accepts[variable]))
}

// describe says what the value of a variable is. Of ALLOWED_KEYS it says only which
// pattern is wrong, because keys are often phone numbers.
func (r *reader) describe(variable string) string {
	if err := r.parseErrors[variable]; variable == "ALLOWED_KEYS" && err != nil {
		return "is not accepted: " + err.Error()
	}
	return describe(r.set[variable])
}

// describe says what the value of a variable is, unless it may be a secret.
func describe(value string) string {
	switch {
	case value == "":
		return "is not set"
	case mayBeSecret(value):
		return "holds something that is not shown here"
	}
	return fmt.Sprintf("is %q", value)
}

// mayBeSecret reports whether value looks like a secret that is in the wrong
// place: a key document, a token, or a password or API key in a URL.
func mayBeSecret(value string) bool {
	return strings.ContainsAny(value, "{\r\n") || strings.Contains(value, "PRIVATE KEY") || len(value) > 200 || isToken(value) ||
		strings.Contains(value, "://") && strings.ContainsAny(value, "@?")
}

// check applies the rules that parsing one variable cannot, such as bounds, and the
// defaults that depend on another variable.
func (r *reader) check(s *Settings) {
	ceiling := s.CacheMaxAge
	if slices.Contains(r.refused, "CACHE_MAX_AGE") || ceiling < 0 {
		ceiling = math.MaxInt64 // it is not known, and refused already
	}
	for variable, isWrong := range map[string]bool{
		"VOXIMPLANT_APPLICATION_ID":   s.ApplicationID <= 0 && (r.set["VOXIMPLANT_APPLICATION_ID"] != "" || s.ApplicationName == ""),
		"VOXIMPLANT_APPLICATION_NAME": s.ApplicationID > 0 && s.ApplicationName != "",
		"VOXIMPLANT_SECRET_ID":        !isSecretID(s.SecretID),
		"ALLOWED_KEYS":                r.set["ALLOWED_KEYS"] == "",
		"CACHE_MAX_AGE":               s.CacheMaxAge < 0,
		"NOT_FOUND_MAX_AGE":           s.NotFoundMaxAge < 0,
		"LOCAL_MAX_AGE":               s.LocalMaxAge != nil && !within(*s.LocalMaxAge, 0, ceiling),
		"STALE_MAX_AGE":               s.StaleMaxAge != nil && *s.StaleMaxAge < 0,
		"LOCAL_MAX_ITEMS":             !within(s.LocalMaxItems, 1, 65_536),
		"UPSTREAM_TIMEOUT":            !within(s.UpstreamTimeout, 100*time.Millisecond, time.Minute),
		"MAX_KEYS":                    !within(s.MaxKeys, 1, 50),
	} {
		if isWrong {
			r.refuse(variable)
		}
	}
	if s.LocalMaxAge == nil {
		s.LocalMaxAge = new(min(defaultLocalMaxAge, s.CacheMaxAge/2))
	}
	// No absence may be believed for longer than any item: where a status must be two
	// seconds fresh, a new one must be seen as soon. It is one time for all keys, because
	// a 404 must not tell which rule its key is under.
	if shortest, ok := s.AllowedKeys.ShortestMaxAge(); ok {
		s.NotFoundMaxAge = min(s.NotFoundMaxAge, shortest)
	}
	slices.SortFunc(r.problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
}

// within reports whether value is neither below least nor above most.
func within[T cmp.Ordered](value, least, most T) bool { return least <= value && value <= most }

// isToken reports whether value looks like a JSON Web Token.
func isToken(value string) bool {
	return strings.HasPrefix(value, "eyJ") && strings.Count(value, ".") == 2
}

// isSecretID reports whether id may be the name of a secret (at most 512
// characters) or its ARN. A key, a token or a URL with a password that is
// pasted in its place must not get into the errors that name the secret.
func isSecretID(id string) bool {
	if strings.Contains(id, ":") && !strings.HasPrefix(id, "arn:") || isToken(id) {
		return false
	}
	return id != "" && len(id) <= 600 && !strings.ContainsFunc(id, func(r rune) bool {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return false
		}
		return !strings.ContainsRune("/_+=.@!-:", r)
	})
}

// Environment returns the process's variables, name to value.
func Environment() map[string]string {
	environ := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		environ[name] = value
	}
	return environ
}
