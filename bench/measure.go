package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"voxkv/internal/runtimetest"
)

const patience = 30 * time.Second

// A condition is what contenders are measured under.
type condition struct {
	Distance  time.Duration // round trip to the API
	Megabytes int           // whose CPU share processes have once Init is over
}

// String is how tables name it.
func (c condition) String() string {
	cpu := fmt.Sprintf("%d MB", c.Megabytes)
	if c.Megabytes == fullCPU {
		cpu = "one CPU"
	}
	return fmt.Sprintf("%d ms away, %s", c.Distance.Milliseconds(), cpu)
}

// MarshalText implements encoding.TextMarshaler, for keys of JSON.
func (c condition) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// samples are all measurements of one contender under one condition.
type samples struct {
	Init, First, Cold durations
	Pause             durations // the first request after one
	Failed            int       // of these requests
	Hit               durations // the same key again
	NotModified       durations // the same, with its ETag
	Miss              durations // another key, less the round trip and the API's time
	AfterPause        reached   // the API, by the first request after a pause: the most of all starts
	PeakRSS           int64     // bytes, the most of all starts
}

// A bench measures contenders.
type bench struct {
	options
	world   *world
	events  template
	samples map[condition]map[string]*samples
	next    int // key that nobody has asked for
}

// of returns where the samples of a contender go.
func (b *bench) of(under condition, contender string) *samples {
	if b.samples[under] == nil {
		b.samples[under] = make(map[string]*samples)
	}
	s := b.samples[under][contender]
	if s == nil {
		s = &samples{}
		b.samples[under][contender] = s
	}
	return s
}

func (b *bench) network(distance time.Duration) network {
	return network{Distance: distance, API: b.api, SecretsDistance: b.secretsDistance, Secrets: b.secrets}
}

// measure puts the contenders through every distance with the CPU share of a
// function of so many megabytes. Some of the processes it freezes, all at the
// same time, since a pause takes a minute.
func (b *bench) measure(ctx context.Context, contenders []*contender, megabytes int) error {
	cpu, err := newShares(megabytes)
	defer cpu.remove()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: no cgroup with a CPU quota: %v\n", err)
		if megabytes != fullCPU {
			fmt.Fprintf(os.Stderr, "bench: NOT MEASURED: %d MB\n", megabytes)
			return nil
		}
	}
	var all []*frozen
	defer func() {
		for _, f := range all {
			f.Stop()
		}
	}()
	for _, distance := range b.distances {
		more, err := b.starts(ctx, contenders, condition{distance, megabytes}, cpu)
		all = append(all, more...)
		if err != nil {
			return err
		}
	}
	return b.thaw(ctx, all)
}

// starts takes the contenders in turn, so that what else the machine does meets all alike.
func (b *bench) starts(ctx context.Context, contenders []*contender, under condition, cpu shares) ([]*frozen, error) {
	fmt.Fprintf(os.Stderr, "bench: %s, each contender %d times\n", under, b.times)
	b.world.set(b.network(under.Distance))
	var kept []*frozen
	for i := range b.times {
		for j := range contenders {
			c := contenders[(i+j)%len(contenders)]
			f, err := b.once(ctx, c, under, cpu)
			if err != nil {
				return kept, fmt.Errorf("%s, %s: %w", c.Name, under, err)
			}
			if i >= b.pauses {
				f.Stop()
				continue
			}
			kept = append(kept, f)
			if err := f.Signal(syscall.SIGSTOP); err != nil {
				return kept, err
			}
		}
	}
	return kept, nil
}

// A frozen process waits for what comes after a pause.
type frozen struct {
	*runtimetest.Process
	contender *contender
	under     condition
}

// once starts a contender and puts it through everything but a pause.
func (b *bench) once(ctx context.Context, c *contender, under condition, cpu shares) (*frozen, error) {
	s := b.of(under, c.Name)
	p, err := b.start(ctx, c, cpu)
	if err != nil {
		return nil, err
	}
	first, took, err := b.invoke(ctx, p, b.events.event(orderKey(0), ""), http.StatusOK)
	if err == nil {
		s.Init, s.First, s.Cold = append(s.Init, p.InitDuration()), append(s.First, took), append(s.Cold, p.InitDuration()+took)
		if under.Distance == b.usual() {
			err = b.warm(ctx, c, p, first.Headers["ETag"], s)
		}
	}
	if err == nil {
		err = p.Violations()
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	return &frozen{p, c, under}, nil
}

// warm is what comes after the first request without a pause.
func (b *bench) warm(ctx context.Context, c *contender, p *runtimetest.Process, etag string, s *samples) error {
	if err := b.repeat(ctx, p, b.events.event(orderKey(0), ""), http.StatusOK, &s.Hit); err != nil {
		return err
	}
	if etag != "" {
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
	return err
}

// thaw waits until all processes have had their pause, and asks each once.
func (b *bench) thaw(ctx context.Context, all []*frozen) error {
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintf(os.Stderr, "bench: %d processes pause for %v\n", len(all), b.pause)
	select {
	case <-time.After(b.pause):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, f := range all {
		if err := b.afterPause(ctx, f); err != nil {
			return err
		}
		f.Stop()
	}
	return nil
}

// afterPause makes the first request after one. That of a contender may fail:
// who does not expect a dead connection meets it now.
func (b *bench) afterPause(ctx context.Context, f *frozen) error {
	b.world.set(b.network(f.under.Distance))
	before := b.world.api.counts()
	if err := f.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	s := b.of(f.under, f.contender.Name)
	_, took, err := b.invoke(ctx, f.Process, b.events.event(orderKey(0), ""), http.StatusOK)
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: FAILED: %s, after a pause, %s: %v\n", f.contender.Name, f.under, err)
		s.Failed++
		return nil
	}
	s.Pause = append(s.Pause, took)
	s.AfterPause = most(s.AfterPause, b.world.api.counts().since(before))
	return nil
}

func most(a, b reached) reached {
	return reached{max(a.Connections, b.Connections), max(a.Handshakes, b.Handshakes), max(a.Requests, b.Requests)}
}

// start has the process in its shares from its first millisecond on.
func (b *bench) start(ctx context.Context, c *contender, cpu shares, settings ...string) (*runtimetest.Process, error) {
	p, err := runtimetest.Start(ctx, c.bootstrap, b.world.environment(append(c.env, settings...)...))
	if err != nil {
		return nil, err
	}
	if err := b.untilReady(ctx, p, cpu); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%w; it wrote: %s", err, p.Output())
	}
	return p, nil
}

func (b *bench) untilReady(ctx context.Context, p *runtimetest.Process, cpu shares) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := cpu.init.add(p.PID()); err != nil {
		return err
	}
	if err := p.Ready(ctx); err != nil {
		return err
	}
	return cpu.after.add(p.PID())
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
		s.Miss = append(s.Miss, took-b.usual()-time.Duration(b.world.api.took.Load()))
	}
	return nil
}

// counts are of calls that cost something.
type counts struct{ Secrets, Signatures, Upstream int64 }

// count makes 1,000 requests of one process for keys in a Zipf mix.
func (b *bench) count(ctx context.Context, c *contender) (counts, error) {
	b.world.set(network{})
	secrets, api := b.world.secrets.requests.Load(), b.world.api.requests.Load()
	p, err := b.start(ctx, c, shares{}, "METRICS=true")
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
	return counts{b.world.secrets.requests.Load() - secrets, signed, b.world.api.requests.Load() - api}, nil
}
