package voximplant

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// MaxKeyLength is the most characters that a key may have.
const MaxKeyLength = 200

// CheckKey returns an error if key is not one that the storage can hold: 1 to 200
// characters (not bytes) of the documented alphabet. The error does not quote key.
func CheckKey(key string) error {
	switch {
	case key == "":
		return errors.New("the key is empty")
	case utf8.RuneCountInString(key) > MaxKeyLength:
		return errors.New("the key has more than 200 characters")
	case strings.ContainsFunc(key, illegal):
		return errors.New("the key has a character outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +")
	}
	return nil
}

// illegal reports whether r is outside [a-zA-Z0-9а-яА-ЯёЁ_\-:;.#+], which is how
// the documentation of SetKeyValueItem writes the alphabet.
func illegal(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9',
		'а' <= r && r <= 'я', 'А' <= r && r <= 'Я', r == 'ё', r == 'Ё':
		return false
	}
	return !strings.ContainsRune("_-:;.#+", r)
}
