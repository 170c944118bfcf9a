package allowlist_test

import (
	"log/slog"
	"strings"
	"testing"

	"voxkv/allowlist"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		list string
		ok   bool
	}{
		{"an exact key", "status", true},
		{"a prefix", "order:*", true},
		{"everything", "*", true},
		{"a list", "status,order:*,a+b,a#b,a;b", true},
		{"spaces around commas", " status ,\torder:* ,\nx", true},
		{"Cyrillic", "ключЁё,весна*", true},
		{"the longest key", strings.Repeat("ё", 200), true},
		{"the longest prefix", strings.Repeat("ё", 200) + "*", true},
		{"the same twice", "a,a,a*", true},

		{"nothing", "", false},
		{"spaces alone", "  ", false},
		{"an empty pattern between", "a,,b", false},
		{"an empty pattern at the end", "a,", false},
		{"a blank pattern", "a, ,b", false},
		{"a star in the middle", "a*b", false},
		{"a star in front", "*a", false},
		{"two stars", "a**", false},
		{"two stars alone", "**", false},
		{"a space inside", "a b", false},
		{"a slash", "a/b", false},
		{"a percent sign", "%D0%BA", false},
		{"a letter outside the alphabet", "café", false},
		{"bytes that are not UTF-8", "a\xff", false},
		{"a key too long", strings.Repeat("ё", 201), false},
		{"a prefix too long", strings.Repeat("ё", 201) + "*", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := allowlist.Parse(tt.list)
			if (err == nil) != tt.ok {
				t.Errorf("Parse(%q) = _, %v; want an error: %t", tt.list, err, !tt.ok)
			}
			if err != nil && (s.Everything() || s.Decide("a", allowlist.Caller{}).Allowed) {
				t.Errorf("Parse(%q) = a scope that allows keys, and an error", tt.list)
			}
		})
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		list, key string
		want      bool
	}{
		{"status", "status", true},
		{"status", "status:", false},
		{"status", "statu", false},
		{"status", "Status", false},
		{"status", "", false},
		{"status:*", "status:", true},
		{"status:*", "status:1", true},
		{"status:*", "status", false},
		{"status:*", "status-secret", false},
		{"status:*", "my-status:1", false},
		{"status*", "status-secret", true},
		{"status:*", "Status:1", false},
		{"status:*", "status:*", true}, // no key for the API, and none of the scope's business
		{"a,b*", "a", true},
		{"a,b*", "ab", false},
		{"a,b*", "ba", true},
		{"a , b*", "a", true},
		{"весна*", "весна:1", true},
		{"весна*", "весн", false},
		{"ё", "е", false},
		{"*", "anything", true},
		{"*", "", true},
		{"a,*", "b", true},
	}
	for _, tt := range tests {
		var s allowlist.List
		if err := s.UnmarshalText([]byte(tt.list)); err != nil {
			t.Fatal(err)
		}
		if got := s.Decide(tt.key, allowlist.Caller{}).Allowed; got != tt.want {
			t.Errorf("scope %q: Allows(%q) = %t; want %t", tt.list, tt.key, got, tt.want)
		}
	}
}

func TestZeroList(t *testing.T) {
	t.Parallel()
	var s allowlist.List
	if s.Decide("a", allowlist.Caller{}).Allowed || s.Decide("", allowlist.Caller{}).Allowed || s.Everything() {
		t.Error("the zero List allows a key; want none")
	}
}

func TestEverything(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]bool{"*": true, "a,*": true, "a": false, "a*": false} {
		s, err := allowlist.Parse(list)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Everything(); got != want {
			t.Errorf("scope %q: Everything() = %t; want %t", list, got, want)
		}
	}
}

// TestListInLogs: prefixes are policy, exact keys may be phone numbers.
func TestListInLogs(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"order:*,+15550100,+15550199,я*": `{"exact":2,"prefixes":["order:","я"]}`,
		"+15550100":                      `{"exact":1,"prefixes":[]}`,
		"*":                              `{"exact":0,"prefixes":[""]}`,
	} {
		scope, err := allowlist.Parse(list)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		slog.New(slog.NewJSONHandler(&b, nil)).Info("start", "scope", scope)
		if !strings.Contains(b.String(), `"scope":`+want+"}") {
			t.Errorf("the scope %s is logged as %s; want %s", list, b.String(), want)
		}
	}
}
