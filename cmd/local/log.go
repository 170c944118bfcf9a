package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"voxkv/internal/function"
	"voxkv/internal/settings"
)

// newLog returns the function's log: lines for people, or JSON as on AWS. What it says of the page's own requests goes
// to the page too.
func newLog(w io.Writer, s settings.Settings, json, colour bool) *slog.Logger {
	if json {
		return slog.New(pageRequestRecorder{logTailHandler{function.NewLog(w, s).Handler(), s}})
	}
	w = &lockedWriter{w: w}
	lines := readable{w: w, colour: colour, Handler: slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: slog.Level(s.LogLevel),
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				a.Value = slog.StringValue(a.Value.Time().Format(clock))
			}
			return a
		},
	})}
	return slog.New(pageRequestRecorder{logTailHandler{lines, s}})
}

const clock = "15:04:05"

// A readable writes requests in columns, and leaves the rest to another handler.
type readable struct {
	slog.Handler
	w      io.Writer
	colour bool
}

func (h readable) Handle(ctx context.Context, r slog.Record) error {
	if r.Message != requestMessage {
		return h.Handler.Handle(ctx, r)
	}
	attrs := attrsOf(r)
	var line bytes.Buffer
	fmt.Fprintf(&line, "%s  %-7s %s  %-5s %8.1f ms  %s", r.Time.Format(clock), text(attrs, "method"), h.status(attrs["status"].Int64()),
		text(attrs, "cache"), milliseconds(attrs, "ms"), target(attrs))
	if code := text(attrs, "code"); code != "" {
		line.WriteString("  " + code)
	}
	if err := text(attrs, "error"); err != "" {
		fmt.Fprintf(&line, "  %q", err) // quoted: it may hold what others sent
	}
	line.WriteByte('\n')
	_, err := h.w.Write(line.Bytes())
	return err
}

// status is coloured by its class.
func (h readable) status(status int64) string {
	colour, ok := map[int64]int{2: 32, 3: 36, 4: 33, 5: 31}[status/100]
	if !h.colour || !ok {
		return fmt.Sprint(status)
	}
	return fmt.Sprintf("\x1b[%dm%d\x1b[0m", colour, status)
}

// target is the route with its key, as far as the log may show that.
func target(attrs map[string]slog.Value) string {
	route, key := text(attrs, "route"), text(attrs, "key")
	switch _, several := attrs["keys"]; {
	case route == "":
		return "(no route)"
	case several:
		return fmt.Sprintf("%s (%d keys)", route, attrs["keys"].Int64())
	case strings.Contains(route, "{key}") && key != "":
		return strings.Replace(route, "{key}", key, 1)
	case strings.HasPrefix(route, "direct"):
		return strings.TrimSpace(route + " " + key)
	case key != "":
		return route + "?key=" + key
	}
	return route
}

// requestMessage is that of the handler's line for a request.
const requestMessage = "request"

func attrsOf(r slog.Record) map[string]slog.Value {
	attrs := map[string]slog.Value{}
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value
		return true
	})
	return attrs
}

// text is an attribute, or "" if there is none.
func text(attrs map[string]slog.Value, name string) string {
	if v, ok := attrs[name]; ok {
		return v.String()
	}
	return ""
}

func milliseconds(attrs map[string]slog.Value, name string) float64 {
	if v := attrs[name]; v.Kind() == slog.KindFloat64 {
		return v.Float64()
	}
	return 0
}

// A lockedWriter lets two handlers write lines to one place.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(line)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
