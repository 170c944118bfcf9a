package main

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
)

// mixKeys is how many keys there are in the mix.
const mixKeys = 200

// zipf returns n keys of which the i-th most popular is asked for in
// proportion to 1/i^1.1: the same ones each time.
func zipf(n int) []string {
	random := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, mixKeys-1)
	keys := make([]string, n)
	for i := range keys {
		keys[i] = orderKey(int(random.Uint64()))
	}
	return keys
}

// sum adds up the number called name in lines of JSON.
func sum(lines, name string) int64 {
	var total float64
	for line := range strings.Lines(lines) {
		var members map[string]any
		if json.Unmarshal([]byte(line), &members) == nil {
			n, _ := members[name].(float64)
			total += n
		}
	}
	return int64(total)
}
