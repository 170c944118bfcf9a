package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"voxkv/internal/settings"
	"voxkv/internal/settingstest"
)

// served logs one request the way the handler does.
func served(log *slog.Logger, level slog.Level, attrs ...any) {
	log.Log(context.Background(), level, "request", append([]any{"request_id", "X", "method", "GET", "ms", 1.25, "cold_start", true}, attrs...)...)
}

func TestReadableLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		attrs []any
		want  string // after the time
	}{
		{"a hit", []any{"status", 200, "route", "/v1/items/{key}", "key", "order:1", "cache", "hit"}, "GET     \x1b[32m200\x1b[0m  hit        1.2 ms  /v1/items/order:1"},
		{"by query", []any{"status", 304, "route", "/v1/items", "key", ".", "cache", "miss"}, "GET     \x1b[36m304\x1b[0m  miss       1.2 ms  /v1/items?key=."},
		{"several keys", []any{"status", 200, "route", "/v1/items", "keys", 3}, "GET     \x1b[32m200\x1b[0m             1.2 ms  /v1/items (3 keys)"},
		{"an invocation", []any{"status", 200, "route", "direct", "key", "order:1", "cache", "hit"}, "GET     \x1b[32m200\x1b[0m  hit        1.2 ms  direct order:1"},
		{"a list", []any{"status", 200, "route", "direct list"}, "GET     \x1b[32m200\x1b[0m             1.2 ms  direct list"},
		{"no route", []any{"status", 404, "route", "", "code", "no_route"}, "GET     \x1b[33m404\x1b[0m             1.2 ms  (no route)  no_route"},
		{"a failure", []any{"status", 503, "route", "/v1/items/{key}", "key", "a", "cache", "none", "code", "upstream_busy", "error", "two\nlines \x1b[0m"},
			"GET     \x1b[31m503\x1b[0m  none       1.2 ms  " + `/v1/items/a  upstream_busy  "two\nlines \x1b[0m"`},
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
				served(newLog(&out, settings.Settings{}, false, colour), slog.LevelInfo, tt.attrs...)
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
	s := settingstest.Read(t, settingstest.Environ("LOG_LEVEL", "error"))
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		log := newLog(&out, s, asJSON, false)
		served(log, slog.LevelWarn, "status", 503)
		served(log, slog.LevelError, "status", 502)
		if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "502") {
			t.Errorf("logged %q; want the error alone", out.String())
		}
	}
}

// TestLogs: the log of the command is for people, or as on AWS.
func TestLogs(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`^[0-9:]{8}  GET     200  miss .* ms  /v1/items/order:1001\n$`:         nil,
		`^\{.*"method":"GET","route":"/v1/items/\{key\}","status":200,.*\}\n$`: {"-json"},
	} {
		lines := make(printed, 9)
		root, _ := startLogging(t, lines, nil, args...)
		check(t, "GET", root+"/v1/items/order:1001", "", 200, "")
		if line := lines.with(t, "GET"); !regexp.MustCompile(want).MatchString(line) {
			t.Errorf("logged %q; want %s", line, want)
		}
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
