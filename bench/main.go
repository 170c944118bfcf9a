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
	starts              int
	series              time.Duration
	secrets, voximplant time.Duration
	smoke               bool
	work, json, svg     string
	docs                string
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.starts, "starts", 20, "`times` each contender is started under each condition")
	flags.DurationVar(&o.series, "series", 300*time.Millisecond, "`length` of a series of warm invocations after each start")
	flags.DurationVar(&o.secrets, "secrets", 20*time.Millisecond, "`latency` of Secrets Manager")
	flags.DurationVar(&o.voximplant, "voximplant", 80*time.Millisecond, "`latency` of Voximplant")
	flags.BoolVar(&o.smoke, "smoke", false, "only see that everything runs: few repetitions, nothing to install")
	flags.StringVar(&o.work, "work", filepath.Join(".cache", "bench"), "`directory` for what is built")
	flags.StringVar(&o.json, "json", "", "`file` to write the figures to")
	flags.StringVar(&o.svg, "svg", "", "`file` to draw the plot in")
	flags.StringVar(&o.docs, "docs", "", "comma-separated `files` to put the tables into")
	err := flags.Parse(args)
	if o.smoke {
		o.starts, o.series = 1, 10*time.Millisecond
	}
	return o, err
}

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
	return r.write(o)
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
	r := &results{
		Machine:    machine(),
		Time:       time.Now().UTC().Truncate(time.Second),
		Settings:   map[string]any{"starts": o.starts, "series": o.series.String(), "secrets": o.secrets.String(), "voximplant": o.voximplant.String()},
		Contenders: contenders,
		Conditions: []condition{
			{Name: instant},
			{Name: usual, Secrets: o.secrets, Voximplant: o.voximplant},
			{Name: at256, Secrets: o.secrets, Voximplant: o.voximplant, Megabytes: 256},
			{Name: at128, Secrets: o.secrets, Voximplant: o.voximplant, Megabytes: 128},
		},
		Samples: make(map[string]map[string]*samples),
		Counts:  make(map[string]counts),
	}
	b := &bench{world: w, events: events, starts: o.starts, series: o.series}
	for _, c := range r.Conditions {
		measured, err := b.measure(ctx, contenders, c)
		if err != nil {
			return nil, err
		}
		if measured != nil {
			r.Samples[c.Name] = measured
		}
	}
	return r, measureRest(ctx, o, b, build, r)
}

// measureRest is what does not depend on conditions.
func measureRest(ctx context.Context, o options, b *bench, build builder, r *results) error {
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
	if o.smoke {
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
func (r *results) write(o options) error {
	if o.json != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.json, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.svg != "" {
		var svg bytes.Buffer
		r.plot(&svg)
		if err := os.WriteFile(o.svg, svg.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return r.update(slices.DeleteFunc(strings.Split(o.docs, ","), func(file string) bool { return file == "" }))
}
