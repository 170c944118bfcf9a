package settings

import (
	"log/slog"
	"net/url"
	"strings"
)

// LogValue returns what logs may show of the settings. It leaves out keys, because
// those of a Voximplant application are often phone numbers. It also leaves out the
// name of the secret: an ARN has the number of the AWS account, and somebody may have
// put the secret itself where its name belongs.
func (s Settings) LogValue() slog.Value {
	application := slog.String("application_name", s.ApplicationName)
	switch {
	case s.ApplicationID != 0:
		application = slog.Int64("application_id", s.ApplicationID)
	case mayBeSecret(s.ApplicationName):
		application = slog.String("application_name", "not shown here")
	}
	attrs := []slog.Attr{
		application,
		slog.String("api_host", host(s.APIURL)),
		slog.Any("allowed_keys", s.AllowedKeys),
		slog.String("base_path", string(s.BasePath)),
		slog.String("cache_scope", string(s.CacheScope)),
		slog.String("cache_max_age", s.CacheMaxAge.String()),
		slog.String("not_found_max_age", s.NotFoundMaxAge.String()),
		slog.Int("local_max_items", s.LocalMaxItems),
		slog.String("upstream_timeout", s.UpstreamTimeout.String()),
		slog.Int("max_keys", s.MaxKeys),
		slog.Any("cors_origins", []string(s.CORSOrigins)),
		slog.String("cors_headers", strings.Join(s.CORSHeaders, ", ")),
		slog.String("log_level", slog.Level(s.LogLevel).String()),
		slog.Bool("log_keys", s.LogKeys),
		slog.Bool("metrics", s.Metrics),
		slog.Bool("raw_values", s.RawValues),
		slog.Bool("allow_writes", s.AllowWrites),
		slog.Any("not_found_codes", []int(s.NotFoundCodes)),
	}
	if s.LocalMaxAge != nil && s.StaleMaxAge != nil { // as Read leaves them
		attrs = append(attrs, slog.String("local_max_age", s.LocalMaxAge.String()), slog.String("stale_max_age", s.StaleMaxAge.String()))
	}
	return slog.GroupValue(attrs...)
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
}
