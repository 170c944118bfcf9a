// Package tools installs the pinned programs of other languages that tests hold voxkv against, runs them, and serves the
// function to them. They are kept in the user's cache directory, one directory for each lock file, so that a registry is
// asked once.
package tools

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// patience bounds one installation.
const patience = 3 * time.Minute

// Gate skips the test unless the environment variable is set.
func Gate(t *testing.T, variable string) {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skip(variable + " is not set")
	}
}

// NPM returns a directory of the test's own with copies of files, in which node finds what package-lock.json names. The
// test is skipped where node, npm or the registry are missing.
func NPM(t *testing.T, files ...string) string {
	t.Helper()
	installed := install(t, "package-lock.json", []string{"node", "npm"}, func(ctx context.Context, into string) ([]byte, error) {
		for _, name := range []string{"package.json", "package-lock.json"} {
			if err := copyInto(into, name); err != nil {
				return nil, err
			}
		}
		npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
		npm.Dir = into
		return npm.CombinedOutput()
	})
	dir := t.TempDir()
	err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules"))
	for _, name := range files {
		err = errors.Join(err, copyInto(dir, name))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Python returns the interpreter of a virtual environment with what the file requirements names. The test is skipped
// where python3, its venv or the registry are missing.
func Python(t *testing.T, requirements string) string {
	t.Helper()
	dir := install(t, requirements, []string{"python3"}, func(ctx context.Context, into string) ([]byte, error) {
		if out, err := exec.CommandContext(ctx, "python3", "-m", "venv", into).CombinedOutput(); err != nil {
			return append(out, missing...), err
		}
		return exec.CommandContext(ctx, filepath.Join(into, "bin", "python"), "-m", "pip", "install",
			"--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--requirement", requirements).CombinedOutput()
	})
	return filepath.Join(dir, "bin", "python")
}

// install returns the directory for lock, filled by fill unless an earlier test has done that.
func install(t *testing.T, lock string, programs []string, fill func(ctx context.Context, into string) ([]byte, error)) string {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT CHECKED: %v", err)
		}
	}
	dir := directory(t, lock)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	// A virtual environment holds its own path, but starts from elsewhere all the same.
	into, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(into) }() // there is nothing left of it if all went well
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	switch out, err := fill(ctx, into); {
	case err != nil && (ctx.Err() != nil || unreachable(out)):
		t.Skipf("NOT CHECKED: what %s names cannot be had here: %v\n%s", filepath.Base(lock), err, out)
	case err != nil:
		t.Fatalf("installing what %s names: %v\n%s", filepath.Base(lock), err, out)
	}
	if err := os.Rename(into, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil { // no other test was faster
			t.Fatal(err)
		}
	}
	return dir
}

// directory names the place for what lock pins on this platform.
func directory(t *testing.T, lock string) string {
	t.Helper()
	pinned, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("NOT CHECKED: no place to install in: %v", err)
	}
	cache = filepath.Join(cache, "voxkv")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append(pinned, runtime.GOOS+runtime.GOARCH...))
	return filepath.Join(cache, hex.EncodeToString(sum[:8]))
}

const missing = "\nNo venv\n"

// unreachable reports whether an installer blames its surroundings.
func unreachable(out []byte) bool {
	complaints := []string{
		// npm
		"ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT", "ENOTCACHED",
		// pip
		"NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ReadTimeoutError", "No module named pip",
		missing,
	}
	return slices.ContainsFunc(complaints, func(c string) bool { return bytes.Contains(out, []byte(c)) })
}

// copyInto copies a small file.
func copyInto(dir, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o600)
}
