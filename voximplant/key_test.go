package voximplant_test

import (
	"strings"
	"testing"

	"voxkv/voximplant"
)

func TestCheckKey(t *testing.T) {
	t.Parallel()
	const letter = "the key has a character outside a-z A-Z 0-9 а-я А-Я ё Ё _ - : ; . # +"
	tests := []struct{ name, key, want string }{
		{"the alphabet", "azAZ09аяАЯёЁ_-:;.#+", ""},
		{"one character", "a", ""},
		{"200 Cyrillic letters", strings.Repeat("я", 200), ""},
		{"composed й", "\u0439", ""},
		{"empty", "", "the key is empty"},
		{"201 Cyrillic letters", strings.Repeat("я", 201), "the key has more than 200 characters"},
		{"decomposed й", "и\u0306", letter},
		{"Ukrainian і", "і", letter},
		{"before а", "ѐ", letter},
		{"newline at the end", "a\n", letter},
		{"space", "a b", letter},
		{"slash", "a/b", letter},
		{"at", "a@b.c", letter},
		{"brackets", "[a]", letter},
		{"invalid UTF-8", "a\xff", letter},
		{"replacement character", "\ufffd", letter},
	}
	for _, test := range tests {
		err := voximplant.CheckKey(test.key)
		if (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
			t.Errorf("CheckKey of %s = %v; want %q", test.name, err, test.want)
		}
	}
}
