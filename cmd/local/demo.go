package main

import (
	"context"
	"time"
)

// A demoItem is in the embedded storage from the start.
type demoItem struct {
	key, value string
	ttl        time.Duration
}

func demoItems() []demoItem {
	return []demoItem{
		{"order:1001", "ringing", time.Hour},
		{"order:1002", "on its way", 30 * time.Second},
		{"order:1003", `{"courier":"+15550100","customer":"+15550199"}`, time.Hour},
		{"feature:dark-mode", "on", maxTTL},
		{"promo:весна", "-15%", 5 * time.Minute},
		{"pool:moscow", "+74950000001;+74950000002", 2 * time.Minute},
		{"a+b", "plus", time.Hour},
		{"a#b", "hash", time.Hour},
		{"a;b", "semicolon", time.Hour},
		{"ключЁё", "Cyrillic", time.Hour},
		{"secret:token", "not for callers", time.Hour},
	}
}

// absence is how long a demo item stays away after its end, so that one can see what callers are told then.
const absence = 5 * time.Second

func (s *embeddedAPI) putDemoItems() {
	s.demo = demoItems()
	for _, item := range s.demo {
		s.Put(item.key, item.value, time.Now().Add(item.ttl))
	}
}

// putExample makes sure that the first command line to paste finds an item.
func (s *embeddedAPI) putExample(key string) {
	for _, item := range s.demo {
		if item.key == key {
			return
		}
	}
	if key == "" {
		return
	}
	item := demoItem{key, "ringing", time.Hour}
	s.demo = append(s.demo, item)
	s.Put(item.key, item.value, time.Now().Add(item.ttl))
}

// renewDemo renews demo items until ctx ends.
func (s *embeddedAPI) renewDemo(ctx context.Context) {
	r := renewal{demo: s.demo, ends: map[string]time.Time{}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.renew(&r, now)
		case <-ctx.Done():
			return
		}
	}
}

func (s *embeddedAPI) renew(r *renewal, now time.Time) {
	for _, item := range r.due(now, s.expiries()) {
		s.Put(item.key, item.value, now.Add(item.ttl))
	}
}

// expiries are the ends of the items that are stored now.
func (s *embeddedAPI) expiries() map[string]time.Time {
	ends := map[string]time.Time{}
	for _, item := range s.Items() {
		ends[item.Key] = item.ExpiresAt
	}
	return ends
}

// A renewal tells when a demo item must be put again.
type renewal struct {
	demo []demoItem
	ends map[string]time.Time // of each item as last seen
}

// due returns the items that are not stored and ended an absence ago. One that vanished before its end was deleted by
// somebody, and stays so.
func (r *renewal) due(now time.Time, stored map[string]time.Time) (due []demoItem) {
	for _, item := range r.demo {
		if end, ok := stored[item.key]; ok {
			r.ends[item.key] = end
			continue
		}
		end, seen := r.ends[item.key]
		switch {
		case !seen:
		case now.Before(end):
			delete(r.ends, item.key)
		case !now.Before(end.Add(absence)):
			due = append(due, item)
		}
	}
	return due
}
