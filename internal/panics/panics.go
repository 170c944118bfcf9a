// Package panics turns panics into errors that hold no secret.
package panics

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// An Error is a panic that was recovered. Its text repeats the message of the
// panic only if the Go runtime raised it. Any other value may hold a secret, so
// the text names its type alone.
type Error struct {
	text  string
	Stack []byte // of the goroutine that panicked
}

func (e *Error) Error() string { return "panic: " + e.text }

// Recover must be deferred directly. If the function panics, Recover stores an
// *Error in *err; otherwise it leaves *err as it is.
func Recover(err *error) {
	v := recover()
	if v == nil {
		return
	}
	text := fmt.Sprintf("a value of type %T", v)
	if r, ok := v.(runtime.Error); ok {
		text = r.Error()
	}
	*err = &Error{text: text, Stack: debug.Stack()}
}
