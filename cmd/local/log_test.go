package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"voxkv/internal/settings"
)

// served logs one request the way the handler does.
func served(log *slog.Logger, level slog.Level, attrs ...slog.Attr) {
	log.LogAttrs(context.Background(), level, "request", append([]slog.Attr{
		slog.String("request_id", "X"), slog.String("method", "GET"), slog.Float64("ms", 1.25), slog.Bool("cold_start", true),
	}, attrs...)...)
}

func TestReadableLog(t *testing.T) {
	t.Parallel()
	const ms = "1.2 ms  "
	tests := []struct {
		name  string
		level slog.Level
		attrs []slog.Attr
		want  string // after the time
	}{
		{"a hit", slog.LevelInfo, []slog.Attr{slog.Int("status", 200), slog.String("route", "/v1/items/{key}"), slog.String("key", "order:1"), slog.String("cache", "hit")},
			"GET     \x1b[32m200\x1b[0m  hit        " + ms + "/v1/items/order:1"},
		{"by query", slog.LevelInfo, []slog.Attr{slog.Int("status", 304), slog.String("route", "/v1/items"), slog.String("key", "."), slog.String("cache", "miss")},
			"GET     \x1b[36m304\x1b[0m  miss       " + ms + "/v1/items?key=."},
		{"several keys", slog.LevelInfo, []slog.Attr{slog.Int("status", 200), slog.String("route", "/v1/items"), slog.Int("keys", 3)},
			"GET     \x1b[32m200\x1b[0m             " + ms + "/v1/items (3 keys)"},
		{"an invocation", slog.LevelInfo, []slog.Attr{slog.Int("status", 200), slog.String("route", "direct"), slog.String("key", "order:1"), slog.String("cache", "hit")},
			"GET     \x1b[32m200\x1b[0m  hit        " + ms + "direct order:1"},
		{"a write", slog.LevelInfo, []slog.Attr{slog.Int("status", 200), slog.String("route", "direct set"), slog.String("key", "order:1")},
			"GET     \x1b[32m200\x1b[0m             " + ms + "direct set order:1"},
		{"a list", slog.LevelInfo, []slog.Attr{slog.Int("status", 200), slog.String("route", "direct list")},
			"GET     \x1b[32m200\x1b[0m             " + ms + "direct list"},
		{"no route", slog.LevelInfo, []slog.Attr{slog.Int("status", 404), slog.String("route", ""), slog.String("code", "no_route")},
			"GET     \x1b[33m404\x1b[0m             " + ms + "(no route)  no_route"},
		{"a failure", slog.LevelWarn, []slog.Attr{slog.Int("status", 503), slog.String("route", "/v1/items/{key}"), slog.String("key", "a"), slog.String("cache", "none"), slog.String("code", "upstream_busy"), slog.String("error", "two\nlines \x1b[0m")},
			"GET     \x1b[31m503\x1b[0m  none       " + ms + `/v1/items/a  upstream_busy  "two\nlines \x1b[0m"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, colour := range []bool{true, false} {
				want := tt.want
				if !colour {
					want = regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(want, "")
				}
				var out bytes.Buffer
				served(newLog(&out, settings.Settings{}, false, colour), tt.level, tt.attrs...)
				when, got, _ := strings.Cut(out.String(), "  ")
				if got != want+"\n" || !regexp.MustCompile(`^\d\d:\d\d:\d\d$`).MatchString(when) {
					t.Errorf("logged %q; want the time and %q", out.String(), want)
				}
			}
		})
	}
}

func TestReadableLogOfTheRest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	newLog(&out, settings.Settings{}, false, true).Warn("no token yet", "error", errors.New("no key"))
	if !regexp.MustCompile(`^time=\d\d:\d\d:\d\d level=WARN msg="no token yet" error="no key"\n$`).MatchString(out.String()) {
		t.Errorf("logged %q", out.String())
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	s, err := settings.Read(map[string]string{
		"LOG_LEVEL": "error", "VOXIMPLANT_SECRET_ID": "x", "VOXIMPLANT_APPLICATION_ID": "1", "ALLOWED_KEYS": "*",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		log := newLog(&out, s, asJSON, false)
		served(log, slog.LevelWarn, slog.Int("status", 503))
		served(log, slog.LevelError, slog.Int("status", 502))
		if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "502") {
			t.Errorf("logged %q; want the error alone", out.String())
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		args    []string
		environ map[string]string
		want    string
	}{
		{"for people", nil, map[string]string{}, `  GET     200  miss .* ms  /v1/items/order:1001\n`},
		{"for people, without keys", nil, map[string]string{"LOG_KEYS": "false"}, `  GET     200  miss .* ms  /v1/items/[0-9a-f]{16}\n`},
		{"for machines", []string{"-json"}, map[string]string{}, `"method":"GET","route":"/v1/items/\{key\}","status":200,`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lines := make(printed, 9)
			root, _ := startLogging(t, lines, tt.environ, tt.args...)
			check(t, "GET", root+"/v1/items/order:1001", "", 200, "")
			line := lines.with(t, "GET")
			if !regexp.MustCompile(tt.want).MatchString(line) {
				t.Errorf("logged %q; want %s", line, tt.want)
			}
			if isJSON := json.Valid([]byte(line)); isJSON != (len(tt.args) > 0) {
				t.Errorf("logged %q: JSON is %v", line, isJSON)
			}
		})
	}
}

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	name := file(t, "log", nil)
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) || isTerminal(new(bytes.Buffer)) {
		t.Error("a file or a buffer is taken for a terminal")
	}
}
