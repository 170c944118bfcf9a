package main

import (
	"fmt"
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
		if s.dir == "" || os.Remove(s.dir) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func write(dir, file, value string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644)
}
