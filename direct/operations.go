package direct

import (
	"context"
	"time"

	"voxkv/allowlist"
	"voxkv/internal/itemjson"
	"voxkv/internal/panics"
	"voxkv/internal/problem"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// operate performs an operation on the storage.
func (h *Handler) operate(ctx context.Context, r request) (res response, err error) {
	defer panics.Recover(&err) // here, so that the line of a panic names the operation and the key
	operation, ok := map[string]func(*Items, context.Context, request) (any, error){
		"list": (*Items).list, "keys": (*Items).listKeys, "set": (*Items).set, "delete": (*Items).remove,
	}[*r.Operation]
	switch {
	case h.Items == nil:
		return res, problem.BadRequest(problem.UnknownOperation, "Operations are not offered here.")
	case !ok:
		return res, problem.BadRequest(problem.UnknownOperation, "There is no such operation. "+accepted)
	}
	res.operation = *r.Operation
	if err := r.checkMembers(); err != nil {
		return res, err
	}
	asked := r.Prefix
	if res.operation == "set" || res.operation == "delete" {
		asked, res.result.Key = *r.Key, *r.Key
		if err := lookup.CheckKey(*r.Key); err != nil {
			return res, err
		}
	}
	res.result.Answer.Rule = h.Items.Scope.Decide(asked, allowlist.CallerOf(ctx)) // for the log
	res.value, err = operation(h.Items, ctx, r)
	return res, err
}

// checkMembers refuses an operation without the members that it needs.
func (r request) checkMembers() error {
	switch {
	case *r.Operation == "set" && (r.Key == nil || r.Value == nil):
		return problem.BadRequest(problem.InvalidRequest, `set takes {"operation":"set","key":"…","value":"…"} and ttl in seconds or expires_at in Unix seconds.`)
	case *r.Operation == "delete" && r.Key == nil:
		return problem.BadRequest(problem.InvalidRequest, `delete takes {"operation":"delete","key":"…"}.`)
	case *r.Operation == "list" && r.Prefix == "":
		return problem.BadRequest(problem.InvalidRequest, `list takes {"operation":"list","prefix":"…"}, and optionally offset and count.`)
	}
	return nil
}

func (i *Items) set(ctx context.Context, r request) (any, error) {
	item, err := i.Set(ctx, *r.Key, *r.Value, r.lifetime())
	if err != nil {
		return nil, err
	}
	return itemjson.Of(item), nil
}

// lifetime is as the request has it, also where that is not accepted.
func (r request) lifetime() (life voximplant.Lifetime) {
	if r.TTL != nil {
		// Far beyond the API's limit nanoseconds would overflow.
		life.TTL = new(time.Duration(min(max(*r.TTL, -1), integer(voximplant.MaxTTL/time.Second)+1)) * time.Second)
	}
	if r.ExpiresAt != nil {
		life.ExpiresAt = time.Unix(int64(*r.ExpiresAt), 0)
	}
	return life
}

func (i *Items) remove(ctx context.Context, r request) (any, error) {
	return nil, i.Delete(ctx, *r.Key)
}

func (i *Items) list(ctx context.Context, r request) (any, error) {
	items, next, err := i.List(ctx, r.Prefix, r.page())
	return pageOf(items, next, itemjson.Of), err
}

// A key is an item without its value.
type key struct {
	Key       string `json:"key"`
	ExpiresAt *int64 `json:"expires_at"` // Unix seconds
}

func (i *Items) listKeys(ctx context.Context, r request) (any, error) {
	items, next, err := i.ListKeys(ctx, r.Prefix, r.page())
	return pageOf(items, next, func(item *voximplant.KeyValueItem) key {
		return key{item.Key, itemjson.Of(item).ExpiresAt}
	}), err
}

func (r request) page() voximplant.Page {
	return voximplant.Page{Offset: int(r.Offset), Count: int(r.Count)}
}

// A page is a part of a list. NextOffset asks for the part after it; it is null
// after the last part.
type page[Element any] struct {
	Items      []Element `json:"items"`
	NextOffset *int      `json:"next_offset"`
}

func pageOf[Element any](items []voximplant.KeyValueItem, next int, element func(*voximplant.KeyValueItem) Element) page[Element] {
	p := page[Element]{Items: make([]Element, 0, len(items))}
	for i := range items {
		p.Items = append(p.Items, element(&items[i]))
	}
	if next > 0 {
		p.NextOffset = &next
	}
	return p
}
