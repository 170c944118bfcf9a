//go:build linux

package faults

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"voxkv/internal/runtimetest"
)

// oversized are payloads as large as Lambda allows, or with absurd numbers of
// members, and the verdicts on their answers.
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
		"two keys, the last allowed":     {`{"key":"secret:token","key":"order:1"}`, "InvalidRequest"},
		"two keys, the last not":         {`{"key":"order:1","key":"secret:token"}`, "InvalidRequest"},
		"two paths":                      {`{"version":"2.0","rawPath":"/v1/items/order:1","rawPath":"/v1/items/secret:token","headers":{},"requestContext":{"http":{"method":"GET"}}}`, "InvalidRequest"},
		"a key in capitals beside one":   {`{"key":"order:1","KEY":"secret:token"}`, "item"},
		"half a surrogate pair":          {`{"key":"order:1","x":"\ud83d"}`, "InvalidRequest"},
		"half a pair in a list":          {`[{"key":"order:1","x":"\ud83d"}]`, "InvalidRequest"},
		"two contexts":                   {`{"rawPath":"/v1/items/order:1","version":"2.0","requestContext":{"elb":{}},"requestContext":{"http":{"method":"GET"}}}`, "InvalidRequest"},
		"a huge number for a key":        {`{"key":1e999999999}`, "InvalidRequest"},
		"a long number":                  {`{"key":"order:1","x":` + strings.Repeat("9", 1<<19) + `}`, "item"},
		"a huge count":                   {`{"operation":"list","prefix":"order:","count":1e400}`, "InvalidRequest"},
		"a key and a bad byte":           {"{\"key\":\"order:1\xff\"}", "InvalidRequest"},
		"a key and NUL":                  {`{"key":"order:1\u0000"}`, "InvalidRequest"},
		"a bare NUL":                     {"\x00", "InvalidRequest"},
		"half an event":                  {`{"version":"2.0","rawPath":"/v1/items/ord`, "InvalidRequest"},
		"two events":                     {`{"key":"order:1"}{"key":"order:1"}`, "InvalidRequest"},
	}
}

// oversizedEvents: no payload takes more time than an invocation has, takes much
// memory, or is answered with anything but a refusal or the one right answer.
func oversizedEvents(t *testing.T) {
	s := newSandbox(t)
	s.getAtLast(t, "order:1", 60)
	for name, row := range oversized() {
		result := s.invoke(t, row[0], patience)
		if got := verdict(result); got != row[1] || len(result.Payload) > 4096 {
			t.Errorf("%s: %s in %d bytes: %.200s; want %s", name, got, len(result.Payload), result.Payload, row[1])
		}
	}
	s.getAtLast(t, "order:1", 60)
	// The template gives the function 128 MB at the least.
	if peak, err := s.real.PeakRSS(); err != nil || peak > 96<<20 {
		t.Errorf("peak memory %d MB, %v", peak>>20, err)
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
