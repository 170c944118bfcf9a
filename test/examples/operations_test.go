package examples

import (
	"os"
	"regexp"
	"testing"
)

// TestDocumentedOperations makes each direct invocation of the table in docs/direct-invocation.md, in an order that gives its answers.
func TestDocumentedOperations(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/direct-invocation.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][2]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\{\"operation\":\"([a-z]+)\".*?\\})` \\| (?:`(.*?)`|(.*?))[ ,|]").FindAllStringSubmatch(string(page), -1) {
		rows[row[2]] = [2]string{row[1], row[3]}
	}
	f := newStorage(t).Function(t, map[string]string{"ALLOWED_KEYS": "order:1001*", "ALLOW_WRITES": "true"})
	for _, operation := range []string{"set", "list", "keys", "delete"} {
		payload := regexp.MustCompile(`"prefix":"order:"`).ReplaceAllString(rows[operation][0], `"prefix":"order:1001"`)
		got, err := f.Direct(t.Context(), []byte(payload))
		if err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		answer := regexp.MustCompile(`"expires_at":\d+`).ReplaceAllString(string(got), `"expires_at":1795451572`)
		want := map[string]string{
			"set":    `{"key":"order:1001","value":"ringing","expires_at":1795451572}`,
			"keys":   `{"items":[{"key":"order:1001","expires_at":1795451572}],"next_offset":null}`,
			"list":   rows["list"][1],
			"delete": rows["delete"][1],
		}[operation]
		if want == "" || answer != want {
			t.Errorf("%s gives %s; want %s", payload, answer, want)
		}
	}
}
