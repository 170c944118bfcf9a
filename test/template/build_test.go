package template

import (
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"voxkv/internal/e2etest"
	"voxkv/internal/runtimetest"
)

var architectures = []struct {
	name, goarch, emulator string
	machine                elf.Machine
}{
	{"arm64", "arm64", "qemu-aarch64-static", elf.EM_AARCH64},
	{"x86_64", "amd64", "qemu-x86_64-static", elf.EM_X86_64},
}

func TestBuild(t *testing.T) {
	for _, architecture := range architectures {
		t.Run(architecture.name, func(t *testing.T) {
			bootstrap, zip := build(t, "template.yaml", architecture.name)
			if _, again := build(t, "template.yaml", architecture.name); again != zip {
				t.Error("two builds of the same source differ")
			}
			if _, rest := build(t, "examples/rest-api/template.yaml", architecture.name); rest != zip {
				t.Error("behind a REST API another binary runs")
			}
			checkBinary(t, bootstrap, architecture.goarch, architecture.machine)
			t.Run("starts", func(t *testing.T) {
				start(t, runnable(t, bootstrap, architecture.goarch, architecture.emulator))
			})
		})
	}
}

// build runs sam build and returns the bootstrap and the digest of the zip that SAM uploads.
func build(t *testing.T, template, architecture string) (bootstrap, zip string) {
	t.Helper()
	bin, dir := samTools(t), t.TempDir()
	output(t, []string{"ARCHITECTURE=" + architecture, "VERSION=v0.0.0-test"}, filepath.Join(bin, "sam"),
		"build", "--template-file", template, "--build-dir", dir, "--parameter-overrides", "Architecture="+architecture)
	files, err := os.ReadDir(filepath.Join(dir, "VoxkvFunction"))
	if err != nil || len(files) != 1 {
		t.Fatalf("built %v, %v; want one file, bootstrap", files, err)
	}
	zipped := filepath.Join(t.TempDir(), "function")
	output(t, nil, filepath.Join(bin, "python"), "-c",
		"import sys; from samcli.lib.package.utils import make_zip_with_lambda_permissions as z; z(*sys.argv[1:])",
		zipped, filepath.Join(dir, "VoxkvFunction"))
	content := read(t, zipped+".zip")
	t.Logf("%s for %s: zip of %d bytes", template, architecture, len(content))
	return filepath.Join(dir, "VoxkvFunction", "bootstrap"), fmt.Sprintf("%x", sha256.Sum256(content))
}

// checkBinary returns what the linker wrote into the binary.
func checkBinary(t *testing.T, bootstrap, goarch string, machine elf.Machine) *buildinfo.BuildInfo {
	t.Helper()
	binary, err := elf.Open(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if binary.Machine != machine {
		t.Errorf("built for %v; want %v", binary.Machine, machine)
	}
	for _, program := range binary.Progs {
		if program.Type == elf.PT_INTERP {
			t.Error("not static")
		}
	}
	if binary.Section(".symtab") != nil {
		t.Error("not stripped")
	}
	info, err := buildinfo.ReadFile(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	for key, want := range map[string]string{"-tags": "lambda.norpc,nethttpomithttp2", "-trimpath": "true", "CGO_ENABLED": "0", "GOARCH": goarch} {
		if settings[key] != want {
			t.Errorf("built with %s=%s; want %s", key, settings[key], want)
		}
	}
	return info
}

// runnable returns what to execute to run bootstrap here, under an emulator where the
// processor is another one.
func runnable(t *testing.T, bootstrap, goarch, emulator string) string {
	t.Helper()
	if goarch == runtime.GOARCH {
		return bootstrap
	}
	path, err := exec.LookPath(emulator)
	if err != nil {
		t.Skipf("NOT STARTED: %s is not installed (Debian: qemu-user-static)", emulator)
	}
	wrapper := filepath.Join(t.TempDir(), "bootstrap")
	script := fmt.Sprintf("#!/bin/sh\nexec %s %s\n", path, bootstrap)
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return wrapper
}

// start runs bootstrap with the environment of the template among the stand-ins, and
// reads an item.
func start(t *testing.T, bootstrap string) {
	t.Helper()
	world, err := e2etest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	world.Voximplant.Put("order:1001", "on its way", time.Now().Add(time.Hour))
	s := deploy(t, "template.yaml", map[string]string{"SecretArn": world.Secrets.ARN(e2etest.SecretID), "ApplicationId": fmt.Sprint(e2etest.ApplicationID)})
	var settings []string
	for name, value := range environment(s) {
		settings = append(settings, fmt.Sprintf("%s=%v", name, value))
	}
	// An emulated processor has all the time that UPSTREAM_TIMEOUT can give.
	p, err := world.Start(t.Context(), bootstrap, append(settings, "VOXIMPLANT_API_URL="+world.APIURL(), "UPSTREAM_TIMEOUT=1m")...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	event := read(t, filepath.Join(root, "events/http-api-item.json"))
	result, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: event, Deadline: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Output())
	}
	if answer := string(result.Payload); !strings.Contains(answer, `"statusCode":200`) || !strings.Contains(answer, "on its way") {
		t.Errorf("answered %s\n%s", answer, p.Output())
	}
	if !strings.Contains(p.Output(), "v0.0.0-test") {
		t.Errorf("the version is not stamped:\n%s", p.Output())
	}
}
