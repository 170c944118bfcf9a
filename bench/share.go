package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// fullCPU is the memory at which a function has one whole CPU.
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
	fullCPU = 1769

	// period is Lambda's: within it a function may spend its share at once.
	period = 20 * time.Millisecond
)

// A share is a cgroup whose processes get as much CPU time as a function of
// some size. The zero share does not limit them.
type share struct{ dir string }

// shares are what a process has in Init and after it.
type shares struct{ init, after share }

// newShares are those of a function of so many megabytes. In Init Lambda gives it
// more than its own. How much, AWS does not say; here it is one whole CPU.
func newShares(megabytes int) (shares, error) {
	init, err := newShare(fullCPU)
	if err != nil || megabytes == fullCPU {
		return shares{init, init}, err
	}
	after, err := newShare(megabytes)
	return shares{init, after}, err
}

func (s shares) remove() {
	s.after.remove()
	s.init.remove()
}

// newShare needs root, and version 1 or 2 of cgroups.
func newShare(megabytes int) (share, error) {
	name := fmt.Sprintf("voxkv-bench-%d-%d", os.Getpid(), megabytes)
	quota := int(period.Microseconds()) * megabytes / fullCPU
	const v2 = "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(v2, "cgroup.controllers")); err == nil {
		if err := write(v2, "cgroup.subtree_control", "+cpu"); err != nil {
			return share{}, err
		}
		s := share{filepath.Join(v2, name)}
		return s, s.limit("cpu.max", fmt.Sprintf("%d %d", quota, period.Microseconds()))
	}
	s := share{filepath.Join(v2, "cpu", name)}
	if err := s.limit("cpu.cfs_period_us", strconv.FormatInt(period.Microseconds(), 10)); err != nil {
		return share{}, err
	}
	return s, write(s.dir, "cpu.cfs_quota_us", strconv.Itoa(quota))
}

func (s share) limit(file, value string) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	return write(s.dir, file, value)
}

// add moves a process, with all its threads.
func (s share) add(pid int) error {
	if s.dir == "" {
		return nil
	}
	return write(s.dir, "cgroup.procs", strconv.Itoa(pid))
}

// remove takes the cgroup away. Its last process may not be gone just yet.
func (s share) remove() {
	for range 20 {
		if s.dir == "" {
			return
		}
		if err := os.Remove(s.dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func write(dir, file, value string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644)
}
