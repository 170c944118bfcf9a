package scripts

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A clone is a directory with what a deployer has, before a cloud of its own.
type clone struct {
	*cloud
	dir     string
	environ []string
}

// newClone has the credentials of the cloud's service account in credentials.json, and the stand-ins on PATH.
func newClone(t *testing.T) clone {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skipf("NOT CHECKED: %v", err)
	}
	c := clone{newCloud(t), filepath.Join(t.TempDir(), "my voxkv"), nil} // directories may have spaces
	for _, name := range []string{"template.yaml", "samconfig.toml", "scripts/deploy", "scripts/smoke", "scripts/put-item"} {
		write(t, filepath.Join(c.dir, name), read(t, filepath.Join("..", name)), 0o700)
	}
	write(t, filepath.Join(c.dir, "credentials.json"), c.key.Credentials(), 0o600)
	// Of the stand-ins, which are this test, the race detector would let each sleep for a second when it ends.
	c.environ = []string{"PATH=" + standInPath(t) + ":" + os.Getenv("PATH"), "STAND_IN_CLOUD=" + serve(t, c.cloud), "VOXIMPLANT_API_URL=" + c.api, "GORACE=atexit_sleep_ms=0"}
	return c
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, name string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, mode); err != nil {
		t.Fatal(err)
	}
}

// standInPath is a directory with aws and sam, which are this test.
func standInPath(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	bin := t.TempDir()
	if err := errors.Join(err, os.Symlink(self, filepath.Join(bin, "aws")), os.Symlink(self, filepath.Join(bin, "sam"))); err != nil {
		t.Fatal(err)
	}
	return bin
}

// run runs a script of the clone and returns what it prints, standard error included.
func (c clone) run(t *testing.T, command string, args ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command, args...)
	cmd.Dir, cmd.Env = c.dir, c.environ
	// What the test has set is there before the cloud is asked, and what the cloud did
	// is done before the test looks. The race detector cannot know that from processes.
	c.mu.Lock()
	c.mu.Unlock() //nolint:staticcheck // as said
	out, err := cmd.CombinedOutput()
	c.mu.Lock()
	defer c.mu.Unlock()
	if strings.Contains(string(out), "PRIVATE KEY") {
		t.Errorf("the key is shown:\n%s", out)
	}
	return string(out), err
}

// deploy must succeed.
func (c clone) deploy(t *testing.T, args ...string) string {
	t.Helper()
	output, err := c.run(t, "scripts/deploy", args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return output
}

// refused must fail, and say each of the texts.
func (c clone) refused(t *testing.T, args []string, texts ...string) {
	t.Helper()
	output, err := c.run(t, "scripts/deploy", args...)
	if err == nil {
		t.Errorf("%q succeeds:\n%s", args, output)
	}
	contains(t, output, texts...)
}

func contains(t *testing.T, output string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(output, text) {
			t.Errorf("the output lacks %q:\n%s", text, output)
		}
	}
}

// commands are the first words of all commands that change something.
func (c *cloud) commands() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var commands []string
	for _, asked := range c.calls {
		if command := asked.name(); !strings.Contains(command, "describe") && !strings.Contains(command, "get") {
			commands = append(commands, command)
		}
	}
	return commands
}

var first = []string{"-credentials", "credentials.json", "-application-id", "12345", "-allowed-keys", "order:*"}

