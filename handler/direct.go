package handler

import (
	"context"
	"encoding/json"
	"errors"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// A FunctionError is a failed direct invocation: a Lambda function error.
type FunctionError struct {
	Type    string // stable: InvalidRequest, UpstreamBusy, UpstreamUnavailable, UpstreamTimeout, UpstreamFailure, InternalError
	Message string
}

func (e *FunctionError) Error() string { return e.Message }

// ErrorType is the errorType of the function error.
func (e *FunctionError) ErrorType() string { return e.Type }

// A directAnswer is an item and how long its caller may keep it.
type directAnswer struct {
	wireItem
	MaxAge int64 `json:"max_age"` // seconds
}

// Direct answers an invocation with {"key":"…"}: the item with max_age, or null
// where HTTP says 404, so that an absent key is an answer and no error. The
// error is a *FunctionError.
func (h *Handler) Direct(ctx context.Context, payload []byte) ([]byte, error) {
	e := h.begin(ctx)
	e.route, e.private = "direct", true
	var a lookup.Answer
	err := h.guarded(func() (err error) {
		a, err = h.answerDirect(ctx, payload, e)
		return err
	})
	if err != nil {
		e.fail(err)
	} else {
		e.status = 200
	}
	h.log(ctx, e)
	switch {
	case err == nil:
		f := fresh(a, h.MaxAge, true)
		return json.Marshal(directAnswer{wire(a.Item), max(f.maxAge, 0)})
	case errors.Is(err, voximplant.ErrNotFound):
		return []byte("null"), nil
	}
	return nil, &FunctionError{Type: e.problem.errorType(), Message: e.problem.Detail}
}

func (h *Handler) answerDirect(ctx context.Context, payload []byte, e *entry) (lookup.Answer, error) {
	var request struct {
		Key *string `json:"key"`
	}
	if json.Unmarshal(payload, &request) != nil || request.Key == nil {
		return lookup.Answer{}, &invalidError{`A direct invocation takes {"key":"…"}, the key being a string.`}
	}
	return h.find(ctx, *request.Key, e)
}
