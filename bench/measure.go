package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"voxkv/internal/runtimetest"
)

const patience = 30 * time.Second

// A condition is what contenders are measured under.
type condition struct {
	Name                string
	Secrets, Voximplant time.Duration // latencies
	Megabytes           int           // whose CPU share processes have once Init is over; 0 for all of it
}

// samples are all measurements of one contender under one condition.
type samples struct {
	Init, First, Cold durations
	Hit               durations // the same key again
	NotModified       durations // the same, with its ETag
	Miss              durations // another key, less the time upstream took
	Upstream          durations // the time upstream took for Miss
	Secret            durations // the time Secrets Manager took, in Init
	PeakRSS           int64     // bytes, the most of all starts
}

// A bench measures contenders.
type bench struct {
	world  *world
	events template
	starts int           // of each contender under each condition
	series time.Duration // bounds one series of invocations
	next   int           // key that nobody has asked for
}

// measure starts the contenders in turn, so that what else the machine does meets all alike.
func (b *bench) measure(ctx context.Context, contenders []*contender, under condition) (map[string]*samples, error) {
	var limit share
	if under.Megabytes > 0 {
		var err error
		if limit, err = newShare(under.Megabytes); err != nil {
			fmt.Fprintf(os.Stderr, "bench: NOT MEASURED: %s: no cgroup with a CPU quota: %v\n", under.Name, err)
			return nil, nil
		}
		defer limit.remove()
	}
	fmt.Fprintf(os.Stderr, "bench: %s, each contender %d times\n", under.Name, b.starts)
	b.world.secrets.latency.Store(int64(under.Secrets))
	b.world.api.latency.Store(int64(under.Voximplant))
	all := make(map[string]*samples)
	for i := range b.starts {
		for j := range contenders {
			c := contenders[(i+j)%len(contenders)]
			if all[c.Name] == nil {
				all[c.Name] = &samples{}
			}
			if err := b.once(ctx, c, limit, all[c.Name]); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.Name, under.Name, err)
			}
		}
	}
	return all, nil
}

// once starts a contender and puts it through everything.
func (b *bench) once(ctx context.Context, c *contender, limit share, s *samples) error {
	b.world.secrets.took.Store(0)
	p, err := b.start(ctx, c)
	if err != nil {
		return err
	}
	defer p.Stop()
	if err := limit.add(p.PID()); err != nil {
		return err
	}
	if took := b.world.secrets.took.Load(); took > 0 {
		s.Secret = append(s.Secret, time.Duration(took))
	}
	item := b.events.event(orderKey(0), "")
	first, took, err := b.invoke(ctx, p, item, http.StatusOK)
	if err != nil {
		return err
	}
	s.Init, s.First, s.Cold = append(s.Init, p.InitDuration()), append(s.First, took), append(s.Cold, p.InitDuration()+took)
	if err := b.repeat(ctx, p, item, http.StatusOK, &s.Hit); err != nil {
		return err
	}
	if etag := first.Headers["ETag"]; etag != "" {
		if err := b.repeat(ctx, p, b.events.event(orderKey(0), etag), http.StatusNotModified, &s.NotModified); err != nil {
			return err
		}
	}
	if !c.constant {
		if err := b.misses(ctx, p, s); err != nil {
			return err
		}
	}
	rss, err := p.PeakRSS()
	s.PeakRSS = max(s.PeakRSS, rss)
	if err == nil {
		err = p.Violations()
	}
	return err
}

func (b *bench) start(ctx context.Context, c *contender, settings ...string) (*runtimetest.Process, error) {
	p, err := runtimetest.Start(ctx, c.bootstrap, b.world.environment(append(c.env, settings...)...))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.Ready(ctx); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%w; it wrote: %s", err, p.Output())
	}
	return p, nil
}

// invoke fails unless the answer has the status.
func (b *bench) invoke(ctx context.Context, p *runtimetest.Process, payload []byte, status int) (answer, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	result, err := p.Invoke(ctx, runtimetest.Invocation{Payload: payload})
	if err != nil {
		return answer{}, 0, fmt.Errorf("%w; it wrote: %s", err, p.Output())
	}
	a, _ := read(result.Payload)
	if a.StatusCode != status {
		return a, 0, fmt.Errorf("answered %s; want %d", result.Payload, status)
	}
	return a, result.Duration, nil
}

// repeat invokes with the same event for as long as a series lasts, and at least thrice.
func (b *bench) repeat(ctx context.Context, p *runtimetest.Process, payload []byte, status int, into *durations) error {
	end := time.Now().Add(b.series)
	for n := 0; n < 3 || time.Now().Before(end); n++ {
		_, took, err := b.invoke(ctx, p, payload, status)
		if err != nil {
			return err
		}
		*into = append(*into, took)
	}
	return nil
}

// misses asks for one key after the other.
func (b *bench) misses(ctx context.Context, p *runtimetest.Process, s *samples) error {
	end := time.Now().Add(b.series)
	for n := 0; n < 3 || time.Now().Before(end); n++ {
		b.next = b.next%(items-1) + 1
		_, took, err := b.invoke(ctx, p, b.events.event(orderKey(b.next), ""), http.StatusOK)
		if err != nil {
			return err
		}
		upstream := time.Duration(b.world.api.took.Load())
		s.Miss, s.Upstream = append(s.Miss, took-upstream), append(s.Upstream, upstream)
	}
	return nil
}

// counts are of calls that cost something.
type counts struct{ Secrets, Signatures, Upstream int64 }

// count makes 1,000 requests of one process for keys in a Zipf mix.
func (b *bench) count(ctx context.Context, c *contender) (counts, error) {
	b.world.secrets.latency.Store(0)
	b.world.api.latency.Store(0)
	secrets, api := b.world.secrets.calls.Load(), b.world.api.calls.Load()
	p, err := b.start(ctx, c, "METRICS=true")
	if err != nil {
		return counts{}, err
	}
	defer p.Stop()
	var last answer
	for _, key := range zipf(1000) {
		if last, _, err = b.invoke(ctx, p, b.events.event(key, ""), http.StatusOK); err != nil {
			return counts{}, err
		}
	}
	// Contenders tell in a header, voxkv in its log.
	signed, err := strconv.ParseInt(last.Headers["X-Signatures"], 10, 64)
	if err != nil {
		signed = sum(p.Output(), "TokensSigned")
	}
	return counts{b.world.secrets.calls.Load() - secrets, signed, b.world.api.calls.Load() - api}, nil
}
