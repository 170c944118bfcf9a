package handler

import (
	"encoding/json"
	"net/http"

	"voxkv/internal/itemjson"
	"voxkv/voximplant"
)

const (
	jsonType    = "application/json; charset=utf-8"
	rawType     = "text/plain; charset=utf-8"
	problemType = "application/problem+json"
)

// A form is a way to write an item. Each form has a path of its own: a cache that
// leaves anything but the path out of its cache key cannot mix two forms up.
type form struct {
	contentType string
	header      http.Header // further fields of the response; may be nil
	encode      func(*voximplant.KeyValueItem) []byte

	// absent is the body of a 200 where there is no item. If it is "", an absent
	// item is a 404.
	absent string
}

func itemForm() form { return form{contentType: jsonType, encode: encodeItem} }

// optionalForm is for pages that watch an item: browsers write each 404 into the
// console, whatever the page does about it.
func optionalForm() form {
	f := itemForm()
	f.absent = "null"
	return f
}

func parsedForm() form { return form{contentType: jsonType, encode: encodeParsed} }

// rawForm is the value alone. Its header keeps a browser from showing it as a
// page, whatever the value holds.
func rawForm() form {
	return form{
		contentType: rawType,
		header: http.Header{
			"Content-Security-Policy": {"sandbox; default-src 'none'"},
			"Content-Disposition":     {`attachment; filename="value.txt"`},
		},
		encode: func(item *voximplant.KeyValueItem) []byte { return []byte(item.Value) },
	}
}

func encodeItem(item *voximplant.KeyValueItem) []byte {
	body, _ := json.Marshal(itemjson.Of(item)) // strings and a number always marshal
	return body
}

// encodeParsed adds the value as JSON if it is JSON, byte for byte: parsers differ
// on large numbers and on duplicate names.
func encodeParsed(item *voximplant.KeyValueItem) []byte {
	body := encodeItem(item)
	if !json.Valid([]byte(item.Value)) {
		return body
	}
	body = append(body[:len(body)-1], `,"value_json":`...)
	return append(append(body, item.Value...), '}')
}
