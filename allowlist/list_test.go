package allowlist_test

import (
	"log/slog"
	"strings"
	"testing"

	"voxkv/allowlist"
)

// TestAllows is for rules that need no caller.
func TestAllows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		list, key string
		want      bool
	}{
		{"status", "status", true},
		{"status", "status:", false},
		{"status", "statu", false},
		{"status", "Status", false},
		{"status:*", "status:", true},
		{"status:*", "status:1", true},
		{"status:*", "status", false},
		{"status:*", "my-status:1", false},
		{"status*", "status-secret", true},
		{"a,b*", "a", true},
		{"a,b*", "ab", false},
		{"a,b*", "ba", true},
		{"весна*", "весна:1", true},
		{"ё", "е", false},
		{"*", "anything", true},
		{"*", "", true},
	} {
		var l allowlist.List
		if l.Decide(tt.key, allowlist.Caller{}).Allowed {
			t.Errorf("the zero List allows %q", tt.key)
		}
		if err := l.UnmarshalText([]byte(tt.list)); err != nil {
			t.Fatal(err)
		}
		if got := l.Decide(tt.key, allowlist.Caller{}).Allowed; got != tt.want {
			t.Errorf("%s: Decide(%q).Allowed = %t; want %t", tt.list, tt.key, got, tt.want)
		}
	}
}

func TestEverything(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"*": true, "a,*": true, "a": false, "a*": false} {
		if got := list(t, text).Everything(); got != want {
			t.Errorf("%s: Everything() = %t; want %t", text, got, want)
		}
	}
	if (allowlist.List{}).Everything() {
		t.Error("the zero List allows everything; want nothing")
	}
}

// TestListInLogs: prefixes and rules with claims are policy, exact keys may be phone numbers.
func TestListInLogs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"order:*,+15550100,+15550199,я*": `{"exact":2,"prefixes":["order:","я"]}`,
		"+15550100":                      `{"exact":1,"prefixes":[]}`,
		"*":                              `{"exact":0,"prefixes":[""]}`,
		"feature:* max-age=1h, +15550100 max-age=2s, +15550199, order:{sub}:*, call:{phone_number} max-age=90s, я*": `{"exact":2,"prefixes":["feature:","я"],` +
			`"rules":["feature:* max-age=1h0m0s","(a key) max-age=2s","order:{sub}:*","call:{phone_number} max-age=1m30s"],"need_claims":2}`,
	} {
		var b strings.Builder
		slog.New(slog.NewJSONHandler(&b, nil)).Info("start", "list", list(t, text))
		if !strings.Contains(b.String(), `"list":`+want+"}") {
			t.Errorf("%s is logged as %s; want %s", text, b.String(), want)
		}
	}
}
