package lookup

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// A PanicError is a panic that was caught. Its text says what panicked only
// where the Go runtime did, since any other value may hold a secret.
type PanicError struct {
	text  string
	Stack []byte
}

func (e *PanicError) Error() string { return "panic: " + e.text }

// Recover is deferred. It turns a panic into a *PanicError in *err.
func Recover(err *error) {
	v := recover()
	if v == nil {
		return
	}
	text := fmt.Sprintf("a value of type %T", v)
	if r, ok := v.(runtime.Error); ok {
		text = r.Error()
	}
	*err = &PanicError{text: text, Stack: debug.Stack()}
}