func TestDeploy(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.storage.Put("order:1000", "gone soon", time.Now().Add(time.Minute)) // the first key, and not for long enough
	c.storage.Put("order:1001", "ringing", time.Now().Add(time.Hour))
	output := c.deploy(t, first...)
	contains(t, output, "20 passed, 0 failed", "URL        "+c.url, "alias ARN  "+c.alias("voxkv"), "curl -i "+c.url+"/v1/items/order:1001",
		"rm '"+filepath.Join(c.dir, "credentials.json")+"'")
	want := []string{"aws secretsmanager create-secret", "sam build", "sam deploy", "aws lambda invoke"}
	if got := c.commands(); !slices.Equal(got, want) {
		t.Errorf("it did %q; want %q", got, want)
	}
	if got := c.secrets["voxkv"].versions; len(got) != 1 || got[0] != string(c.key.Credentials()) {
		t.Errorf("the secret has %d versions, the last one not the file's", len(got))
	}
	standard, err := defaults(read(t, "../template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"SecretArn": secretARN("voxkv"), "ApplicationId": "12345", "AllowedKeys": "order:*"}
	for name, value := range c.stacks["voxkv"].parameters {
		want, ok := given[name]
		if !ok {
			want = *standard[name]
		}
		if value != want {
			t.Errorf("%s is %q; want %q", name, value, want)
		}
	}
}

// An application may be given by its name, which then stands where its number would. Nothing is stored yet: the first item
// can be put with the command that is printed.
func TestDeployByName(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.storage.ApplicationName = "shop.account.voximplant.com"
	output := c.deploy(t, slices.Concat(first[:2], first[4:], []string{"-set", "ApplicationName=" + c.storage.ApplicationName})...)
	contains(t, output, "no key is given", "12 passed, 0 failed")
	_, command, _ := strings.Cut(output, "\n  scripts/put-item ")
	command, _, _ = strings.Cut(command, "\n")
	if output, err := c.run(t, "sh", "-c", "scripts/put-item "+command); err != nil || output != "order:1001 is stored for 3600 seconds\n" {
		t.Errorf("%s: %v\n%s", command, err, output)
	}
	items := c.storage.Items()
	if len(items) != 1 || items[0].Key != "order:1001" || items[0].Value != "ringing" {
		t.Errorf("stored are %v", items)
	}
}

// Arguments that are shifted, missing or too many store nothing.
func TestPutItemRefuses(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	for _, tt := range []struct {
		args []string
		text string
	}{
		{[]string{"order:1001", "ringing", "3600"}, `APPLICATION is "order:1001"; accepted is a number`},
		{[]string{"", "order:1001", "ringing", "3600"}, `APPLICATION is ""; accepted is a number`},
		{[]string{"12345", "", "ringing"}, "KEY is empty; accepted"},
		{[]string{"12345", "order:1001", "ringing", "an hour"}, `SECONDS is "an hour"; accepted`},
		{[]string{"12345", "order:1001"}, "3 arguments; accepted are four or five: scripts/put-item CREDENTIALS APPLICATION KEY"},
		{[]string{"12345", "order:1001", "is", "ringing", "3600"}, "6 arguments; accepted are four or five"},
	} {
		output, err := c.run(t, "scripts/put-item", append([]string{"credentials.json"}, tt.args...)...)
		if err == nil {
			t.Errorf("%q succeeds", tt.args)
		}
		contains(t, output, tt.text)
	}
	if items := c.storage.Items(); len(items) != 0 {
		t.Errorf("stored are %v", items)
	}
}

// What is not named keeps its value, and that is said; another name is another stack with another secret.
func TestDeployAgain(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	odd := `order:{sub}:* max-age=2s, a "quoted" one'`
	c.deploy(t, slices.Concat(first, []string{"-set", "CorsOrigins=https://a.example, https://b.example", "-set", "JwtScopes=" + odd,
		"-set", "Architecture=x86_64", "-tag", "team=the phone people", "-tag", "stage=test"})...)
	before := maps.Clone(c.stacks["voxkv"].parameters)
	if before["JwtScopes"] != odd {
		t.Errorf("SAM was handed %s; want %s", before["JwtScopes"], odd)
	}
	c.stacks["voxkv"].parameters["Retired"] = "on" // of a template from before
	// It is built for x86_64, else the stand-in would refuse it.
	output := c.deploy(t, "-set", "MemorySize=512", "-tag", "stage=prod")
	contains(t, output, "the stack voxkv exists; what is not named keeps the value", "  AllowedKeys=order:*\n",
		"  CorsOrigins=https://a.example, https://b.example\n", "  Retired=on goes: template.yaml has no such parameter any more\n")
	output = c.deploy(t, "-set", "MemorySize=1024")
	if strings.Contains(output, "  CacheMaxAge=") || strings.Contains(output, "  MemorySize=") {
		t.Errorf("it tells of defaults, or of what is named:\n%s", output)
	}
	if got := c.stacks["voxkv"].tags; got != "stage=prod\nteam=the phone people\n" { // SAM takes away those that it is not told
		t.Errorf("the tags are %q", got)
	}
	before["MemorySize"] = "1024"
	if after := c.stacks["voxkv"].parameters; !maps.Equal(before, after) {
		t.Errorf("the parameters are\n%v; want\n%v", after, before)
	}
	if n := len(c.secrets["voxkv"].versions); n != 1 {
		t.Errorf("the secret has %d versions; want 1, as no file was named", n)
	}
	c.deploy(t, slices.Concat(first, []string{"-name", "voxkv-staging"})...)
	if len(c.stacks) != 2 || c.secrets["voxkv-staging"] == nil || c.stacks["voxkv-staging"].parameters["MemorySize"] != "256" {
		t.Errorf("stacks %v, secrets %v", c.stacks, c.secrets)
	}
}

// The file becomes the value of the secret that the stack reads, whatever its name.
func TestDeployRotates(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.secrets["shared"] = &secret{versions: []string{string(c.key.Credentials())}}
	c.deploy(t, "-set", "SecretArn="+secretARN("shared"), "-application-id", "12345", "-allowed-keys", "order:*")
	contains(t, c.deploy(t, "-credentials", "credentials.json"), "the secret "+secretARN("shared")+" exists and gets a new version")
	if len(c.secrets) != 1 || len(c.secrets["shared"].versions) != 2 {
		t.Errorf("the secrets are %v", c.secrets)
	}
}

// After a first deployment that failed, the same command is enough. What the AWS CLI says on standard error is no part of
// its answers.
func TestDeployAfterAFailure(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.warning = "urllib3: InsecureRequestWarning: unverified HTTPS request\n"
	c.stacks["voxkv"] = &stack{status: "ROLLBACK_COMPLETE"}
	c.secrets["voxkv"] = &secret{versions: []string{"{}"}}
	contains(t, c.deploy(t, first...), "the first deployment of voxkv failed", "the secret voxkv exists and gets a new version")
	want := []string{"aws cloudformation delete-stack", "aws cloudformation wait", "aws secretsmanager put-secret-value",
		"sam build", "sam deploy", "aws lambda invoke"}
	if got := c.commands(); !slices.Equal(got, want) {
		t.Errorf("it did %q; want %q", got, want)
	}
	contains(t, c.deploy(t), "the stack voxkv exists; ")
	if got := c.stacks["voxkv"].parameters["SecretArn"]; got != secretARN("voxkv") || len(c.secrets["voxkv"].versions) != 2 {
		t.Errorf("SecretArn is %q, and the secrets are %v", got, c.secrets)
	}
	for status, text := range map[string]string{"UPDATE_IN_PROGRESS": "is being changed", "UPDATE_ROLLBACK_FAILED": "which you must resolve first"} {
		c.stacks["voxkv"].status = status
		c.refused(t, nil, text)
	}
}

// A rehearsal changes nothing, and prints what would.
func TestDryRun(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	output := c.deploy(t, slices.Concat(first, []string{"-dry-run"})...)
	contains(t, output,
		"$ aws secretsmanager create-secret --name voxkv ",
		"$ env ARCHITECTURE=arm64 sam build --build-in-source --build-dir .aws-sam/deploy --parameter-overrides Architecture=arm64\n",
		"$ sam deploy --template-file .aws-sam/deploy/template.yaml --stack-name voxkv --region eu-central-1 ",
		`'AllowedKeys="order:*"'`, `$ scripts/smoke "$URL" "$KEY"`)
	if got := c.commands(); len(got) != 0 {
		t.Errorf("a rehearsal did %q", got)
	}
	if _, err := os.Stat(filepath.Join(c.dir, ".aws-sam")); err == nil {
		t.Error("a rehearsal leaves .aws-sam")
	}
}

// What is wrong is named, with what is accepted, before anything is changed.
func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	write(t, filepath.Join(c.dir, "other.json"), []byte(`{"account_id": 1, "key_id": "x"}`), 0o600)
	write(t, filepath.Join(c.dir, "pem.json"), []byte(`{"account_id": 1, "key_id": "x", "private_key": "secret"}`), 0o600)
	write(t, filepath.Join(c.dir, "some.zip"), []byte("PK"), 0o600)
	for _, tt := range []struct {
		args  []string
		texts []string
	}{
		{[]string{"-allowed", "x"}, []string{"-allowed is unknown", "-allowed-keys RULES"}},
		{[]string{"-name"}, []string{"its value is missing"}},
		{nil, []string{"a new stack needs -allowed-keys"}},
		{[]string{"-allowed-keys", "order:*"}, []string{"a new stack needs -application-id"}},
		{[]string{"-allowed-keys", "order:*", "-application-id", "12345"}, []string{"a new stack needs -credentials"}},
		{[]string{"-allowed-keys", " , "}, []string{"-allowed-keys is empty; accepted"}},
		{[]string{"-application-id", "shop"}, []string{`-application-id is "shop"; accepted is a number`, "ApplicationName"}},
		{[]string{"-name", "my stack"}, []string{`-name is "my stack"; accepted`}},
		{[]string{"-name", strings.Repeat("a", 50)}, []string{"accepted are up to 49 letters"}},
		{[]string{"-name", strings.Repeat("a", 49)}, []string{"a new stack needs -allowed-keys"}},
		{[]string{"-set", "CacheMaxAge"}, []string{"accepted is Parameter=value"}},
		{[]string{"-set", "CacheMaxage=30s"}, []string{"no such parameter; accepted", "CacheMaxAge"}},
		{[]string{"-set", "CacheMaxAge=1s", "-set", "CacheMaxAge=2s"}, []string{"CacheMaxAge is given twice"}},
		{[]string{"-set", `JwtScopes=a\b`}, []string{"a backslash"}},
		{[]string{"-set", "ApplicationName=shop", "-application-id", "1"}, []string{"ApplicationId is given twice"}},
		{[]string{"-credentials", "missing.json"}, []string{"missing.json cannot be read; accepted is the JSON file"}},
		{[]string{"-credentials", "other.json"}, []string{"other.json has no private_key; accepted"}},
		{[]string{"-credentials", "pem.json"}, []string{"no key in PEM form; accepted"}},
		{[]string{"-tag", "team"}, []string{`-tag is "team"; accepted is Key=Value`}},
		{[]string{"-zip", "some.zip"}, []string{"holds no bootstrap for Lambda; accepted"}},
		{slices.Concat(first[2:], []string{"-set", "SecretArn=arn:aws:secretsmanager:us-east-1:123456789012:secret:voxkv-AbCdEf"}), []string{"accepted is the whole ARN of a secret in eu-central-1"}},
	} {
		c.refused(t, tt.args, tt.texts...)
	}
	if got := c.commands(); len(got) != 0 {
		t.Errorf("it did %q", got)
	}
}

func TestDeployWithoutAWS(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.account = ""
	c.refused(t, first, "Unable to locate credentials", "AWS does not accept the credentials here, or there are none; see aws configure")
	c.account, c.region = accountID, ""
	c.refused(t, first, "no region is set; for example: export AWS_REGION=")
	c.environ = append(c.environ, "AWS_REGION="+region)
	c.deploy(t, first...)
	c.environ[0] = "PATH=" + only(t, "bash", "env", "dirname", "sed")
	c.refused(t, first, "not found on PATH: aws sam curl go make\n", "install-sam-cli")
	c.refused(t, slices.Concat(first, []string{"-zip", "voxkv.zip"}), "not found on PATH: aws sam curl unzip\n")
}

// only is a directory for PATH with no more than these programs.
func only(t *testing.T, programs ...string) string {
	t.Helper()
	bin := t.TempDir()
	for _, program := range programs {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Skipf("NOT CHECKED: %v", err)
		}
		if err := os.Symlink(path, filepath.Join(bin, program)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// A failure after the deployment says what stands, what does not, and where to look.
func TestDeployTellsFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(clone)
		texts []string
	}{
		"the secret is to be deleted": {func(c clone) {
			c.secrets["voxkv"] = &secret{versions: []string{"{}"}, deleted: true}
		}, []string{"aws secretsmanager restore-secret --secret-id voxkv"}},
		"Voximplant refuses the key": {func(c clone) {
			c.storage.RemoveKey(c.key.KeyID)
		}, []string{"the function is deployed, but cannot read the storage", "UpstreamFailure", "sam logs --stack-name voxkv"}},
		"another application": {func(c clone) { c.storage.ApplicationID++ }, []string{"cannot read the storage", "InternalError"}},
		"an old sam": {fails("sam deploy", "Error: Failed to create changeset"), []string{"Failed to create changeset",
			"the deployment failed; the events above say why", "A version for this Lambda function exists", "-set LocalMaxItems="}},
		"AWS is away":             {fails("aws cloudformation describe-stacks", "An error occurred (AccessDenied)"), []string{"deploy: An error occurred (AccessDenied)"}},
		"Secrets Manager is away": {fails("aws secretsmanager describe-secret", "An error occurred (InternalServiceError)"), []string{"deploy: An error occurred (InternalServiceError)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClone(t)
			tt.spoil(c)
			c.refused(t, first, tt.texts...)
		})
	}
}

// fails makes a command end with an error.
func fails(command, stderr string) func(clone) {
	return func(c clone) {
		c.respond = func(asked call) *outcome {
			if asked.name() != command {
				return nil
			}
			return &outcome{Stderr: stderr, Code: 254}
		}
	}
}

// Where callers show credentials, the script cannot check the URL and says what can.
func TestDeployForCallersWithCredentials(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	output := c.deploy(t, slices.Concat(first, []string{"-set", "Access=iam"})...)
	contains(t, output, "not checked: Access is iam", `--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H "x-amz-security-token: $AWS_SESSION_TOKEN" `+c.url)
	output = c.deploy(t, "-set", "Access=jwt", "-set", "JwtIssuer=https://id.example.com")
	contains(t, output, "TOKEN is an access token of https://id.example.com\n", `  curl -i -H "Authorization: Bearer $TOKEN" `+c.url)
	output = c.deploy(t, "-set", "Access=open", "-set", "DomainName=kv.example.com")
	contains(t, output, "not checked: once DNS points there, run scripts/smoke")
}

// A release's zip is deployed as it is, for the processor that it is built for, without Go.
func TestDeployZip(t *testing.T) {
	t.Parallel()
	for machine, architecture := range map[byte]string{0xb7: "arm64", 0x3e: "x86_64"} {
		c, name := newClone(t), "a release's.zip"
		write(t, filepath.Join(c.dir, name), zipped(t, machine), 0o600)
		c.deploy(t, slices.Concat(first, []string{"-zip", name})...)
		if got := c.stacks["voxkv"].parameters["Architecture"]; got != architecture {
			t.Errorf("it runs on %s; want %s", got, architecture)
		}
		if slices.Contains(c.commands(), "sam build") {
			t.Error("it builds")
		}
		template := string(read(t, filepath.Join(c.dir, ".aws-sam/deploy/template.yaml")))
		if !strings.Contains(template, "\n      CodeUri: function.zip\n") || strings.Contains(template, "CodeUri: .\n") {
			t.Error("the template does not point at the zip")
		}
		if copied := read(t, filepath.Join(c.dir, ".aws-sam/deploy/function.zip")); !bytes.Equal(copied, zipped(t, machine)) {
			t.Error("the zip is another")
		}
		other := map[string]string{"arm64": "x86_64", "x86_64": "arm64"}[architecture]
		c.refused(t, []string{"-zip", name, "-set", "Architecture=" + other}, fmt.Sprintf("-set Architecture=%s, but the zip is for %s", other, architecture))
	}
}

// zipped is a zip with a bootstrap that begins as one for machine does.
func zipped(t *testing.T, machine byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	header := append([]byte("\x7fELF"), make([]byte, 60)...)
	header[18] = machine
	_, err = w.Write(header)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
