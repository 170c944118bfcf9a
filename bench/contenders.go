package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// A contender is one way to answer the same event.
type contender struct {
	Name      string
	Zip       int64 // bytes
	bootstrap string
	env       []string
	constant  bool // it asks nobody
}

// A builder makes the contenders in dir.
type builder struct {
	root, dir string
	smoke     bool // install nothing
}

// all builds every contender that the machine has the tools for. voxkv and
// those in Go it must have.
func (b builder) all(ctx context.Context) ([]*contender, error) {
	floor, err := b.golang(ctx, "floor", "./floor/bootstrap")
	if err != nil {
		return nil, err
	}
	floor.constant = true
	voxkv, err := b.voxkv(ctx)
	if err != nil {
		return nil, err
	}
	naive, err := b.golang(ctx, "naive Go", "./contenders/naive")
	if err != nil {
		return nil, err
	}
	perRequest := *naive
	perRequest.Name, perRequest.env = "naive Go, per request", []string{"PER_REQUEST=1"}
	list := []*contender{floor, voxkv, naive, &perRequest}
	if b.smoke {
		return list, nil
	}
	for _, script := range []func(context.Context) (*contender, error){b.node, b.python} {
		c, err := script(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: NOT MEASURED:", err)
			continue
		}
		list = append(list, c)
	}
	return list, nil
}

// golang builds for this machine and for the arm64 zip.
func (b builder) golang(ctx context.Context, name, pkg string) (*contender, error) {
	return b.both(ctx, name, func(arch, out string) error {
		_, err := b.run(ctx, filepath.Join(b.root, "bench"), []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch}, "go", "build", "-trimpath", "-buildvcs=false",
			"-tags", "lambda.norpc,nethttpomithttp2", "-ldflags", "-s -w -buildid=", "-o", filepath.Join(out, "bootstrap"), pkg)
		return err
	})
}

// voxkv is built by the recipe that the template uses.
func (b builder) voxkv(ctx context.Context) (*contender, error) {
	names := map[string]string{"amd64": "x86_64", "arm64": "arm64"}
	c, err := b.both(ctx, "voxkv", func(arch, out string) error {
		_, err := b.run(ctx, b.root, nil, "make", "build-VoxkvFunction", "ARCHITECTURE="+names[arch], "ARTIFACTS_DIR="+out)
		return err
	})
	if err != nil {
		return nil, err
	}
	template, err := os.ReadFile(filepath.Join(b.root, "template.yaml"))
	if set := rootsSetting.FindSubmatch(template); set != nil {
		c.env = []string{"SSL_CERT_DIR=" + string(set[1])}
	}
	return c, err
}

// rootsSetting is the one variable of the template that has to do with speed.
var rootsSetting = regexp.MustCompile(`(?m)^\s+SSL_CERT_DIR: (\S+)$`)

func (b builder) both(ctx context.Context, name string, build func(arch, out string) error) (*contender, error) {
	var dir string
	for _, arch := range []string{runtime.GOARCH, "arm64"} { // the zip is of the last
		dir = filepath.Join(b.dir, name, arch)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if err := build(arch, dir); err != nil {
			return nil, err
		}
	}
	size, err := b.zipSize(ctx, dir)
	return &contender{Name: name, Zip: size, bootstrap: filepath.Join(b.dir, name, runtime.GOARCH, "bootstrap")}, err
}

// node installs the official Node client.
func (b builder) node(ctx context.Context) (*contender, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("the Node client: %w", err)
	}
	dir, err := b.copy("node", "main.mjs", "package.json", "package-lock.json")
	if err != nil {
		return nil, err
	}
	if _, err := b.run(ctx, dir, nil, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"); err != nil {
		return nil, fmt.Errorf("the Node client: %w", err)
	}
	return b.script(ctx, "Node client", dir, node, filepath.Join(dir, "main.mjs"))
}

// python installs the official Python client.
func (b builder) python(ctx context.Context) (*contender, error) {
	dir, err := b.copy("python", "main.py", "requirements.txt")
	if err != nil {
		return nil, err
	}
	venv := filepath.Join(b.dir, "venv")
	if _, err := b.run(ctx, dir, nil, "python3", "-m", "venv", venv); err != nil {
		return nil, fmt.Errorf("the Python client: %w", err)
	}
	interpreter := filepath.Join(venv, "bin", "python")
	if _, err := b.run(ctx, dir, nil, interpreter, "-m", "pip", "install", "--quiet", "--target", dir, "--upgrade", "-r", "requirements.txt"); err != nil {
		return nil, fmt.Errorf("the Python client: %w", err)
	}
	return b.script(ctx, "Python client", dir, interpreter, filepath.Join(dir, "main.py"))
}

// copy puts the files of a contender into a directory of its own.
func (b builder) copy(name string, files ...string) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(b.root, "bench", "contenders", name, file))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// script makes a bootstrap that becomes the interpreter, and no child of a shell.
func (b builder) script(ctx context.Context, name, dir, interpreter, main string) (*contender, error) {
	size, err := b.zipSize(ctx, dir)
	if err != nil {
		return nil, err
	}
	bootstrap := filepath.Join(b.dir, strings.ReplaceAll(name, " ", "-"))
	text := fmt.Sprintf("#!/bin/sh\nexec '%s' '%s'\n", interpreter, main)
	return &contender{Name: name, Zip: size, bootstrap: bootstrap}, os.WriteFile(bootstrap, []byte(text), 0o755)
}

func (b builder) run(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s%s", name, err, out, stderr.String())
	}
	return out, err
}

// zipSize is that of a zip of the files in dir, made as scripts/package makes it; 0 if that cannot be.
func (b builder) zipSize(ctx context.Context, dir string) (int64, error) {
	if _, err := exec.LookPath("zip"); err != nil {
		fmt.Fprintln(os.Stderr, "bench: NOT MEASURED: size of the zip:", err)
		return 0, nil
	}
	archive, err := b.run(ctx, dir, nil, "zip", "-q", "-X", "-9", "-r", "-", ".", "-x", "*/__pycache__/*")
	return int64(len(archive)), err
}
