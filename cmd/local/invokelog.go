package main

import (
	"bytes"
	"context"
	"log/slog"
	"sync"

	"voxkv/internal/function"
	"voxkv/internal/settings"
)

// maxLogTail is what Lambda gives of a log, in bytes.
const maxLogTail = 4 << 10

// A logTail is the end of the log of one invocation, for X-Amz-Log-Type: Tail.
type logTail struct {
	mu   sync.Mutex // guards text
	text []byte
}

type logTailKey struct{}

func (t *logTail) Write(line []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, line...)
	t.text = t.text[max(0, len(t.text)-maxLogTail):]
	return len(line), nil
}

func (t *logTail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.text)
}

// A logTailHandler is a log handler that gives what it writes of an invocation to the caller too, if that asked for it: in
// JSON, as on AWS.
type logTailHandler struct {
	slog.Handler
	settings settings.Settings
}

func (h logTailHandler) Handle(ctx context.Context, r slog.Record) error {
	if t, ok := ctx.Value(logTailKey{}).(*logTail); ok {
		_ = function.NewLog(t, h.settings).Handler().Handle(ctx, r.Clone()) // a tail takes everything
	}
	return h.Handler.Handle(ctx, r)
}
