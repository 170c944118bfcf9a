package direct_test

import (
	"fmt"
	"strings"
	"testing"

	"voxkv/internal/itemjson"
	"voxkv/internal/lookuptest"
)

func TestSeveral(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Mixed)
	got, err := s.Invoke(t.Context(), []byte(`{"keys":["short","long","absent","busy","not a key","panic","short"]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := decode[itemjson.Several[itemBody]](t, got)
	if len(b.Items) != 3 || len(b.Errors) != 3 || b.Items["absent"] != nil || b.Errors["busy"].ErrorType != "UpstreamBusy" {
		t.Fatalf("Invoke = %s; want 3 items, 3 errors", got)
	}
	if *b.Items["short"].MaxAge != 28 || *b.Items["long"].MaxAge != 40 {
		t.Errorf("max_age = %d and %d; want 28 and 40", *b.Items["short"].MaxAge, *b.Items["long"].MaxAge)
	}
	if line := s.log.Last(t); line["keys"] != 7.0 || line["failed"] != 2.0 || line["level"] != "ERROR" || line["upstream_kind"] != "throttled" {
		t.Errorf("log = %v; want 7 keys, 2 failed (an invalid key is its caller's), an error for the panic", line)
	}
	for _, payload := range []string{`{"keys":[]}`, `{"keys":[1]}`, `{"keys":"a"}`, `{"keys":null}`, `{"key":"a","keys":["b"]}`,
		`{"keys":["` + strings.Repeat(`a","`, 50) + `a"]}`} {
		_, err := s.Invoke(t.Context(), []byte(payload))
		checkError(t, err, "InvalidRequest")
		if level := s.log.Last(t)["level"]; level != "WARN" {
			t.Errorf("a wrong request is logged at %v; want WARN, since to Lambda it is an error", level)
		}
	}
}

// TestEnrichment: a list in, a list out, and one failure fails it, since a pipe
// tries the whole list again.
func TestEnrichment(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Mixed)
	got, err := s.Invoke(t.Context(), []byte(` [{"key":"short"},{"key":"absent","more":1},{"key":"long"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if items := decode[[]*itemBody](t, got); len(items) != 3 || items[1] != nil || items[0].Key != "short" || *items[2].MaxAge != 40 {
		t.Errorf("Invoke = %s, %v; want short, null, long", got, err)
	}
	for payload, want := range map[string]string{
		`[{"key":"short"},{"key":"busy"}]`: "UpstreamBusy",
		`[{"key":"short"},{}]`:             "InvalidRequest",
		`[]`:                               "InvalidRequest",
		`["short"]`:                        "InvalidRequest",
		`[{"key":1}]`:                      "InvalidRequest",
		`[` + strings.Repeat(" ", 1<<20) + `{"key":"short"}]`: "InvalidRequest", // more than 1 MiB
	} {
		_, err := s.Invoke(t.Context(), []byte(payload))
		checkError(t, err, want)
	}
}

// TestMaxKeys: trusted callers may ask for 50 keys.
func TestMaxKeys(t *testing.T) {
	t.Parallel()
	s := newSite(lookuptest.Mixed)
	for payload, more := range map[string]string{`{"keys":["long"%s]}`: `,"long"`, `[{"key":"long"}%s]`: `,{"key":"long"}`} {
		if _, err := s.Invoke(t.Context(), fmt.Appendf(nil, payload, strings.Repeat(more, 49))); err != nil {
			t.Errorf("50 keys in %s: %v", payload, err)
		}
		s.checkRefused(t, fmt.Sprintf(payload, strings.Repeat(more, 50)), "InvalidRequest", "One request may ask for 50 keys at most.")
	}
}
