package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"voxkv/internal/e2etest"
	"voxkv/internal/runtimetest"
)

// oversized are payloads as large as Lambda allows, or with absurd numbers of members, and the verdicts on their answers.
func oversized() map[string][2]string {
	const size = 6 << 20
	httpEvent := func(path, query, headers string) string {
		return `{"version":"2.0","rawPath":"` + path + `","rawQueryString":"` + query + `","headers":{` + headers + `},"requestContext":{"http":{"method":"GET"}}}`
	}
	restEvent := func(headers, query string) string {
		return `{"httpMethod":"GET","path":"/v1/items/order:1","headers":{` + headers + `},"multiValueQueryStringParameters":{` + query + `},"requestContext":{}}`
	}
	var parameters strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&parameters, `"p%d":["v"],`, i)
	}
	return map[string][2]string{
		"a key of 6 MB":                  {`{"key":"` + strings.Repeat("a", size-20) + `"}`, "InvalidRequest"},
		"a key and 6 MB":                 {`{"key":"order:1","x":"` + strings.Repeat("a", size-40) + `"}`, "InvalidRequest"},
		"a key and 1 MB":                 {`{"key":"order:1","x":"` + strings.Repeat("a", 1<<20-40) + `"}`, "item"},
		"6 MB of keys":                   {`{"keys":["a"` + strings.Repeat(`,"a"`, size/4-10) + `]}`, "InvalidRequest"},
		"6 MB of nothing":                {strings.Repeat(" ", size-2) + "{}", "InvalidRequest"},
		"6 MB of numbers":                {`{"x":[1` + strings.Repeat(",1", size/2-10) + `]}`, "InvalidRequest"},
		"a value of 6 MB":                {`{"operation":"set","key":"order:1","value":"` + strings.Repeat("a", size-70) + `","ttl":1}`, "InvalidRequest"},
		"a body of 6 MB":                 {strings.Replace(httpEvent("/v1/items/order:1", "", ""), `"GET"}}`, `"POST"}},"body":"`+strings.Repeat("a", size-200)+`"`, 1), "405"},
		"a header of 1 MB":               {httpEvent("/v1/items/order:1", "", `"if-none-match":"`+strings.Repeat("x", 1<<20)+`"`), "200"},
		"1 MB of entity tags":            {httpEvent("/v1/items/order:1", "", `"if-none-match":"`+strings.Repeat(`\"x\",`, 1<<18)+`"`), "200"},
		"an origin of 1 MB":              {httpEvent("/v1/items/order:1", "", `"origin":"`+strings.Repeat("x", 1<<20)+`"`), "200"},
		"100,000 headers":                {restEvent(strings.ReplaceAll(strings.TrimSuffix(parameters.String(), ","), `["v"]`, `"v"`), ""), "200"},
		"a path of 1 MB":                 {httpEvent("/v1/items/"+strings.Repeat("a", 1<<20), "", ""), "400"},
		"a path of 1 MB of escapes":      {httpEvent("/v1/items/"+strings.Repeat("%25", 1<<18), "", ""), "400"},
		"1 MB of slashes":                {httpEvent(strings.Repeat("/v1/items/", 1<<17), "", ""), "400"},
		"100,000 parameters":             {httpEvent("/v1/items/order:1", strings.Repeat("a=b&", 100_000), ""), "200"},
		"a key after 100,000 parameters": {httpEvent("/v1/items", strings.Repeat("a=b&", 100_000)+"key=order:1", ""), "400"},
		"100,000 keys":                   {httpEvent("/v1/items", strings.Repeat("key=order:1&", 100_000), ""), "400"},
		"100,000 decoded parameters":     {restEvent("", parameters.String()+`"key":["order:1"]`), "200"},
		"100,000 levels of a REST query": {restEvent("", `"key":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)), "InvalidRequest"},
		"10,000 levels":                  {strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), "InvalidRequest"},
		"1,000,000 levels":               {strings.Repeat(`{"a":`, 1_000_000) + "1" + strings.Repeat("}", 1_000_000), "InvalidRequest"},
		"1,000,000 lists":                {`{"key":"order:1","x":` + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + "}", "InvalidRequest"},
		"9,000 lists beside a key":       {`{"key":"order:1","x":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + "}", "item"},
		"a huge number for a key":        {`{"key":1e999999999}`, "InvalidRequest"},
		"a long number":                  {`{"key":"order:1","x":` + strings.Repeat("9", 1<<19) + `}`, "item"},
	}
}

// TestHostileRequests is the half of E5-16 that comes from callers: requests that every gateway should refuse, but that
// reach the function. The other half comes from the storage; handler.TestHostileValues has it. The build is that of the
// template, whose memory is measured: none of the payloads takes much of it.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	bootstrap, err := e2etest.Build(t.Context(), t.TempDir(), "voxkv/cmd/lambda")
	if err != nil {
		t.Fatal(err)
	}
	s := startSandbox(t, bootstrap, "CORS_ORIGINS=https://example.com", "LOG_KEYS=true")
	s.Voximplant.Put("order:1", itemValue, itemsEnd)
	for name, row := range oversized() {
		result := s.invoke(t, row[0])
		if got := verdict(result); got != row[1] || len(result.Payload) > 4096 {
			t.Errorf("%s: %s in %d bytes: %.200s; want %s", name, got, len(result.Payload), result.Payload, row[1])
		}
	}
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
	// The template gives the function 128 MB at the least.
	if peak, err := s.PeakRSS(); runtime.GOOS == "linux" && (err != nil || peak > 96<<20) {
		t.Errorf("peak memory %d MB, %v", peak>>20, err)
	}
	if out := s.Output(); strings.Contains(out, "\x00") || strings.Contains(out, "\u2028") || !utf8.ValidString(out) {
		t.Errorf("the log repeats control characters")
	}
}

// verdict returns the error type, the status of the HTTP answer, "item" or "null".
func verdict(result runtimetest.Result) string {
	var a struct{ StatusCode int }
	switch {
	case result.FunctionError != nil:
		return result.FunctionError.Type
	case string(result.Payload) == "null":
		return "null"
	case json.Unmarshal(result.Payload, &a) == nil && a.StatusCode > 0:
		return fmt.Sprint(a.StatusCode)
	}
	return "item"
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
