// Package itemjson is the JSON of items, which is the same over HTTP and in
// direct invocation.
package itemjson

import (
	"voxkv/internal/problem"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// An Item is an item. Nothing in it depends on the time of the answer: a cached
// response would then be wrong, and no ETag would ever match.
type Item struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	ExpiresAt *int64 `json:"expires_at"` // Unix seconds; nil if unknown
}

// Of returns the JSON of item.
func Of(item *voximplant.KeyValueItem) Item {
	i := Item{Key: item.Key, Value: item.Value}
	if !item.ExpiresAt.IsZero() {
		i.ExpiresAt = new(item.ExpiresAt.Unix())
	}
	return i
}

// A Several is the answer to several keys. Each key is in Items, with null if it
// is absent, or in Errors.
type Several[Item any] struct {
	Items  map[string]*Item `json:"items"`
	Errors map[string]Error `json:"errors"`
}

// An Error is why one of several keys has no answer.
type Error struct {
	Code         problem.Code `json:"code"`
	ErrorType    string       `json:"errorType"`
	ErrorMessage string       `json:"errorMessage"`
}

// OfResults returns the answer to several keys; item makes what stands for one.
func OfResults[Item any](results []lookup.Result, item func(lookup.Answer) Item) Several[Item] {
	s := Several[Item]{Items: map[string]*Item{}, Errors: map[string]Error{}}
	for _, r := range results {
		switch {
		case r.Err == nil:
			s.Items[r.Key] = new(item(r.Answer))
		case r.Absent():
			s.Items[r.Key] = nil
		default:
			p := problem.Of(r.Err)
			s.Errors[r.Key] = Error{p.Code, p.ErrorType(), p.Detail}
		}
	}
	return s
}
