package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// maxWrappings is the most encodings that a document may be in, one inside the other.
const maxWrappings = 4

// unwrap decodes what tools encode a document in: UTF-16 and byte order marks come
// from Windows, base64 from CI variables, and a JSON string from scripts that pass
// the document on as text. It makes line breaks into spaces, because JSON forbids
// them in a string, and a PEM that was pasted into one brings its own.
func unwrap(document []byte) ([]byte, error) {
	for range maxWrappings {
		text, err := toUTF8(document)
		if err != nil {
			return nil, err
		}
		inner, ok := decodeBase64(text)
		switch {
		case len(text) == 0:
			return nil, errors.New("the document is empty")
		case text[0] == '"':
			var unquoted string
			if json.Unmarshal(text, &unquoted) != nil {
				return nil, errors.New("the document is a JSON string that is damaged or cut short")
			}
			document = []byte(unquoted)
		case ok && isObject(inner):
			document = inner
		default:
			return text, nil
		}
	}
	return nil, errors.New("the document is encoded too often")
}

// toUTF8 returns document in UTF-8, on one line, without a byte order mark and
// without white space around it. UTF-16 is recognised by its byte order mark or by
// its zero bytes: JSON begins with an ASCII character, and so one of the first two
// bytes is zero (RFC 4627 section 3).
func toUTF8(document []byte) ([]byte, error) {
	var order binary.ByteOrder
	switch {
	case len(document) < 2:
	case document[0] == 0xff && document[1] == 0xfe, document[0] != 0 && document[1] == 0:
		order = binary.LittleEndian
	case document[0] == 0xfe && document[1] == 0xff, document[0] == 0 && document[1] != 0:
		order = binary.BigEndian
	}
	if order != nil {
		if len(document)%2 != 0 {
			return nil, errors.New("the document is UTF-16 and ends within a character")
		}
		units := make([]uint16, len(document)/2)
		for i := range units {
			units[i] = order.Uint16(document[2*i:])
		}
		document = []byte(string(utf16.Decode(units)))
	}
	if !utf8.Valid(document) {
		return nil, errors.New("the document is neither UTF-8 nor UTF-16")
	}
	document = bytes.TrimPrefix(document, []byte("\ufeff"))
	return bytes.TrimSpace([]byte(strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(string(document)))), nil
}

// isObject reports whether document looks like a JSON object, or like a JSON
// string that may have one in it.
func isObject(document []byte) bool {
	text, err := toUTF8(document)
	return err == nil && len(text) > 0 && (text[0] == '{' || text[0] == '"')
}

// decodeBase64 reads base64 of both alphabets (RFC 4648 sections 4 and 5), with
// padding or without, and with any white space in it.
func decodeBase64(text []byte) ([]byte, bool) {
	joined := strings.TrimRight(strings.Join(strings.Fields(string(text)), ""), "=")
	decoded, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(joined))
	return decoded, err == nil
}
