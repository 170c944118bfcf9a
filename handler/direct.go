package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"voxkv/internal/problem"
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
	Value     *string  `json:"value"`
	TTL       *integer `json:"ttl"`        // seconds
	ExpiresAt *integer `json:"expires_at"` // Unix seconds
	Prefix    string   `json:"prefix"`
	Offset    integer  `json:"offset"`
	Count     integer  `json:"count"`
}

// An integer is a JSON number without a fraction, however it is written: 60,
// 60.0 and 6e1 are one number (RFC 8259 section 6).
type integer int64

// UnmarshalJSON reads a JSON number; null changes nothing. Beyond 2^53 only
// digits are exact.
func (i *integer) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(string(text), 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return errors.New("not an integer")
		}
		n = int64(f)
	}
	*i = integer(n)
	return nil
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
		return nil, &FunctionError{Type: e.problem.ErrorType(), Message: e.problem.Detail}
	}
	return answer, nil
}

func (h *Handler) direct(ctx context.Context, payload []byte, e *entry) (any, error) {
	if len(payload) > maxPayload {
		return nil, problem.BadRequest(problem.PayloadTooLarge, "A direct invocation takes 1 MiB at most.")
	}
	if bytes.HasPrefix(bytes.TrimSpace(payload), []byte("[")) {
		return h.directList(ctx, payload, e)
	}
	var request directRequest
	if err := decode(payload, &request); err != nil {
		return nil, err
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
	return nil, problem.BadRequest(problem.InvalidRequest, accepted)
}

// decode reads a payload into request. Names of members are told apart by their
// letter case and stand once; a string is text, without half a surrogate pair.
// Other readers would each mend such a payload in their own way.
func decode(payload []byte, request any) error {
	if err := jsonv2.Unmarshal(payload, request); err != nil {
		return problem.BadRequest(problem.InvalidRequest, whyUnreadable(payload, err)+" "+accepted)
	}
	return nil
}

// whyUnreadable repeats nothing of the payload but the name of a member of ours.
func whyUnreadable(payload []byte, err error) string {
	if wrong, ok := errors.AsType[*jsonv2.SemanticError](err); ok {
		if member := memberOf(wrong.JSONPointer); member != "" {
			return fmt.Sprintf("The member %q has the wrong JSON type.", member)
		}
		return "The payload has the wrong JSON type."
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "A member stands twice in one object."
	case jsontext.Value(payload).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)):
		return "A string is no text: it has bytes that are no UTF-8, or half a surrogate pair."
	}
	return "The payload cannot be read as JSON."
}

// memberOf is the last name in p that is no index of a list.
func memberOf(p jsontext.Pointer) (name string) {
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err != nil {
			name = token
		}
	}
	return name
}

func (h *Handler) directBatch(ctx context.Context, keys []string, e *entry) (any, error) {
	all, err := h.findAll(ctx, keys, maxKeys, e)
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
	if err := decode(payload, &requests); err != nil {
		return nil, err
	}
	keys := make([]string, len(requests))
	for i, request := range requests {
		keys[i] = request.Key
	}
	all, err := h.findAll(ctx, keys, maxKeys, e)
	if err != nil {
		return nil, err
	}
	items := make([]*directItem, len(all))
	for i, f := range all {
		switch {
		case f.Err == nil:
			items[i] = new(h.directItem(f.Answer))
		case !f.Absent():
			return nil, f.Err
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
		return nil, problem.BadRequest(problem.UnknownOperation, "Operations are not offered here.")
	case !known:
		return nil, problem.BadRequest(problem.UnknownOperation, accepted)
	}
	e.route = "direct " + *request.Operation
	return operation(ctx, request, e)
}

// noteKey has the log line show key, if it is one.
func (e *entry) noteKey(key string) error {
	err := lookup.CheckKey(key)
	if err == nil {
		e.key = key
	}
	return err
}

func (h *Handler) set(ctx context.Context, request directRequest, e *entry) (any, error) {
	if request.Key == nil || request.Value == nil {
		return nil, problem.BadRequest(problem.InvalidRequest, `set takes {"operation":"set","key":"…","value":"…"} and ttl in seconds or expires_at in Unix seconds.`)
	}
	if err := e.noteKey(*request.Key); err != nil {
		return nil, err
	}
	var life voximplant.Lifetime
	if request.TTL != nil {
		// Beyond the API's limit nanoseconds could overflow.
		life.TTL = new(time.Duration(min(max(*request.TTL, -1), integer(voximplant.MaxTTL/time.Second)+1)) * time.Second)
	}
	if request.ExpiresAt != nil {
		life.ExpiresAt = time.Unix(int64(*request.ExpiresAt), 0)
	}
	item, err := h.Storage.Set(ctx, *request.Key, *request.Value, life)
	if err != nil {
		return nil, err
	}
	return wire(item), nil
}

func (h *Handler) delete(ctx context.Context, request directRequest, e *entry) (any, error) {
	if request.Key == nil {
		return nil, problem.BadRequest(problem.InvalidRequest, `delete takes {"operation":"delete","key":"…"}.`)
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
	return voximplant.Page{Offset: int(r.Offset), Count: int(r.Count)}
}

func (h *Handler) list(ctx context.Context, request directRequest, _ *entry) (any, error) {
	if request.Prefix == "" {
		return nil, problem.BadRequest(problem.InvalidRequest, `list takes {"operation":"list","prefix":"…"}, and offset and count if need be.`)
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
