package settings

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// LogValue returns what logs may show of the settings. Of those that begin with
// VOXIMPLANT_ it shows only the application and the host of the API: the ARN of the
// secret has the number of the AWS account, and somebody may have put the secret
// itself where its name belongs. Of ALLOWED_KEYS it does not show whole keys, because
// those of a Voximplant application are often phone numbers.
func (s Settings) LogValue() slog.Value {
	s.StaleMaxAge = cmp.Or(s.StaleMaxAge, &s.CacheMaxAge) // what counts where a rule says nothing else
	attrs := []slog.Attr{s.application(), slog.String("api_host", host(s.APIURL))}
	for field, value := range reflect.ValueOf(s).Fields() {
		if variable := field.Tag.Get("env"); !strings.HasPrefix(variable, "VOXIMPLANT_") {
			attrs = append(attrs, slog.Any(strings.ToLower(variable), loggable(value.Interface())))
		}
	}
	return slog.GroupValue(attrs...)
}

// application names the application as the settings do.
func (s Settings) application() slog.Attr {
	switch {
	case s.ApplicationID != 0:
		return slog.Int64("application_id", s.ApplicationID)
	case mayBeSecret(s.ApplicationName):
		return slog.String("application_name", "not shown here")
	}
	return slog.String("application_name", s.ApplicationName)
}

// loggable returns a setting in the form in which somebody would write it.
func loggable(setting any) any {
	switch setting := setting.(type) {
	case time.Duration:
		return setting.String()
	case *time.Duration:
		if setting != nil {
			return setting.String()
		}
		return nil
	case level:
		return slog.Level(setting).String()
	case headers:
		return strings.Join(setting, ", ")
	}
	return setting
}

// host returns the host of a. Nobody needs the path in a log.
func host(a apiURL) string {
	u, err := url.Parse(string(a))
	if err != nil {
		return ""
	}
	return u.Host
}

// LogStart logs which version starts with which settings, and warns of settings that
// may be a mistake.
func LogStart(log *slog.Logger, version string, s Settings) {
	log.Info("start", slog.String("version", version), slog.Any("settings", s))
	if s.AllowedKeys.Everything() {
		log.Warn("ALLOWED_KEYS is *: whoever reaches this function may read every key of the application")
	}
	if some, everyone, ok := s.AllowedKeys.GivenAway(); ok {
		log.Warn(fmt.Sprintf("ALLOWED_KEYS: pattern %d allows everyone all that pattern %d allows only callers with the right claims", everyone, some))
	}
}
