package main

import (
	"bytes"
	"context"
	"log/slog"
	"sync"

	"voxkv/internal/function"
	"voxkv/internal/settings"
)

// maxTail is what Lambda gives of a log, in bytes.
const maxTail = 4 << 10

// A tail is the end of the log of one invocation.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

type tailKey struct{}

func (t *tail) Write(line []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, line...)
	t.text = t.text[max(0, len(t.text)-maxTail):]
	return len(line), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.text)
}

// A tailing log gives what it writes of an invocation to the caller too, if that asked for it: in JSON, as on AWS.
type tailing struct {
	slog.Handler
	settings settings.Settings
}

func (h tailing) Handle(ctx context.Context, r slog.Record) error {
	if t, ok := ctx.Value(tailKey{}).(*tail); ok {
		_ = function.NewLog(t, h.settings).Handler().Handle(ctx, r.Clone()) // a tail takes everything
	}
	return h.Handler.Handle(ctx, r)
}
