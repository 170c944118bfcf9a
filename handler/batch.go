package handler

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"voxkv/internal/problem"
	"voxkv/lookup"
)

const (
	// maxKeys bounds the keys of one direct invocation, defaultMaxKeys those of
	// one HTTP request where Handler.MaxKeys is 0.
	maxKeys        = 50
	defaultMaxKeys = 10
)

// findAll looks up to most keys up side by side. A key that fails does not keep
// the others from being answered.
func (h *Handler) findAll(ctx context.Context, keys []string, most int, e *entry) ([]lookup.Result, error) {
	if len(keys) == 0 {
		return nil, problem.BadRequest(problem.InvalidRequest, "The list holds no key.")
	}
	if err := problem.CheckCount(len(keys), most); err != nil {
		return nil, err
	}
	e.batch = problem.OfResults(lookup.Several(ctx, keys, h.Lookup))
	return e.batch, nil
}

// items serves several items at once. Only if each key has one may a browser
// keep the response, as long as it may keep the shortest-lived of them.
func (h *Handler) items(w http.ResponseWriter, r *http.Request, keys []string, e *entry) error {
	all, err := h.findAll(r.Context(), keys, cmp.Or(h.MaxKeys, defaultMaxKeys), e)
	if err != nil {
		return err
	}
	answers := batch[wireItem]{Items: map[string]*wireItem{}, Errors: map[string]batchError{}}
	for _, f := range all {
		answers.add(f, func(a lookup.Answer) wireItem { return wire(a.Item) })
	}
	body, err := json.Marshal(answers)
	if err != nil {
		return err
	}
	e.status = h.serveFresh(w, r, body, jsonType, shortest(all), true)
	return nil
}

// A batch is the answer to several keys: each is in Items, absent ones as
// null, or in Errors.
type batch[Item any] struct {
	Items  map[string]*Item      `json:"items"`
	Errors map[string]batchError `json:"errors"`
}

type batchError struct {
	Code         string `json:"code"`
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
}

func (b *batch[Item]) add(f lookup.Result, item func(lookup.Answer) Item) {
	switch {
	case f.Err == nil:
		b.Items[f.Key] = new(item(f.Answer))
	case f.Absent():
		b.Items[f.Key] = nil
	default:
		p := problem.Of(f.Err)
		b.Errors[f.Key] = batchError{string(p.Code), p.ErrorType(), p.Detail}
	}
}

// shortest is an answer with the least life and the greatest age of all; with
// none to live if a key has no item.
func shortest(all []lookup.Result) lookup.Answer {
	a := all[0].Answer
	for _, f := range all {
		if f.Err != nil {
			return lookup.Answer{}
		}
		a.Left, a.Age = min(a.Left, f.Answer.Left), max(a.Age, f.Answer.Age)
	}
	return a
}
