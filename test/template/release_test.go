package template

import (
	"archive/zip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"go/version"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const releaseVersion = "v0.0.0-test"

// TestRelease holds what scripts/package makes: the files that a release publishes.
func TestRelease(t *testing.T) {
	dist := packaged(t)
	if sums := checkSums(t, dist); sums != checkSums(t, packaged(t)) {
		t.Error("two builds of the same source differ")
	}
	t.Run("vulnerabilities", func(t *testing.T) { checkVulnerabilities(t, dist) })
	t.Run("document", func(t *testing.T) { checkDocument(t, dist) })
	for _, architecture := range architectures {
		t.Run(architecture.name, func(t *testing.T) {
			name := filepath.Join(dist, "voxkv-"+releaseVersion+"-"+architecture.name)
			bootstrap := unzip(t, name+".zip")
			info := checkBinary(t, bootstrap, architecture.goarch, architecture.machine)
			if want := toolchain(t); version.Compare(info.GoVersion, want) < 0 {
				t.Errorf("built with %s; go.mod wants %s", info.GoVersion, want)
			}
			checkBillOfMaterials(t, name+".cdx.json", bootstrap, info)
			checkTemplate(t, name, architecture.name)
			t.Run("starts", func(t *testing.T) {
				start(t, runnable(t, bootstrap, architecture.goarch, architecture.emulator))
			})
		})
	}
}

// packaged runs scripts/package and returns the directory with what it makes.
func packaged(t *testing.T) string {
	t.Helper()
	samTools(t)
	dist := filepath.Join(t.TempDir(), "dist")
	output(t, []string{"VERSION=" + releaseVersion, "DIST=" + dist}, filepath.Join(root, "scripts/package"))
	return dist
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// checkSums returns the file with the digests of all others in a directory.
func checkSums(t *testing.T, dist string) string {
	t.Helper()
	entries, err := os.ReadDir(dist) // sorted by name
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, entry := range entries {
		if entry.Name() != "SHA256SUMS" {
			want += fmt.Sprintf("%x  %s\n", sha256.Sum256(read(t, filepath.Join(dist, entry.Name()))), entry.Name())
		}
	}
	got := string(read(t, filepath.Join(dist, "SHA256SUMS")))
	if got != want || len(entries) != 7 {
		t.Errorf("SHA256SUMS of %d files:\n%s\nwant, of 7\n%s", len(entries), got, want)
	}
	return got
}

// unzip returns the one file that Lambda takes, which it must be able to execute.
func unzip(t *testing.T, name string) string {
	t.Helper()
	archive, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if len(archive.File) != 1 || archive.File[0].Name != "bootstrap" || archive.File[0].Mode() != 0o755 {
		t.Fatalf("%s holds %d files, the first of them %s; want one, bootstrap, that all may execute",
			name, len(archive.File), archive.File[0].Name)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, archive); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "bootstrap")
}

// toolchain is what go.mod wants everything to be built with.
func toolchain(t *testing.T) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^toolchain (go\d+\.\d+\.\d+)$`).FindSubmatch(read(t, filepath.Join(root, "go.mod")))
	if line == nil {
		t.Fatal("go.mod has no toolchain line: what is released is built with the oldest Go that it allows")
	}
	return string(line[1])
}

// checkBillOfMaterials compares a bill with what the linker wrote into the binary: modules, versions and the Go release.
func checkBillOfMaterials(t *testing.T, name, bootstrap string, info *buildinfo.BuildInfo) {
	t.Helper()
	bill := decode[struct {
		Metadata struct {
			Component  struct{ Name, Version string }
			Properties []struct{ Name, Value string }
		}
		Components []struct{ Name, Version string }
	}](t, string(read(t, name)))
	got, want := []string{}, []string{"std " + info.GoVersion}
	for _, component := range bill.Components {
		got = append(got, component.Name+" "+component.Version)
	}
	for _, module := range info.Deps {
		want = append(want, module.Path+" "+module.Version)
	}
	slices.Sort(got)
	slices.Sort(want)
	if about := bill.Metadata.Component; !slices.Equal(got, want) || about.Name != "voxkv" || about.Version != releaseVersion {
		t.Errorf("the bill of %v names\n%q\nwant\n%q", about, got, want)
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(read(t, bootstrap)))
	if !slices.Contains(bill.Metadata.Properties, struct{ Name, Value string }{"cdx:gomod:binary:hash:SHA-256", digest}) {
		t.Errorf("the bill is not of the binary with digest %s", digest)
	}
}

// checkVulnerabilities gives scripts/vulnerabilities databases in which something is wrong with a module of the tests or with
// what is released. A stripped binary does not tell which packages it has, so all of a module's count.
func checkVulnerabilities(t *testing.T, dist string) {
	t.Helper()
	for _, test := range []struct {
		module, pkg, symbol string
		found               bool
	}{
		{"github.com/getkin/kin-openapi", "github.com/getkin/kin-openapi/openapi3", "NewLoader", false},
		{"stdlib", "net/smtp", "SendMail", true},
		{"golang.org/x/sync", "golang.org/x/sync/singleflight", "Group.Do", true},
	} {
		script := filepath.Join(root, "scripts/vulnerabilities")
		out, err := exec.CommandContext(t.Context(), script, dist, database(t, test.module, test.pkg, test.symbol)).CombinedOutput()
		if (err != nil) != test.found || strings.Contains(string(out), "GO-2999-0001") != test.found {
			t.Errorf("with a fault in %s.%s: %v\n%s", test.pkg, test.symbol, err, out)
		}
	}
}

// database is one of Go's (https://go.dev/doc/security/vuln/database) that knows of one fault in all versions of module.
func database(t *testing.T, module, pkg, symbol string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, fstest.MapFS{
		"index/db.json":      {Data: []byte(`{"modified":"2026-01-01T00:00:00Z"}`)},
		"index/modules.json": {Data: []byte(`[{"path":"` + module + `","vulns":[{"id":"GO-2999-0001","modified":"2026-01-01T00:00:00Z"}]}]`)},
		"ID/GO-2999-0001.json": {Data: []byte(`{"schema_version":"1.3.1","id":"GO-2999-0001","modified":"2026-01-01T00:00:00Z","published":"2026-01-01T00:00:00Z",
			"details":"for a test","affected":[{"package":{"name":"` + module + `","ecosystem":"Go"},
			"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],
			"ecosystem_specific":{"imports":[{"path":"` + pkg + `","symbols":["` + symbol + `"]}]}}],
			"database_specific":{"url":"https://example.com"}}`)},
	}); err != nil {
		t.Fatal(err)
	}
	return "file://" + dir
}

var versionID = regexp.MustCompile(`VoxkvFunctionVersion[0-9A-Za-z]+`)

// checkTemplate: a release's template is template.yaml with the code in a bucket.
func checkTemplate(t *testing.T, name, architecture string) {
	t.Helper()
	output(t, nil, filepath.Join(samTools(t), "cfn-lint"), name+".yaml")
	got := deploy(t, name+".yaml", map[string]string{"CodeBucket": "releases"}).template
	want := deploy(t, "template.yaml", map[string]string{"Architecture": architecture}).template
	code := object(object(object(object(got["Resources"])["VoxkvFunction"])["Properties"])["Code"])
	if code["S3Bucket"] != "releases" || code["S3Key"] != filepath.Base(name)+".zip" {
		t.Errorf("the code is at %v", code)
	}
	if declared := object(object(got["Parameters"])["Architecture"]); declared["Default"] != architecture || len(declared["AllowedValues"].([]any)) != 1 {
		t.Errorf("the processor may be %v", declared)
	}
	for _, transformed := range []map[string]any{got, want} {
		delete(object(object(object(transformed["Resources"])["VoxkvFunction"])["Properties"]), "Code")
		delete(object(transformed["Parameters"]), "CodeBucket")
		delete(object(transformed["Parameters"]), "Architecture")
		delete(object(transformed["Metadata"]), "AWS::CloudFormation::Interface")
	}
	if got, want := withoutVersion(got), withoutVersion(want); got != want {
		t.Errorf("the stack is\n%s\nwant that of template.yaml\n%s", got, want)
	}
}

// withoutVersion returns a template as text in which the function's version has the same name whatever its code.
func withoutVersion(template map[string]any) string {
	return versionID.ReplaceAllString(fmt.Sprintf("%#v", template), "VoxkvFunctionVersion")
}

// TestReleaseOfAnotherVersion: who deploys another release gets it, though all parameters stay.
func TestReleaseOfAnotherVersion(t *testing.T) {
	samTools(t)
	ids := map[string]bool{}
	for _, release := range []string{"v1.2.3", "v1.2.4"} {
		file := filepath.Join(t.TempDir(), "template.yaml")
		text := output(t, nil, filepath.Join(root, "scripts/release-template"), release, "arm64")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		ids[versionID.FindString(fmt.Sprint(deploy(t, file, map[string]string{"CodeBucket": "releases"}).template))] = true
	}
	if len(ids) != 2 {
		t.Errorf("two releases are the versions %v", ids)
	}
}

// TestReleaseWorkflow: the job that may sign runs none of the project's code and nothing that it installs, and has
// what it signs from jobs that may do nothing.
func TestReleaseWorkflow(t *testing.T) {
	workflow := source(t, ".github/workflows/release.yml")
	if permissions, ok := workflow["permissions"]; !ok || len(object(permissions)) != 0 {
		t.Errorf("the workflow's permissions are %v; want none", permissions)
	}
	writing := 0
	for name, declared := range object(workflow["jobs"]) {
		job := object(declared)
		permissions := object(job["permissions"])
		if maps.Equal(permissions, map[string]any{"contents": "read"}) {
			continue
		}
		writing++
		if needs := words(job["needs"]); !slices.Contains(needs, "gate") || !slices.Contains(needs, "build") {
			t.Errorf("%s may write and needs only %v", name, needs)
		}
		for _, step := range job["steps"].([]any) {
			checkSigningStep(t, name, object(step))
		}
	}
	if writing != 1 {
		t.Errorf("%d jobs may write; want one", writing)
	}
}

func checkSigningStep(t *testing.T, job string, step map[string]any) {
	t.Helper()
	uses, _ := step["uses"].(string)
	run, _ := step["run"].(string)
	action, _, _ := strings.Cut(uses, "@")
	known := []string{"actions/download-artifact", "actions/attest-build-provenance"}
	if !slices.Contains(known, action) && !strings.HasPrefix(run, "gh release create ") || strings.Contains(strings.TrimSpace(run), "\n") {
		t.Errorf("%s may write and runs %s%s", job, uses, run)
	}
}

// TestReleaseWorkflowsPinActions: a tag can be moved, a commit cannot.
func TestReleaseWorkflowsPinActions(t *testing.T) {
	pinned := regexp.MustCompile(`uses: (\./\.github/workflows/[a-z]+\.yml|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`)
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no workflows: ", err)
	}
	for _, file := range files {
		for line := range strings.Lines(string(read(t, file))) {
			if line = strings.TrimSpace(line); strings.Contains(line, "uses:") && !pinned.MatchString(line) {
				t.Errorf("%s: %s", file, line)
			}
		}
	}
}

// TestReleaseMetadata holds what the Serverless Application Repository is told to its own client.
func TestReleaseMetadata(t *testing.T) {
	metadata, err := json.Marshal(source(t, "template.yaml")["Metadata"])
	if err != nil {
		t.Fatal(err)
	}
	const check = `
import json, re, sys
from samcli.vendor.serverlessrepo.application_metadata import ApplicationMetadata
declared = json.loads(sys.argv[1])["AWS::ServerlessRepo::Application"]
m = ApplicationMetadata(declared)
m.validate(["name", "description", "author", "spdx_license_id", "license_url", "readme_url", "labels"])
assert set(declared) <= {v for k, v in vars(ApplicationMetadata).items() if k.isupper()}, declared
assert re.fullmatch("[a-zA-Z0-9-]{1,140}", m.name), m.name
assert re.fullmatch("[a-zA-Z0-9](([a-zA-Z0-9]|-(?!-))*[a-zA-Z0-9])?", m.author), m.author
assert len(m.description) <= 256 and len(m.labels) <= 10
assert all(re.fullmatch("[a-zA-Z0-9+_:/@-]{1,127}", label) for label in m.labels), m.labels
open(m.license_url), open(m.readme_url)
`
	output(t, nil, filepath.Join(samTools(t), "python"), "-c", check, string(metadata))
}

// standIn is a program that writes down what it is called with. It answers as the real ones do, as far as the document
// makes use of it.
const standIn = `#!/bin/sh
{ printf '%s' "${0##*/}"; printf '\t%s' "$@"; echo; } >>"$CALLS"
case "$1 $2" in
"release download") cp "$DIST"/* . ;;
"sts get-caller-identity") echo 123456789012 ;;
"configure get") echo eu-central-1 ;;
"secretsmanager describe-secret") echo "$SECRET_ARN" ;;
esac
`

// checkDocument runs the commands of docs/release.md with the files of a release, and deploys on paper what they
// give to CloudFormation.
func checkDocument(t *testing.T, dist string) {
	t.Helper()
	dir := t.TempDir()
	for _, program := range []string{"aws", "gh"} {
		if err := os.WriteFile(filepath.Join(dir, program), []byte(standIn), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sh := exec.CommandContext(t.Context(), "sh", "-eu", "-c", commands(t))
	sh.Dir = t.TempDir()
	calls := filepath.Join(dir, "calls")
	sh.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CALLS="+calls, "DIST="+dist, "SECRET_ARN="+given["SecretArn"])
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	recorded := string(read(t, calls))
	if verified := strings.Count(recorded, "gh\tattestation\tverify\t"); verified != 3 {
		t.Errorf("%d files are verified; want 3:\n%s", verified, recorded)
	}
	checkDeployment(t, sh.Dir, recorded)
}

// commands are the indented blocks of docs/release.md, with this test's version.
func commands(t *testing.T) string {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^ {4}.*\n`).FindAllString(string(read(t, filepath.Join(root, "docs/release.md"))), -1)
	return regexp.MustCompile(`VERSION=v\d+\.\d+\.\d+`).ReplaceAllString(strings.Join(lines, ""), "VERSION="+releaseVersion)
}

func checkDeployment(t *testing.T, dir, recorded string) {
	t.Helper()
	var uploaded string
	for call := range strings.Lines(recorded) {
		words := strings.Split(strings.TrimSpace(call), "\t")
		switch strings.Join(words[:3], " ") {
		case "aws s3 cp":
			uploaded = words[4] + words[3]
		case "aws cloudformation deploy":
			for _, needed := range []string{"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--s3-bucket"} {
				if !slices.Contains(words, needed) {
					t.Errorf("no %s in %s", needed, call)
				}
			}
			if code := deployedCode(t, dir, words); code == "" || code != uploaded {
				t.Errorf("the stack's code is at %q; uploaded is %q", code, uploaded)
			}
			return
		}
	}
	t.Errorf("nothing is deployed:\n%s", recorded)
}

// deployedCode is where the template given to a call finds the function's code, with the parameters given to it.
func deployedCode(t *testing.T, dir string, call []string) string {
	t.Helper()
	template := filepath.Join(dir, call[slices.Index(call, "--template-file")+1])
	parameters := map[string]string{}
	for _, override := range call[slices.Index(call, "--parameter-overrides")+1:] {
		name, value, _ := strings.Cut(override, "=")
		parameters[name] = value
	}
	s := deploy(t, template, parameters)
	if refused := s.refusals(); refused != nil {
		t.Errorf("%v: refused: %v", parameters, refused)
	}
	for name, declared := range object(s.template["Parameters"]) {
		if _, ok := object(declared)["Default"]; !ok && parameters[name] == "" {
			t.Errorf("the document gives no %s", name)
		}
	}
	code := object(s.resource("VoxkvFunction")["Code"])
	return fmt.Sprintf("s3://%v/%v", code["S3Bucket"], code["S3Key"])
}
