// Package samlocal runs the function as the SAM CLI emulates Lambda and the HTTP API.
// scripts/sam-local builds it, finds it a container engine, and sets VOXKV_SAM_LOCAL to the
// directory with what sam build made and the root of a container image.
package samlocal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/internal/secretsmanagertest"
	"voxkv/internal/voximplanttest"
)

const (
	root  = "../.."
	items = "order:1001 a+b a#b a;b ключЁё"
	// host is a name that the certificate of httptest is for.
	host = "example.com"
)

// An emulator is the SAM CLI with what it needs to run the function.
type emulator struct {
	dir     string   // of scripts/sam-local
	options []string // of every sam local
}

func newEmulator(t *testing.T) *emulator {
	t.Helper()
	dir := os.Getenv("VOXKV_SAM_LOCAL")
	if dir == "" {
		t.Skip("VOXKV_SAM_LOCAL is not set; scripts/sam-local does")
	}
	gateway := strings.TrimSpace(run(t, "docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"))
	secrets := new(secretsmanagertest.Server)
	aws := listen(t, gateway, httptest.NewUnstartedServer(secrets))
	aws.Start()
	storage, credentials := newStorage(t)
	secrets.Put("voxkv", credentials)
	voximplant := listen(t, gateway, httptest.NewUnstartedServer(storage))
	voximplant.StartTLS()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: voximplant.Certificate().Raw})
	image := makeImage(t, dir, aws.URL, root)
	variables := filepath.Join(t.TempDir(), "variables.json")
	content, err := json.Marshal(map[string]any{"VoxkvFunction": map[string]string{
		"VOXIMPLANT_SECRET_ID":      secrets.ARN("voxkv"),
		"VOXIMPLANT_APPLICATION_ID": "1",
		"VOXIMPLANT_API_URL":        strings.Replace(voximplant.URL, gateway, host, 1) + "/platform_api",
		"ALLOWED_KEYS":              strings.ReplaceAll(items, " ", ",") + ",order:*,.",
		"BASE_PATH":                 "kv",
	}})
	if err := errors.Join(err, os.WriteFile(variables, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	return &emulator{dir, []string{
		"--template", filepath.Join(dir, "build/template.yaml"), "--env-vars", variables,
		"--parameter-overrides", "Architecture=" + os.Getenv("ARCHITECTURE"),
		"--invoke-image", image, "--skip-pull-image", "--add-host", host + ":" + gateway,
	}}
}

func newStorage(t *testing.T) (*voximplanttest.Server, string) {
	t.Helper()
	account, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		t.Fatal(err)
	}
	storage := &voximplanttest.Server{AccountID: 1, ApplicationID: 1}
	storage.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	for _, key := range strings.Fields(items) {
		storage.Put(key, "value of "+key, time.Now().Add(24*time.Hour))
	}
	return storage, string(account.Credentials())
}

// listen moves a server to where containers reach it.
func listen(t *testing.T, gateway string, server *httptest.Server) *httptest.Server {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server.Listener.Close()
	server.Listener = listener
	t.Cleanup(server.Close)
	return server
}

// makeImage makes the image that stands for Lambda's base image. Where Secrets Manager is
// stands in the image, since sam local hands on only what the template declares.
func makeImage(t *testing.T, dir, secretsManager string, root []byte) string {
	t.Helper()
	files := filepath.Join(dir, "image")
	if err := os.WriteFile(filepath.Join(files, "etc/ssl/certs/ca-certificates.crt"), root, 0o600); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "image.tar")
	run(t, "tar", "-C", files, "-cf", archive, ".")
	name := fmt.Sprintf("voxkv-sam-local-%d:base", time.Now().UnixNano())
	run(t, "docker", "import", "--change", "ENV AWS_ENDPOINT_URL_SECRETS_MANAGER="+secretsManager, archive, name)
	t.Cleanup(func() {
		exec.Command("docker", "rmi", "--force", name, strings.Replace(name, ":base", ":rapid-"+os.Getenv("ARCHITECTURE"), 1)).Run()
	})
	return name
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}

// statuses are those that events/README.md promises, if not 200, by the end of the file's name.
var statuses = map[string]int{
	"-query": 404, "-conditional": 304, "-not-found": 404, "-out-of-scope": 404, "-bad-key": 400,
	"-method-not-allowed": 405, "-preflight": 204, "-unknown-path": 404,
}

// answers are parts of the answers to what is no HTTP request.
var answers = map[string]string{
	"direct-item":          `"key":"order:1001"`,
	"direct-batch":         `"key":"order:1001"`,
	"direct-list":          `"next_offset":null`,
	"direct-missing":       `null`,
	"direct-bad-key":       `"errorType":"InvalidRequest"`,
	"direct-set":           `"errorType":"InvalidRequest"`,
	"sqs":                  `"errorType":"InvalidRequest"`,
	"s3":                   `"errorType":"InvalidRequest"`,
	"eventbridge-schedule": `"errorType":"InvalidRequest"`,
}

func TestInvoke(t *testing.T) {
	sam := newEmulator(t)
	events, err := filepath.Glob(filepath.Join(root, "events/*.json"))
	if err != nil || len(events) == 0 {
		t.Fatal("no events: ", err)
	}
	for _, event := range events {
		name := strings.TrimSuffix(filepath.Base(event), ".json")
		t.Run(name, func(t *testing.T) {
			answer := run(t, "sam", append([]string{"local", "invoke", "--event", event}, sam.options...)...)
			if squeezed := strings.ReplaceAll(answer, `": `, `":`); !strings.Contains(squeezed, part(name)) {
				t.Errorf("answered %s; want %s", answer, part(name))
			}
		})
	}
}

// part is what the answer to an event must hold.
func part(name string) string {
	if known, ok := answers[name]; ok {
		return known
	}
	want := 200
	for situation, status := range statuses {
		if strings.HasSuffix(name, situation) {
			want = status
		}
	}
	return fmt.Sprintf(`"statusCode":%d`, want)
}

func TestStartAPI(t *testing.T) {
	sam := newEmulator(t)
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "sam", append([]string{
		"local", "start-api", "--port", "0", "--warm-containers", "EAGER",
		// Its own check of authorizers fails where the authorizer depends on a condition.
		"--disable-authorizer",
	}, sam.options...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it then removes its container
	cmd.WaitDelay = time.Minute
	log, err := cmd.StderrPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	defer func() {
		stop()
		_ = cmd.Wait() // interrupted
		reading.Wait()
	}()
	url := announced(t, log)
	reading.Go(func() { io.Copy(t.Output(), log) })
	for _, key := range strings.Fields(items) {
		output, err := exec.CommandContext(t.Context(), filepath.Join(root, "scripts/smoke"), url, key).CombinedOutput()
		if err != nil {
			t.Errorf("scripts/smoke %s: %v\n%s", key, err, output)
		}
	}
}

// announced reads the log up to the line that says where start-api accepts connections, on a port that is free.
func announced(t *testing.T, log io.Reader) string {
	t.Helper()
	for lines := bufio.NewScanner(log); lines.Scan(); t.Log(lines.Text()) {
		if _, url, ok := strings.Cut(lines.Text(), "Running on "); ok {
			return strings.TrimSpace(url)
		}
	}
	t.Fatal("start-api does not answer")
	return ""
}
