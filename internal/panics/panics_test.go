package panics_test

import (
	"errors"
	"strings"
	"testing"

	"voxkv/internal/panics"
)

const secret = "value of a customer"

func TestPanicText(t *testing.T) {
	t.Parallel()
	type private struct{ text string }
	tests := []struct {
		name  string
		panic func()
		want  string
	}{
		{"a string", func() { panic(secret) }, "panic: a value of type string"},
		{"an error", func() { panic(errors.New(secret)) }, "panic: a value of type *errors.errorString"},
		{"a struct", func() { panic(private{secret}) }, "panic: a value of type panics_test.private"},
		{"an index", func() { _ = []byte(secret)[len(secret):][0] }, "panic: runtime error: index out of range [0] with length 0"},
		{"a nil pointer", func() { _ = (*private)(nil).text }, "panic: runtime error: invalid memory address or nil pointer dereference"},
		{"a conversion", func() { _ = any(secret).(int) }, "panic: interface conversion: interface {} is string, not int"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := func() (err error) {
				defer panics.Recover(&err)
				tt.panic()
				return nil
			}()
			panicked, ok := errors.AsType[*panics.Error](err)
			if !ok {
				t.Fatalf("err = %v; want an *Error", err)
			}
			if got := panicked.Error(); got != tt.want {
				t.Errorf("Error() = %q; want %q", got, tt.want)
			}
			stack := string(panicked.Stack)
			if !strings.Contains(stack, "TestPanicText") || strings.Contains(stack, secret) {
				t.Errorf("Stack = %s\nwant one that names the function that panicked, without the value", stack)
			}
		})
	}
}

func TestRecoverKeepsOtherErrors(t *testing.T) {
	t.Parallel()
	want := errors.New("fault")
	got := func() (err error) {
		defer panics.Recover(&err)
		return want
	}()
	if !errors.Is(got, want) {
		t.Errorf("Recover made of %v: %v; want it unchanged", want, got)
	}
}
