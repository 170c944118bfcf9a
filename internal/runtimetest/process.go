package runtimetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// outputDelay bounds the wait for output after the process has exited, because a child of it
// may still have the pipe open.
const outputDelay = 30 * time.Second

// A Process is a bootstrap running under an API of its own. [Start] makes one. Its
// methods may be called at any time by any number of goroutines.
type Process struct {
	*API

	cmd     *exec.Cmd
	output  Output
	started time.Time
	exited  chan struct{} // closed once err is set
	err     error
}

// Start runs the executable bootstrap until it exits, Stop is called or ctx ends. Its
// environment is env, entries of the form name=value, and nothing of the caller's; where
// env lacks them, the function's name, version, memory (256 MB), log format (text) and
// region are added. The caller must call Stop.
func Start(ctx context.Context, bootstrap string, env []string) (*Process, error) {
	api, err := New()
	if err != nil {
		return nil, err
	}
	p := &Process{API: api, cmd: exec.CommandContext(ctx, bootstrap), exited: make(chan struct{})}
	p.cmd.Env = environment(env, api.Addr())
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.WaitDelay = outputDelay
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("runtimetest: %w", err), api.Close())
	}
	go p.wait()
	return p, nil
}

// environment returns the variables of the process. If a name occurs several times, the last
// value counts.
func environment(env []string, addr string) []string {
	defaults := []string{
		"AWS_LAMBDA_FUNCTION_NAME=" + functionName,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_LAMBDA_LOG_FORMAT=Text",
		"AWS_REGION=" + region,
	}
	return slices.Concat(defaults, env, []string{"AWS_LAMBDA_RUNTIME_API=" + addr})
}

func (p *Process) wait() {
	p.err = p.cmd.Wait()
	p.end(fmt.Errorf("runtimetest: the process exited: %v", p.cmd.ProcessState))
	close(p.exited)
}

// Wait waits for the process to exit. It returns nil after exit status 0, an
// [*exec.ExitError] after any other end of the process, and another error if ctx ended.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("runtimetest: waiting for the process: %w", context.Cause(ctx))
	}
}

// Stop kills the process, waits until it is gone and closes its API. Stopping again does
// nothing.
func (p *Process) Stop() {
	// The only error says that there is nothing left to kill.
	_ = p.cmd.Process.Kill()
	<-p.exited
	_ = p.Close()
}

// Signal sends sig to the process. It returns [os.ErrProcessDone] if the process exited.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// PID returns the process's id, which may belong to another one after the exit.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output returns what has been read so far of standard output and standard error, in the
// order of writing. It is complete once Wait or Stop has returned.
func (p *Process) Output() string { return p.output.String() }

// InitDuration returns the time from starting the executable to the end of Init, or zero
// if Init has not ended.
func (p *Process) InitDuration() time.Duration {
	ready := p.readyTime()
	if ready.IsZero() {
		return 0
	}
	return ready.Sub(p.started)
}

// PeakRSS returns the most memory the running process has had resident, in bytes. It
// needs Linux. The resource usage that is known after the exit does not help: it includes the
// memory of the parent, which the child shares until it executes the bootstrap.
func (p *Process) PeakRSS() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("runtimetest: peak memory: %w", err)
	}
	return parsePeakRSS(status)
}

func parsePeakRSS(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		var kB int64
		if _, err := fmt.Sscanf(string(line), "VmHWM: %d kB", &kB); err == nil {
			return kB << 10, nil
		}
	}
	return 0, errors.New("runtimetest: peak memory: no VmHWM; has the process exited?")
}

// An Output is a buffer that may be read while it is written. The zero value is empty.
type Output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String returns what was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
