package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

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

// A directItem is an item and how long its caller may keep it.
type directItem struct {
	wireItem
	MaxAge int64 `json:"max_age"` // seconds
}

func (h *Handler) directItem(a lookup.Answer) directItem {
	return directItem{wire(a.Item), max(fresh(a, h.MaxAge, true).maxAge, 0)}
}

// A directRequest is the payload of a direct invocation: one of Key, Keys and
// Operation says what is asked for.
type directRequest struct {
	Key       *string   `json:"key"`
	Keys      *[]string `json:"keys"`
	Operation *string   `json:"operation"`

	// What follows is for operations.
	Value     *string `json:"value"`
	TTL       *int64  `json:"ttl"`        // seconds
	ExpiresAt *int64  `json:"expires_at"` // Unix seconds
	Prefix    string  `json:"prefix"`
	Offset    int     `json:"offset"`
	Count     int     `json:"count"`
}

// maxPayload is far more than 50 keys or a value take. Lambda lets 6 MB through,
// which as a list of short keys would take a hundred of memory.
const maxPayload = 1 << 20

const accepted = `A direct invocation takes {"key":"…"}, a list of such, {"keys":["…"]} or {"operation":"list|keys|set|delete",…}.`

// Direct answers an invocation with {"key":"…"}: the item with max_age, or null
// where HTTP says 404, so that an absent key is an answer and no error.
// {"keys":[…]} is answered key by key, [{"key":"…"},…] by a list, and
// {"operation":…} by Storage. The error is a *FunctionError.
func (h *Handler) Direct(ctx context.Context, payload []byte) ([]byte, error) {
	e := h.begin(ctx, nil)
	ctx = e.trace(ctx)
	e.route, e.status = "direct", http.StatusOK
	var answer []byte
	err := h.guarded(func() error {
		result, err := h.direct(ctx, payload, e)
		if err != nil {
			return err
		}
		answer, err = json.Marshal(result)
		return err
	})
	if err != nil {
		e.fail(err)
	}
	h.log(ctx, e)
	switch {
	case errors.Is(err, voximplant.ErrNotFound):
		return []byte("null"), nil
	case err != nil:
		return nil, &FunctionError{Type: e.problem.errorType(), Message: e.problem.Detail}
	}
	return answer, nil
}

func (h *Handler) direct(ctx context.Context, payload []byte, e *entry) (any, error) {
	if len(payload) > maxPayload {
		return nil, &invalidError{"A direct invocation takes 1 MiB at most."}
	}
	if bytes.HasPrefix(bytes.TrimSpace(payload), []byte("[")) {
		return h.directList(ctx, payload, e)
	}
	var request directRequest
	// encoding/json would mend bytes that are no text, and so change a value.
	if err := json.Unmarshal(payload, &request); err != nil || !utf8.Valid(payload) {
		return nil, &invalidError{wrongMember(err) + accepted}
	}
	switch {
	case request.Operation != nil:
		return h.operate(ctx, request, e)
	case request.Keys != nil && request.Key == nil:
		return h.directBatch(ctx, *request.Keys, e)
	case request.Key != nil && request.Keys == nil:
		a, err := h.find(ctx, *request.Key, e)
		if err != nil {
			return nil, err
		}
		return h.directItem(a), nil
	}
	return nil, &invalidError{accepted}
}

// wrongMember names the member whose JSON type is wrong, if that is what err says.
func wrongMember(err error) string {
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && typed.Field != "" {
		return fmt.Sprintf("The member %q has the wrong JSON type. ", typed.Field)
	}
	return ""
}

func (h *Handler) directBatch(ctx context.Context, keys []string, e *entry) (any, error) {
	all, err := h.findAll(ctx, keys, e)
	if err != nil {
		return nil, err
	}
	answers := batch[directItem]{Items: map[string]*directItem{}, Errors: map[string]batchError{}}
	for _, f := range all {
		answers.add(f, h.directItem)
	}
	return answers, nil
}

