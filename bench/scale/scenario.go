package main

import (
	"math"
	"time"
)

// A scenario is who asks for what, and how voxkv is set.
type scenario struct {
	poll     time.Duration // how often a viewer's page asks for the one item it shows
	items    int
	skew     float64       // the i-th most popular item has viewers in proportion to 1/i^skew
	lifetime time.Duration // of an item, which is written anew when it ends

	maxAge      time.Duration // CACHE_MAX_AGE
	localMaxAge time.Duration // LOCAL_MAX_AGE
	caches      int           // regional caches of CloudFront; 0 is without CloudFront

	hit, miss time.Duration // how long the function takes
}

// regionalCaches is how many CloudFront has. https://aws.amazon.com/cloudfront/features/, as in docs/scale.md.
const regionalCaches = 13

// usual is a status page: an order, a call, a queue.
func usual() scenario {
	return scenario{
		poll: 5 * time.Second, items: 10_000, skew: 1, lifetime: time.Hour,
		maxAge: time.Minute, localMaxAge: 10 * time.Second,
		hit: 1 * time.Millisecond, miss: 85 * time.Millisecond,
	}
}

// watching returns how many of the viewers each item has.
func (s scenario) watching(viewers float64) []float64 {
	watching := make([]float64, s.items)
	var total float64
	for i := range watching {
		watching[i] = math.Pow(float64(i+1), -s.skew)
		total += watching[i]
	}
	for i := range watching {
		watching[i] *= viewers / total
	}
	return watching
}

// A group is items with about as many viewers each.
type group struct{ items, watching float64 }

// groups makes it a hundred sums in place of ten thousand.
func (s scenario) groups(viewers float64) []group {
	const alike = 1.1
	var groups []group
	watching := s.watching(viewers)
	for begin := 0; begin < len(watching); {
		g, total := group{}, 0.0
		for _, n := range watching[begin:] {
			if n*alike < watching[begin] {
				break
			}
			g.items++
			total += n
		}
		g.watching = total / g.items
		groups = append(groups, g)
		begin += int(g.items)
	}
	return groups
}
