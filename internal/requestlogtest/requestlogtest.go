// Package requestlogtest has a request log that a test can read.
package requestlogtest

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"voxkv/internal/requestlog"
)

// Lines are the lines of a log. They may be written and read by several
// goroutines.
type Lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// New returns a log that shows keys as "hashed", and its lines.
func New() (*requestlog.Log, *Lines) {
	lines := &Lines{}
	return &requestlog.Log{
		Logger:  slog.New(slog.NewJSONHandler(lines, nil)),
		HashKey: func(string) string { return "hashed" },
	}, lines
}

// Write implements io.Writer.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all lines.
func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Reset drops all lines.
func (l *Lines) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// Last returns the newest line.
func (l *Lines) Last(t testing.TB) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		t.Fatalf("log line is no JSON: %v", err)
	}
	return line
}