// directList answers a list of requests with the list of their items, null for
// absent ones: what EventBridge Pipes sends to and wants from an enrichment.
// It retries the whole list, so one failure fails it.
func (h *Handler) directList(ctx context.Context, payload []byte, e *entry) (any, error) {
	var requests []struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(payload, &requests); err != nil {
		return nil, &invalidError{wrongMember(err) + accepted}
	}
	keys := make([]string, len(requests))
	for i, request := range requests {
		keys[i] = request.Key
	}
	all, err := h.findAll(ctx, keys, e)
	if err != nil {
		return nil, err
	}
	items := make([]*directItem, len(all))
	for i, f := range all {
		switch {
		case f.err == nil:
			items[i] = new(h.directItem(f.answer))
		case !f.absent():
			return nil, f.err
		}
	}
	return items, nil
}

// operate serves the operations on the storage.
func (h *Handler) operate(ctx context.Context, request directRequest, e *entry) (any, error) {
	operation, known := map[string]func(context.Context, directRequest, *entry) (any, error){
		"list": h.list, "keys": h.listKeys, "set": h.set, "delete": h.delete,
	}[*request.Operation]
	switch {
	case h.Storage == nil:
		return nil, &invalidError{"Operations are not offered here."}
	case !known:
		return nil, &invalidError{accepted}
	}
	e.route = "direct " + *request.Operation
	return operation(ctx, request, e)
}

// noteKey has the log line show key, if it is one.
func (e *entry) noteKey(key string) error {
	err := checkKey(key)
	if err == nil {
		e.key = key
	}
	return err
}

func (h *Handler) set(ctx context.Context, request directRequest, e *entry) (any, error) {
	if request.Key == nil || request.Value == nil {
		return nil, &invalidError{`set takes {"operation":"set","key":"…","value":"…"} and ttl in seconds or expires_at in Unix seconds.`}
	}
	if err := e.noteKey(*request.Key); err != nil {
		return nil, err
	}
	var life voximplant.Lifetime
	if request.TTL != nil {
		// Beyond the API's limit nanoseconds could overflow.
		life.TTL = new(time.Duration(min(max(*request.TTL, -1), int64(voximplant.MaxTTL/time.Second)+1)) * time.Second)
	}
	if request.ExpiresAt != nil {
		life.ExpiresAt = time.Unix(*request.ExpiresAt, 0)
	}
	item, err := h.Storage.Set(ctx, *request.Key, *request.Value, life)
	if err != nil {
		return nil, err
	}
	return wire(item), nil
}

func (h *Handler) delete(ctx context.Context, request directRequest, e *entry) (any, error) {
	if request.Key == nil {
		return nil, &invalidError{`delete takes {"operation":"delete","key":"…"}.`}
	}
	if err := e.noteKey(*request.Key); err != nil {
		return nil, err
	}
	return nil, h.Storage.Delete(ctx, *request.Key)
}

// A page is a part of a list. NextOffset asks for the part after it; it is null
// after the last.
type page struct {
	Items      []any `json:"items"`
	NextOffset *int  `json:"next_offset"`
}

func (r directRequest) page() voximplant.Page {
	return voximplant.Page{Offset: r.Offset, Count: r.Count}
}

func (h *Handler) list(ctx context.Context, request directRequest, _ *entry) (any, error) {
	if request.Prefix == "" {
		return nil, &invalidError{`list takes {"operation":"list","prefix":"…"}, and offset and count if need be.`}
	}
	items, next, err := h.Storage.Items(ctx, request.Prefix, request.page())
	return pageOf(items, next, func(item *voximplant.KeyValueItem) any { return wire(item) }), err
}

// A wireKey is an item without its value.
type wireKey struct {
	Key       string `json:"key"`
	ExpiresAt *int64 `json:"expires_at"` // Unix seconds
}

func (h *Handler) listKeys(ctx context.Context, request directRequest, _ *entry) (any, error) {
	items, next, err := h.Storage.Keys(ctx, request.Prefix, request.page())
	return pageOf(items, next, func(item *voximplant.KeyValueItem) any {
		w := wire(item)
		return wireKey{w.Key, w.ExpiresAt}
	}), err
}

func pageOf(items []voximplant.KeyValueItem, next int, wire func(*voximplant.KeyValueItem) any) page {
	p := page{Items: make([]any, 0, len(items))}
	for i := range items {
		p.Items = append(p.Items, wire(&items[i]))
	}
	if next > 0 {
		p.NextOffset = &next
	}
	return p
}
