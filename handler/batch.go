package handler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"voxkv/lookup"
	"voxkv/voximplant"
)

const (
	// maxKeys bounds the keys of one direct invocation, defaultMaxKeys those of
	// one HTTP request where Handler.MaxKeys is 0.
	maxKeys        = 50
	defaultMaxKeys = 10

	// maxParallel bounds the questions that one request asks at a time.
	maxParallel = 8
)

// A found is what a lookup of one key came to.
type found struct {
	key    string
	answer lookup.Answer
	err    error
}

// absent reports whether the key has no item to show.
func (f found) absent() bool { return errors.Is(f.err, voximplant.ErrNotFound) }

// findAll looks up to most keys up side by side. A key that fails does not keep
// the others from being answered.
func (h *Handler) findAll(ctx context.Context, keys []string, most int, e *entry) ([]found, error) {
	switch {
	case len(keys) == 0:
		return nil, invalid("invalid_request", "The list holds no key.")
	case len(keys) > most:
		return nil, invalid("too_many_keys", fmt.Sprintf("At most %d keys may be asked for at once.", most))
	}
	all := make([]found, len(keys))
	var group errgroup.Group
	group.SetLimit(maxParallel)
	for i, key := range keys {
		group.Go(func() error {
			f := found{key: key}
			f.err = h.guarded(func() (err error) {
				if err := checkKey(key); err != nil {
					return err
				}
				f.answer, err = h.Lookup(ctx, key)
				return err
			})
			all[i] = f
			return nil
		})
	}
	err := group.Wait()
	settle(all)
	e.batch = all
	return all, err
}

// settle brings the answers to the time of the last one: the first may have
// lost its item while the others were waited for.
func settle(all []found) {
	var now time.Time
	for _, f := range all {
		if f.answer.At.After(now) {
			now = f.answer.At
		}
	}
	for i := range all {
		all[i].settle(now)
	}
}

func (f *found) settle(now time.Time) {
	if f.err != nil {
		return
	}
	waited := now.Sub(f.answer.At)
	f.answer.At, f.answer.Age = now, f.answer.Age+waited
	if f.answer.Item.ExpiresAt.IsZero() {
		return
	}
	if f.answer.Left -= waited; f.answer.Left <= 0 {
		f.answer.Item, f.err = nil, voximplant.ErrNotFound
	}
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

func (b *batch[Item]) add(f found, item func(lookup.Answer) Item) {
	switch {
	case f.err == nil:
		b.Items[f.key] = new(item(f.answer))
	case f.absent():
		b.Items[f.key] = nil
	default:
		p := problemOf(f.err)
		b.Errors[f.key] = batchError{p.Code, p.errorType(), p.Detail}
	}
}

// shortest is an answer with the least life and the greatest age of all; with
// none to live if a key has no item.
func shortest(all []found) lookup.Answer {
	a := all[0].answer
	for _, f := range all {
		if f.err != nil {
			return lookup.Answer{}
		}
		a.Left, a.Age = min(a.Left, f.answer.Left), max(a.Age, f.answer.Age)
	}
	return a
}
