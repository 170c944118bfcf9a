package main

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/bench/floor"
	"voxkv/internal/voximplanttest"
)

func start(tb testing.TB, items int) (*local, template) {
	tb.Helper()
	l, err := newLocal()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.server.Close)
	putItems(l.storage, items)
	events, err := readTemplate("..")
	if err != nil {
		tb.Fatal(err)
	}
	return l, events
}

// get fails unless the item under key is answered with status.
func get(tb testing.TB, l *local, payload []byte, status int) answer {
	tb.Helper()
	out, err := l.invoke(tb.Context(), payload)
	if err != nil {
		tb.Fatal(err)
	}
	a, _ := read(out)
	if a.StatusCode != status {
		tb.Fatalf("%s answered %s; want %d", payload, out, status)
	}
	return a
}

// BenchmarkHit answers from the local copy.
func BenchmarkHit(b *testing.B) {
	l, events := start(b, 1)
	payload := events.event(orderKey(0), "")
	get(b, l, payload, 200)
	repeat(l.invoke, payload)(b)
}

// BenchmarkNotModified answers 304 from the local copy.
func BenchmarkNotModified(b *testing.B) {
	l, events := start(b, 1)
	etag := get(b, l, events.event(orderKey(0), ""), 200).Headers["ETag"]
	payload := events.event(orderKey(0), etag)
	get(b, l, payload, 304)
	repeat(l.invoke, payload)(b)
}

// BenchmarkMiss asks the storage each time, over plain HTTP on loopback; what
// the storage does is part of it.
func BenchmarkMiss(b *testing.B) {
	l, events := start(b, 0)
	expires := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		l.storage.Put(orderKey(i), floor.Value, expires)
		payload := events.event(orderKey(i), "")
		b.StartTimer()
		if out, err := l.invoke(b.Context(), payload); err != nil || !strings.Contains(string(out), floor.Value) {
			b.Fatalf("%s, %v; want the item", out, err)
		}
	}
}

// BenchmarkFloor decodes and encodes with AWS's types and does nothing else.
func BenchmarkFloor(b *testing.B) {
	events, err := readTemplate("..")
	if err != nil {
		b.Fatal(err)
	}
	repeat(floor.Handler().Invoke, events.event(orderKey(0), ""))(b)
}

// TestOneCallPerKey asks for few keys often.
func TestOneCallPerKey(t *testing.T) {
	t.Parallel()
	const keys, rounds = 7, 20
	l, events := start(t, keys)
	for range rounds {
		for i := range keys {
			get(t, l, events.event(orderKey(i), ""), 200)
		}
	}
	if got := l.storage.Calls("GetKeyValueItem"); got != keys {
		t.Errorf("%d requests for %d keys made %d calls; want one for each key", keys*rounds, keys, got)
	}
}

// TestOneSignatureInTenMinutes asks for a token each second.
func TestOneSignatureInTenMinutes(t *testing.T) {
	t.Parallel()
	account, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		t.Fatal(err)
	}
	var reads atomic.Int32
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tokens := &auth.TokenSource{
		Key: func(context.Context) (*auth.ServiceAccountKey, error) {
			reads.Add(1)
			return auth.ParseServiceAccountKey(account.Credentials())
		},
		Now: func() time.Time { return now },
	}
	for end := now.Add(10 * time.Minute); now.Before(end); now = now.Add(time.Second) {
		if _, err := tokens.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if signed, _ := tokens.Counts(); signed != 1 || reads.Load() != 1 {
		t.Errorf("10 minutes: %d signatures, %d reads of the secret; want 1 and 1", signed, reads.Load())
	}
}
