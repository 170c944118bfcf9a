package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestHostileRequests is the half of E5-16 that comes from callers: requests that every gateway should refuse, but that
// reach the function. The other half comes from the storage; handler.TestHostileValues has it.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "CORS_ORIGINS=https://example.com", "LOG_KEYS=true")
	for _, evil := range []string{
		`<script>evil</script>`, `evil\r\nSet-Cookie: a=b`, `evil\u0000`, `evil\u2028`, `evil\ud800`, `\ud800\ud800evil`, "evil\xff\xfe", `../../evil`,
		`evil%0d%0aSet-Cookie:%20a=b`, `{\"evil\":1}`, `evil;\u202e`,
	} {
		for _, event := range []string{
			`{"httpMethod":"GET","path":"/v1/items/EVIL","headers":{"Origin":"EVIL","X-Request-Id":"EVIL"},"requestContext":{"requestId":"EVIL"}}`,
			`{"version":"2.0","rawPath":"/v1/items/EVIL","headers":{"origin":"EVIL","if-none-match":"EVIL"},"requestContext":{"http":{"method":"GET","path":"EVIL"}}}`,
			`{"version":"2.0","rawPath":"/v1/items","rawQueryString":"key=EVIL","headers":{"origin":"EVIL","host":"EVIL","x":"EVIL"},"requestContext":{"http":{"method":"GET"}}}`,
			`{"version":"2.0","rawPath":"/v1/items/a","headers":{"origin":"EVIL"},"requestContext":{"http":{"method":"EVIL"}}}`,
			`{"httpMethod":"GET","path":"/v1/items/EVIL","multiValueHeaders":{"origin":["EVIL"],"EVIL":["EVIL"]},"requestContext":{"elb":{}}}`,
			`{"key":"EVIL"}`, `{"keys":["EVIL"]}`, `{"operation":"EVIL"}`,
		} {
			s.checkHostile(t, strings.ReplaceAll(event, "EVIL", evil))
		}
	}
	if out := s.Output(); strings.Contains(out, "\x00") || strings.Contains(out, "\u2028") || !utf8.ValidString(out) {
		t.Errorf("the log repeats control characters")
	}
}

// checkHostile sends a payload that must be refused, without a word of it in the answer.
func (s *sandbox) checkHostile(t *testing.T, payload string) {
	t.Helper()
	result := s.invoke(t, payload)
	text := string(result.Payload)
	if !utf8.ValidString(text) || !json.Valid(result.Payload) {
		t.Errorf("%s: the answer %q is no JSON", payload, text)
	}
	batch := strings.Contains(payload, `"keys"`) && result.FunctionError == nil // names the keys that it was asked for
	if strings.Contains(text, "evil") && !batch {
		t.Errorf("%s: the answer repeats its input: %s", payload, text)
	}
	if result.FunctionError != nil {
		if result.FunctionError.Type != "InvalidRequest" {
			t.Errorf("%s: %v", payload, result.FunctionError)
		}
		return
	}
	var a answer
	if err := json.Unmarshal(result.Payload, &a); err != nil || !batch && !slices.Contains([]int{400, 404, 405}, a.StatusCode) {
		t.Errorf("%s: %s, %v; want it refused", payload, text, err)
	}
	for name, values := range a.header() {
		if strings.ContainsAny(name+values[0], "\r\n\x00<>") || name == "Set-Cookie" {
			t.Errorf("%s: the header field %q: %q", payload, name, values)
		}
	}
}
