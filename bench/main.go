// Command bench measures voxkv beside what else one could use: it builds all of
// them, runs the real binaries between stand-ins on loopback, in turn, and
// prints one table. docs/performance.md says what the figures mean.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	times, pauses   int
	series, pause   time.Duration
	distances       []time.Duration
	secretsDistance time.Duration
	secrets, api    time.Duration
	smoke           bool
	work, json, svg string
	docs            string
}

func parse(args []string) (options, error) {
	o := options{distances: []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.times, "starts", 15, "`times` each contender is started under each condition")
	flags.IntVar(&o.pauses, "pauses", 5, "how many of these `times` it pauses, too")
	flags.DurationVar(&o.series, "series", 300*time.Millisecond, "`length` of a series of warm invocations after each start")
	flags.DurationVar(&o.pause, "pause", 65*time.Second, "`length` of a pause")
	flags.Func("distances", "comma-separated round `trips` to Voximplant (default 0s,20ms,100ms)", o.setDistances)
	flags.DurationVar(&o.secretsDistance, "secrets-distance", time.Millisecond, "round `trip` to Secrets Manager")
	flags.DurationVar(&o.secrets, "secrets", 10*time.Millisecond, "Secrets Manager's own `time` for a request")
	flags.DurationVar(&o.api, "api", 5*time.Millisecond, "Voximplant's own `time` for a request")
	flags.BoolVar(&o.smoke, "smoke", false, "only see that everything runs: few repetitions, no pause, nothing to install")
	flags.StringVar(&o.work, "work", filepath.Join(".cache", "bench"), "`directory` for what is built")
	flags.StringVar(&o.json, "json", "", "`file` to write the figures to")
	flags.StringVar(&o.svg, "svg", "", "`file` to draw the plot in")
	flags.StringVar(&o.docs, "docs", "", "comma-separated `files` to put the tables into")
	err := flags.Parse(args)
	if o.smoke {
		o.times, o.pauses, o.series = 1, 0, 10*time.Millisecond
	}
	return o, err
}

func (o *options) setDistances(text string) error {
	o.distances = nil
	for distance := range strings.SplitSeq(text, ",") {
		d, err := time.ParseDuration(distance)
		if err != nil {
			return err
		}
		o.distances = append(o.distances, d)
	}
	return nil
}

// usual is the distance at which what does not depend on it is measured.
func (o options) usual() time.Duration { return o.distances[len(o.distances)/2] }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	build, err := newBuilder(ctx, o)
	if err != nil {
		return err
	}
	r, err := measureAll(ctx, o, w, build)
	if err != nil {
		return err
	}
	r.Targets = r.targets()
	r.table(stdout, r.rows())
	r.rest(stdout)
	return r.write()
}

// newBuilder goes to the project's root, to which the paths of the flags are relative.
func newBuilder(ctx context.Context, o options) (builder, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return builder{}, fmt.Errorf("go env: %w", err)
	}
	root := filepath.Dir(filepath.Dir(string(bytes.TrimSpace(mod))))
	if err := os.Chdir(root); err != nil {
		return builder{}, err
	}
	work, err := filepath.Abs(o.work)
	return builder{root: root, dir: work, smoke: o.smoke}, err
}

// sizes are the megabytes of the functions whose CPU shares contenders get:
// one whole CPU, and what the template has.
var sizes = []int{fullCPU, 256}

// measureAll fills in everything but the judgement.
func measureAll(ctx context.Context, o options, w *world, build builder) (*results, error) {
	contenders, err := build.all(ctx)
	if err != nil {
		return nil, err
	}
	events, err := readTemplate(build.root)
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, world: w, events: events, samples: make(map[condition]map[string]*samples)}
	for _, megabytes := range sizes {
		if err := b.measure(ctx, contenders, megabytes); err != nil {
			return nil, err
		}
	}
	r := &results{
		options:    o,
		Settings:   fmt.Sprintf("%+v", o),
		Machine:    machine(),
		Time:       time.Now().UTC().Truncate(time.Second),
		Contenders: contenders,
		Samples:    b.samples,
		Counts:     make(map[string]counts),
	}
	return r, measureRest(ctx, b, build, r)
}

// measureRest is what does not depend on conditions.
func measureRest(ctx context.Context, b *bench, build builder, r *results) error {
	var err error
	for _, c := range r.Contenders {
		if r.Counts[c.Name], err = b.count(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	if r.InProcess, err = measureInProcess(b.events); err != nil {
		return err
	}
	length := 5 * time.Second
	if b.smoke {
		length = time.Second
	}
	l, err := measureLoad(ctx, build, length)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: NOT MEASURED:", err)
		return nil
	}
	r.Load = &l
	return nil
}

// machine says where the figures come from.
func machine() string {
	text := fmt.Sprintf("%s, %d CPUs, %s", runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return text
	}
	for line := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model) + ", " + text
		}
	}
	return text
}

// write writes the files that were asked for.
func (r *results) write() error {
	if r.json != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(r.json, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if r.svg != "" {
		var svg bytes.Buffer
		r.plot(&svg)
		if err := os.WriteFile(r.svg, svg.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return r.update(slices.DeleteFunc(strings.Split(r.docs, ","), func(file string) bool { return file == "" }))
}
