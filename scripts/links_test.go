package scripts

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// keyPair has openssl write a private key and its public key, as docs/deploy.md does, and returns the names of the files.
func (c clone) keyPair(t *testing.T, name string, options ...string) (private, public string) {
	t.Helper()
	private, public = name+"-private.pem", name+"-public.pem"
	if len(options) == 0 {
		options = []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}
	}
	for _, args := range [][]string{
		append([]string{"genpkey", "-out", private}, options...),
		{"pkey", "-in", private, "-pubout", "-out", public},
	} {
		cmd := exec.CommandContext(t.Context(), "openssl", args...)
		cmd.Dir = c.dir
		if out, err := cmd.CombinedOutput(); cmd.ProcessState == nil {
			t.Skipf("NOT CHECKED: %v", err)
		} else if err != nil {
			t.Fatalf("openssl %q: %v\n%s", args, err, out)
		}
	}
	return private, public
}

var withCloudFront = slices.Concat(first, []string{"-set", "CloudFront=true"})

// Keys are replaced one after the other, with deployments of which none changes a key in its place.
func TestDeployLinkKeys(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.storage.Put("order:1001", "ringing", time.Now().Add(time.Hour))
	_, old := c.keyPair(t, "old")
	_, next := c.keyPair(t, "next", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
	_, third := c.keyPair(t, "third")
	output := c.deploy(t, slices.Concat(withCloudFront, []string{"-link-public-key", old})...)
	parameters := func() map[string]string { return c.stacks["voxkv"].parameters }
	contains(t, output, "skip  what a link opens", "8 passed, 0 failed", "LinkKeyId  "+keyPairID(parameters()["LinkPublicKey"])+"\n",
		"LINK is what a program of examples/links prints", `  curl -i "$LINK"`)
	contains(t, c.deploy(t, "-link-public-key", old), "LinkPublicKey of the stack is this key already")
	first := parameters()["LinkPublicKey"]
	contains(t, c.deploy(t, "-link-public-key", next), "LinkKeyId2 ")
	if p := parameters(); p["LinkPublicKey"] != first || p["LinkPublicKey2"] == "" {
		t.Errorf("with a second key the first is %q, and the second %q", p["LinkPublicKey"], p["LinkPublicKey2"])
	}
	c.refused(t, []string{"-link-public-key", third}, "the stack has two link keys", "-set LinkPublicKey=    # or LinkPublicKey2")
	c.deploy(t, "-set", "LinkPublicKey2=")
	c.deploy(t, "-set", "LinkPublicKey=", "-link-public-key", third) // at once, where old links may end now
	if p := parameters(); p["LinkPublicKey"] != "" || p["LinkPublicKey2"] == "" {
		t.Errorf("replaced at once, the first key is %q, and the second %q", p["LinkPublicKey"], p["LinkPublicKey2"])
	}
	c.refused(t, []string{"-set", "LinkPublicKey2="}, "that is the last link key; without one, everyone may read the allowed keys")
	c.refused(t, []string{"-set", "CloudFront=false"}, "links need CloudFront")
	c.refused(t, []string{"-set", "LinkPublicKey2=" + first}, "LinkPublicKey2 is set, and CloudFront lets nobody change a key")
	contains(t, c.deploy(t, "-set", "LinkPublicKey=", "-set", "LinkPublicKey2="), "20 passed, 0 failed")
	c.environ = append(c.environ, "LINKS=true")
	output, err := c.run(t, "scripts/smoke", c.url, "order:1001")
	if err == nil {
		t.Error("smoke passes though links were to be asked for and items are open")
	}
	contains(t, output, "FAIL  without a link, /v1/items/order:1001: saw 200; expected 403")
}

// What is no public key is refused before anything is changed, and a private key is not shown.
func TestDeployRefusesLinkKeys(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	private, public := c.keyPair(t, "good")
	_, long := c.keyPair(t, "long", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072")
	_, curve := c.keyPair(t, "curve", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")
	text := read(t, filepath.Join(c.dir, public))
	write(t, filepath.Join(c.dir, "twice.pem"), append(text, text...), 0o600)
	write(t, filepath.Join(c.dir, "cut.pem"), text[:200], 0o600)
	write(t, filepath.Join(c.dir, "empty.pem"), nil, 0o600)
	write(t, filepath.Join(c.dir, "binary.pem"), make([]byte, 1<<20), 0o600)
	for name, want := range map[string]string{
		private: "is a private key, which stays where links are made", long: "is something else; accepted is the public key", curve: "is something else",
		"twice.pem": "is something else", "cut.pem": "is something else", "empty.pem": "is something else", "binary.pem": "is something else", "missing.pem": "cannot be read",
	} {
		c.refused(t, slices.Concat(withCloudFront, []string{"-link-public-key", name}), "deploy: -link-public-key: ", want)
	}
	c.refused(t, slices.Concat(first, []string{"-link-public-key", public}), "links need CloudFront")
	if got := c.commands(); len(got) != 0 {
		t.Errorf("it did %q", got)
	}
	write(t, filepath.Join(c.dir, "windows.pem"), []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), 0o600)
	c.deploy(t, slices.Concat(withCloudFront, []string{"-link-public-key", "windows.pem"})...)
}

// The commands of docs/deploy.md make a key pair and cookies with which smoke checks all the rest.
func TestDocumentedLinks(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.storage.Put("order:1001", "ringing", time.Now().Add(time.Hour))
	c.deploy(t, first...)
	c.keyPair(t, "is openssl here") // else skip
	c.environ = append(c.environ, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region)
	var commands []string
	for _, section := range sections(t, "../docs/deploy.md") {
		if strings.HasPrefix(section, "Links that need no login\n") {
			commands = blocks(t, section)
		}
	}
	if len(commands) < 2 {
		t.Fatalf("the section has the commands %q", commands)
	}
	output, err := c.run(t, "bash", "-euc", strings.Join(commands, "\n"))
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	contains(t, output, "8 passed, 0 failed", "25 passed, 0 failed")
}
