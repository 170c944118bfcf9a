// Package samlocal runs the function as the SAM CLI emulates Lambda and the HTTP API.
// scripts/sam-local builds it, finds it a container engine, and sets VOXKV_SAM_LOCAL to the
// directory with what sam build made and the root of a container image.
package samlocal

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	write(t, variables, map[string]any{"VoxkvFunction": map[string]string{
		"VOXIMPLANT_SECRET_ID":      secrets.ARN("voxkv"),
		"VOXIMPLANT_APPLICATION_ID": "1",
		"VOXIMPLANT_API_URL":        fmt.Sprintf("https://%s:%d/platform_api", host, port(voximplant)),
		"ALLOWED_KEYS":              strings.ReplaceAll(items, " ", ",") + ",order:*,.",
		"BASE_PATH":                 "kv",
	}})
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

func port(server *httptest.Server) int { return server.Listener.Addr().(*net.TCPAddr).Port }

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

func write(t *testing.T, file string, content any) {
	t.Helper()
	b, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
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

// statuses are what events/README.md promises, by the end of the file's name.
var statuses = []struct {
	situation string
	status    int
}{
	{"-item", 200}, {"-item-plus", 200}, {"-item-hash", 200}, {"-item-semicolon", 200}, {"-item-cyrillic", 200},
	{"-query", 404}, {"-head", 200}, {"-conditional", 304}, {"-not-found", 404}, {"-out-of-scope", 404},
	{"-bad-key", 400}, {"-method-not-allowed", 405}, {"-preflight", 204}, {"-health", 200}, {"-health-check", 200},
	{"-unknown-path", 404},
}

// answers are the same for what is no HTTP request: a part of the answer.
var answers = map[string]string{
	"direct-item":          `"key":"order:1001"`,
	"direct-missing":       `null`,
	"direct-bad-key":       `"errorType":"InvalidRequest"`,
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
			if part, ok := answers[name]; ok {
				if squeezed := strings.ReplaceAll(answer, `": `, `":`); !strings.Contains(squeezed, part) {
					t.Errorf("answered %s; want %s", answer, part)
				}
				return
			}
			checkStatus(t, name, answer)
		})
	}
}

func checkStatus(t *testing.T, name, answer string) {
	t.Helper()
	var got struct{ StatusCode int }
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatalf("answered %s: %v", answer, err)
	}
	for _, known := range statuses {
		if strings.HasSuffix(name, known.situation) && got.StatusCode != known.status {
			t.Errorf("answered %s; want status %d", answer, known.status)
		}
	}
}

func TestStartAPI(t *testing.T) {
	sam := newEmulator(t)
	ctx, stop := context.WithCancel(t.Context())
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, "sam", append([]string{
		"local", "start-api", "--port", "3999", "--warm-containers", "EAGER",
		// Its own check of authorizers fails where the authorizer depends on a condition.
		"--disable-authorizer",
	}, sam.options...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it then removes its container
	cmd.WaitDelay = 20 * time.Second
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const url = "http://127.0.0.1:3999"
	await(t, url)
	for _, key := range strings.Fields(items) {
		output, err := exec.CommandContext(t.Context(), filepath.Join(root, "scripts/smoke"), url, key).CombinedOutput()
		if err != nil {
			t.Errorf("scripts/smoke %s: %v\n%s", key, err, output)
		}
	}
	stop()
	_ = cmd.Wait() // interrupted
	if t.Failed() {
		t.Log(log.String())
	}
}

func await(t *testing.T, url string) {
	t.Helper()
	for range 60 {
		if exec.CommandContext(t.Context(), "curl", "--silent", "--output", "/dev/null", url+"/v1/health").Run() == nil {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatal("start-api does not answer")
}
