package caches

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"voxkv/test/caches/cachetest"
)

// privateAsks is how often each private answer is asked for.
const privateAsks = 40

// privacy is what one poller saw of answers that are for their caller alone.
type privacy struct {
	front   cachetest.Front
	key     string
	answers []answer
}

// watchPrivate polls an item and an absence of a function that says private,
// with credentials and without.
func watchPrivate(ctx context.Context, fronts []cachetest.Front) []privacy {
	const item, absence = "private:item", "private:absence"
	fronts[0].Origin.Storage.Put(item, "value", time.Now().Add(time.Hour))
	var seen []privacy
	var manners []manner
	for _, f := range fronts {
		for _, m := range []manner{authorized, plainly, staleToo} {
			seen = append(seen, privacy{front: f, key: item}, privacy{front: f, key: absence})
			manners = append(manners, m, m)
		}
	}
	var all sync.WaitGroup
	for i := range seen {
		p := &seen[i]
		all.Go(func() { p.ask(ctx, manners[i]) })
	}
	all.Wait()
	return seen
}

func (p *privacy) ask(ctx context.Context, m manner) {
	again := time.NewTicker(tick)
	defer again.Stop()
	for range privateAsks {
		p.answers = append(p.answers, ask(ctx, p.front.Client, p.front.URL+"/v1/items/"+p.key, m, ""))
		<-again.C
	}
}

// judgePrivate holds that every answer was made for its request alone: the
// function gives each an X-Request-Id of its own.
func judgePrivate(t *testing.T, seen []privacy) {
	t.Helper()
	ids := map[string]bool{}
	for _, p := range seen {
		answered := 0
		for _, a := range p.answers {
			if a.status != http.StatusOK && a.status != http.StatusNotFound {
				continue
			}
			answered++
			id := a.header.Get("X-Request-Id")
			if id == "" || ids[id] {
				t.Errorf("%v: answered a request for %s from its store", p.front, p.key)
			}
			ids[id] = true
			if control := a.header.Get("Cache-Control"); !forOneCaller(control) {
				t.Errorf("%v: Cache-Control of %s is %q; want a private one", p.front, p.key, control)
			}
		}
		if answered == 0 {
			t.Errorf("%v: %s was never answered", p.front, p.key)
		}
	}
}
