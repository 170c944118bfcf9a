package handler_test

import (
	"strings"
	"testing"
	"time"

	"voxkv/voximplant"
)

func TestDirect(t *testing.T) {
	t.Parallel()
	s := newSite(living(100*time.Second, 0))
	got, err := s.Direct(t.Context(), []byte(`{"key":"order:1001","more":1}`))
	if err != nil {
		t.Fatal(err)
	}
	item := decodeItem(t, string(got))
	if item.Key != "order:1001" || item.Value != value || *item.ExpiresAt != at.Add(100*time.Second).Unix() || *item.MaxAge != 60 {
		t.Errorf("Direct = %s", got)
	}
	s.Lookup = living(10*time.Second, 0)
	got, _ = s.Direct(t.Context(), []byte(`{"key":"k"}`))
	if item := decodeItem(t, string(got)); *item.MaxAge != 8 {
		t.Errorf("with 10 s to live, max_age = %d; want 8", *item.MaxAge)
	}
	s.Lookup = living(time.Second, 0)
	got, _ = s.Direct(t.Context(), []byte(`{"key":"k"}`))
	if item := decodeItem(t, string(got)); *item.MaxAge != 0 {
		t.Errorf("with 1 s to live, max_age = %d; want 0", *item.MaxAge)
	}
}

func TestDirectAbsent(t *testing.T) {
	t.Parallel()
	s := newSite(failing(voximplant.ErrNotFound))
	if got, err := s.Direct(t.Context(), []byte(`{"key":"k"}`)); err != nil || string(got) != "null" {
		t.Errorf("Direct = %s, %v; want null", got, err)
	}
}

func TestDirectInvalid(t *testing.T) {
	t.Parallel()
	s := newSite(living(time.Hour, 0))
	for _, payload := range []string{`{}`, `{"key":null}`, `{"key":1}`, `{"key":["a"]}`, `{"key":""}`, `{"key":"a b"}`, `{"key":"a%2Bb"}`, `{"kay":"a"}`, `[]`, `nonsense`, `{"key":"a","x":"` + strings.Repeat("x", 1<<20) + `"}`} {
		got, err := s.Direct(t.Context(), []byte(payload))
		if got != nil {
			t.Errorf("Direct(%.100s) = %s; want nothing", payload, got)
		}
		checkFunctionError(t, err, "InvalidRequest")
	}
}
