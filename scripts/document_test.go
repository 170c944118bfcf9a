package scripts

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/first-run.md anew")

// sections are the parts of a document that have a heading each, in order.
func sections(t *testing.T, document string) []string {
	t.Helper()
	return strings.Split(string(read(t, document)), "\n## ")
}

// blocks are the shell commands of a text, in order.
func blocks(t *testing.T, text string) []string {
	t.Helper()
	var blocks []string
	fence := regexp.MustCompile("(?ms)^( *)```sh\n(.*?)^ *```$")
	for _, match := range fence.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, regexp.MustCompile("(?m)^"+match[1]).ReplaceAllString(match[2], ""))
	}
	for _, line := range regexp.MustCompile("(?m)^    (aws|curl|git|go|make|rm|sam|scripts/.*) .*").FindAllString(fence.ReplaceAllString(text, ""), -1) {
		t.Errorf("a command that is not in a block: %s", line)
	}
	return blocks
}

// TestCommandsArePasteable: what a command needs is set by one before it, and nothing is left to fill in. Everybody takes the
// steps with a number; what another section sets, is set in that section alone.
func TestCommandsArePasteable(t *testing.T) {
	t.Parallel()
	step := regexp.MustCompile(`^[0-9]+\. `)
	for document, before := range map[string]map[string]bool{
		"../docs/deploy.md":     {},
		"../docs/operations.md": {"URL": true}, // by deploy.md, to which it refers
	} {
		for _, section := range sections(t, document) {
			set := maps.Clone(before)
			for _, block := range blocks(t, section) {
				isPasteable(t, document, block)
				assign(block, set)
				for _, match := range regexp.MustCompile(`\$\{?([A-Z_]+)`).FindAllStringSubmatch(block, -1) {
					if !set[match[1]] {
						t.Errorf("%s: %s is not set by a command before:\n%s", document, match[1], block)
					}
				}
			}
			if step.MatchString(section) {
				before = set
			}
		}
	}
}

func isPasteable(t *testing.T, document, block string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", block).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s%s", document, err, block, out)
	}
	if strings.ContainsAny(block, "…<>") && !strings.Contains(block, "<<END") {
		t.Errorf("%s: something is left to fill in:\n%s", document, block)
	}
}

// assign adds the variables that the commands of a block set.
func assign(block string, set map[string]bool) {
	if strings.Contains(block, "aws configure export-credentials") {
		set["AWS_ACCESS_KEY_ID"], set["AWS_SECRET_ACCESS_KEY"], set["AWS_SESSION_TOKEN"] = true, true, true
	}
	for _, match := range regexp.MustCompile(`(?m)^(?:export )?([A-Z_]+)=`).FindAllStringSubmatch(block, -1) {
		set[match[1]] = true
	}
}

// TestDocumentedCommands runs what docs/deploy.md tells a newcomer, from the first command to the first answer.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	all := blocks(t, strings.Join(sections(t, "../docs/deploy.md"), "\n## "))
	end := slices.IndexFunc(all, func(block string) bool { return strings.HasSuffix(block, "rm credentials.json\n") })
	output, err := c.run(t, "bash", "-euc", strings.Join(all[:end+1], "\n"))
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	contains(t, output, "alias ARN", "order:1001 is stored", `{"key":"order:1001","value":"ringing"`, "20 passed, 0 failed")
	if got := c.stacks["voxkv"].parameters; got["CacheMaxAge"] != "30s" || got["MemorySize"] != "512" || got["AllowedKeys"] != "order:*" {
		t.Errorf("the parameters are %v", got)
	}
}

const introduction = `# A first run

For whoever wants to see a deployment before making one: all that is printed from ` + "`git clone`" + ` to an item, in ten lines of typing.

[deploy.md](deploy.md) explains the commands. This page is written by
a test, ` + "`go test ./scripts/ -update`" + `, and shows no AWS: **` + "`aws` and `sam` are stand-ins** that check what they are" + `
asked and keep secrets and stacks, so the many lines that the real ones print are missing, and the storage is the embedded
one. The scripts and the function that answers are the real ones. Addresses and directories are replaced; … is left out.
`

// TestFirstRun compares docs/first-run.md with what happens, or writes it.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	want := introduction + "\n## With Go\n\n" + firstRun(t, false) + "\n## With the zip of a release, without Go\n\n" + firstRun(t, true)
	if *update {
		if err := os.WriteFile("../docs/first-run.md", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("../docs/first-run.md"); err != nil || string(got) != want {
		t.Errorf("docs/first-run.md is not what happens (%v); write it anew with -update. It would be\n%s", err, want)
	}
}

func firstRun(t *testing.T, release bool) string {
	c := newClone(t)
	origin := checkout(t, c)
	c.dir = t.TempDir()
	commands := []string{
		"git clone --quiet " + origin + " voxkv",
		"cd voxkv",
		"mv ~/Downloads/credentials.json .",
		"export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1",
		"scripts/deploy -credentials credentials.json -application-id 12345 -allowed-keys 'order:*'",
		"scripts/put-item credentials.json 12345 order:1001 ringing 3600",
		"rm credentials.json",
		"curl --silent " + c.url + "/v1/items/order:1001",
		"scripts/smoke " + c.url + " order:1001 | tail -n 1",
		"git status --short",
	}
	write(t, filepath.Join(c.dir, "Downloads/credentials.json"), c.key.Credentials(), 0o600)
	if release {
		commands[4] = "scripts/deploy -zip ~/Downloads/voxkv-v1.0.0-arm64.zip" + strings.TrimPrefix(commands[4], "scripts/deploy")
		write(t, filepath.Join(c.dir, "Downloads/voxkv-v1.0.0-arm64.zip"), zipped(t, 0xb7), 0o600)
		path := strings.Split(strings.TrimPrefix(c.environ[0], "PATH="), ":")[0]
		c.environ[0] = "PATH=" + path + ":" + only(t, strings.Fields("bash sh env dirname sed awk grep tr od curl mktemp cat cut paste fold rm mkdir cp mv date unzip openssl sleep wc head tail git")...)
	}
	c.environ = append(c.environ, "HOME="+c.dir)
	typing := `for command; do printf '%% %s\n' "$command"; eval "$command"; echo; done`
	output, err := c.run(t, "bash", append([]string{"-c", typing, "bash"}, commands...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, rule := range [][2]string{
		{regexp.QuoteMeta(origin), "REPOSITORY"},
		{regexp.QuoteMeta(c.url), "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"},
		{"'?" + regexp.QuoteMeta(c.dir) + `/([^' \n]*)'?`, "/home/you/$1"},
		{`/tmp/tmp\.[A-Za-z0-9]+`, "/tmp/answer"},
		{`(?m): saw .*$`, ": saw …"},
		{`"expires_at":\d+`, `"expires_at":1795451572`},
		{`\n\n+`, "\n"},
		{`(?m)^% `, "\n% "},
	} {
		output = regexp.MustCompile(rule[0]).ReplaceAllString(output, rule[1])
	}
	return "```console\n" + strings.TrimSpace(output) + "\n```\n"
}
