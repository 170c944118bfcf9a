package main

import (
	"testing"
	"time"
)

func TestRenewal(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1795430000, 0)
	item := demoItem{"order:1002", "on its way", 30 * time.Second}
	end := begin.Add(item.ttl)
	stored := map[string]time.Time{item.key: end}
	type tick struct {
		after  time.Duration
		stored map[string]time.Time
		due    bool
	}
	tests := []struct {
		name  string
		ticks []tick
	}{
		{"an item that ended comes back", []tick{{0, stored, false}, {29 * time.Second, stored, false}, {30 * time.Second, nil, false}, {34 * time.Second, nil, false}, {35 * time.Second, nil, true}}},
		{"also after a sleep of the computer", []tick{{0, stored, false}, {time.Hour, nil, true}}},
		{"one that was deleted does not", []tick{{0, stored, false}, {10 * time.Second, nil, false}, {time.Hour, nil, false}}},
		{"one that was deleted before it was seen does not", []tick{{time.Second, nil, false}, {time.Hour, nil, false}}},
		{"one that was deleted and written again does", []tick{{0, stored, false}, {time.Second, nil, false}, {2 * time.Second, stored, false}, {time.Minute, nil, true}}},
		{"one that was written with a longer life lives it", []tick{{0, stored, false}, {time.Second, map[string]time.Time{item.key: begin.Add(time.Hour)}, false}, {time.Hour, nil, false}, {2 * time.Hour, nil, true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := renewal{demo: []demoItem{item}, ends: map[string]time.Time{}}
			for i, tick := range tt.ticks {
				due := r.due(begin.Add(tick.after), tick.stored)
				if (len(due) == 1 && due[0] == item) != tick.due || len(due) > 1 {
					t.Errorf("at tick %d due are %v; want it to be %v", i, due, tick.due)
				}
			}
		})
	}
}

// TestDemoItemIsPutAgain has one that ended a minute ago.
func TestDemoItemIsPutAgain(t *testing.T) {
	t.Parallel()
	s := &embeddedAPI{demo: []demoItem{{"order:1002", "on its way", time.Hour}}}
	r := renewal{demo: s.demo, ends: map[string]time.Time{"order:1002": time.Now().Add(-time.Minute)}}
	s.renew(&r, time.Now())
	if end := s.expiries()["order:1002"]; time.Until(end) < 50*time.Minute {
		t.Errorf("order:1002 ends at %v; want it stored again", end)
	}
}
