package cachetest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	outputFile = "output.txt"

	// nobody is the user and group without rights on every Debian.
	nobody = 65534

	// lifetime ends a process, in seconds, even where the test was killed and
	// could not. go test gives up sooner.
	lifetime = "1260"
)

// run runs command in dir until the test ends, as nobody where the test has
// the rights of root: most caches refuse those, or drop them in ways of their own.
func run(t testing.TB, dir string, command []string) {
	t.Helper()
	out, err := os.Create(filepath.Join(dir, outputFile))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	args := []string{"--kill-after=3", lifetime}
	if os.Geteuid() == 0 {
		args = append(args, "setpriv", fmt.Sprint("--reuid=", nobody), fmt.Sprint("--regid=", nobody), "--clear-groups")
		if err := give(dir); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "timeout", append(args, command...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The test's context has ended by then, and with it the process.
	t.Cleanup(func() { _ = cmd.Wait() })
}

// give makes dir nobody's, and lets nobody get to it.
func give(dir string) error {
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, nobody, nobody))
	})
	return errors.Join(err, os.Chmod(filepath.Dir(dir), 0o711))
}

// output returns what the process printed and what it wrote into its logs.
func output(dir string) string {
	var all []byte
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	for _, name := range append(logs, filepath.Join(dir, outputFile)) {
		text, err := os.ReadFile(name)
		if err == nil {
			all = append(all, text...)
		}
	}
	return string(all)
}
