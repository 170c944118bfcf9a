package lookup_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"voxkv/lookup"
	"voxkv/voximplant"
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
		{"a struct", func() { panic(private{secret}) }, "panic: a value of type lookup_test.private"},
		{"an index", func() { _ = []byte(secret)[len(secret):][0] }, "panic: runtime error: index out of range [0] with length 0"},
		{"a nil pointer", func() { _ = (*private)(nil).text }, "panic: runtime error: invalid memory address or nil pointer dereference"},
		{"a conversion", func() { _ = any(secret).(int) }, "panic: interface conversion: interface {} is string, not int"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLookup(t, func(c *lookup.Config) {
				c.Fetch = func(context.Context, string) (*voximplant.KeyValueItem, error) {
					tt.panic()
					return nil, nil
				}
			})
			for range 2 { // the second shows that the first left nothing behind
				a, err := l.Item(t.Context(), "a")
				checkPanic(t, err, tt.want)
				if a.Item != nil || a.Source != lookup.FromNowhere {
					t.Errorf("Item = %+v; want no item, from nowhere", a)
				}
			}
		})
	}
}

func checkPanic(t *testing.T, err error, want string) {
	t.Helper()
	panicked, ok := errors.AsType[*lookup.PanicError](err)
	if !ok {
		t.Fatalf("err = %v; want a *PanicError", err)
	}
	if got := panicked.Error(); got != want {
		t.Errorf("Error() = %q; want %q", got, want)
	}
	stack := string(panicked.Stack)
	if !strings.Contains(stack, "TestPanicText") || strings.Contains(stack, secret) {
		t.Errorf("Stack = %s\nwant one that names who panicked, and not with what", stack)
	}
}

func TestRecoverKeepsOtherErrors(t *testing.T) {
	t.Parallel()
	want := errors.New("fault")
	got := func() (err error) {
		defer lookup.Recover(&err)
		return want
	}()
	if !errors.Is(got, want) {
		t.Errorf("Recover made of %v: %v; want it unchanged", want, got)
	}
}
