package gateway

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An event has the members that are needed of the events of all senders. A member that is empty, in whatever type, counts
// as absent.
type event struct {
	Version           text   `json:"version"`
	HTTPMethod        text   `json:"httpMethod"`
	Path              text   `json:"path"`
	RawPath           text   `json:"rawPath"`
	RawQueryString    text   `json:"rawQueryString"`
	Headers           fields `json:"headers"`
	MultiValueHeaders fields `json:"multiValueHeaders"`
	Query             fields `json:"queryStringParameters"`
	MultiValueQuery   fields `json:"multiValueQueryStringParameters"`
	RequestContext    struct {
		Stage text             `json:"stage"`
		ELB   object[struct{}] `json:"elb"`
		HTTP  object[struct {
			Method text `json:"method"`
		}] `json:"http"`
		Authorizer jsontext.Value `json:"authorizer"` // in whatever form: claims reads it
	} `json:"requestContext"`
}

// decode returns the event in payload and its sender. It returns false if no sender sends such events, or if a member has
// another type than in an event and is not empty.
func decode(payload []byte) (*event, sender, bool) {
	e := new(event)
	if unmarshal(payload, e) != nil {
		return nil, sender{}, false
	}
	from, ok := e.sender()
	return e, from, ok
}

// text is a string.
type text string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != jsontext.KindString {
		return skipEmpty(d)
	}
	return json.UnmarshalDecode(d, (*string)(t))
}

// An object is a JSON object. If it is absent, members is nil.
type object[T any] struct{ members *T }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (o *object[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != jsontext.KindBeginObject {
		return skipEmpty(d)
	}
	return json.UnmarshalDecode(d, &o.members)
}

// skipEmpty reads a value that has another type than in an event. It returns an error unless the value is empty.
func skipEmpty(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	if err == nil && !isEmpty(value) {
		err = errors.New("a member has another type than in an event")
	}
	return err
}

// fields are headers or query parameters in the order of the event. A list of values becomes several fields of one name.
type fields []field

type field struct{ name, value string }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (f *fields) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != jsontext.KindBeginObject {
		return skipEmpty(d)
	}
	return each(d, jsontext.KindEndObject, func() error {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		if d.PeekKind() == jsontext.KindBeginArray {
			return each(d, jsontext.KindEndArray, func() error { return f.add(d, name) })
		}
		return f.add(d, name)
	})
}

// add reads one value of the field name. Values that are not strings count as absent.
func (f *fields) add(d *jsontext.Decoder, name string) error {
	if d.PeekKind() != jsontext.KindString {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	*f = append(*f, field{name, token.String()})
	return err
}

// each reads an object or an array up to its end. It calls read wherever a member or an element begins.
func each(d *jsontext.Decoder, end jsontext.Kind, read func() error) error {
	_, err := d.ReadToken()
	for err == nil && d.PeekKind() != end {
		err = read()
	}
	if err == nil {
		_, err = d.ReadToken()
	}
	return err
}
