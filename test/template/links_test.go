package template

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Public keys of nobody.
const (
	linkKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFY2K7ocnDOOUt6SEb61ljFnMkH9P
iKa5lxKlacrP4ccIkYrIIanpKur9AFpxIY1bvGB5QNQIKpecIIArM5ABbA==
-----END PUBLIC KEY-----
`
	otherLinkKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7la0ruO5fB7rbZbKvinTlzp3jw8L
l9KqYlVKYjnlDT2HYUjPxejBSxGRaK0k6vHLKOo8x7UfGV/4/QMhtjWpGw==
-----END PUBLIC KEY-----
`
)

func links(keys ...string) map[string]string {
	parameters := map[string]string{"CloudFront": "true"}
	for i, name := range []string{"LinkPublicKey", "LinkPublicKey2"}[:len(keys)] {
		parameters[name] = keys[i]
	}
	return parameters
}

// With a link key, everything but the health check needs a signature, and there is no other way in.
func TestLinksAlone(t *testing.T) {
	s := deploy(t, "template.yaml", links())
	for name, parameters := range map[string]map[string]string{
		"no key": links(), "one": links(linkKey), "the other": links("", otherLinkKey), "both": links(linkKey, otherLinkKey),
	} {
		s := s.with(parameters)
		if refusals := s.refusals(); refusals != nil {
			t.Errorf("%s: refused: %v", name, refusals)
		}
		config := object(s.resource("Distribution")["DistributionConfig"])
		behaviors := map[string]any{"": config["DefaultCacheBehavior"]}
		for _, behavior := range config["CacheBehaviors"].([]any) {
			behaviors[object(behavior)["PathPattern"].(string)] = behavior
		}
		want := map[string]any{"": []any{"LinkKeyGroup"}, "/v1/items": []any{"LinkKeyGroup"}, "/v1/health": nil}
		if name == "no key" {
			want = map[string]any{"": nil, "/v1/items": nil}
		}
		got := map[string]any{}
		for pattern, behavior := range behaviors {
			got[pattern] = object(behavior)["TrustedKeyGroups"]
			if object(behavior)["ViewerProtocolPolicy"] != "https-only" {
				t.Errorf("%s: %q goes unencrypted", name, pattern)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: behaviors trust %v; want %v", name, got, want)
		}
		checkOriginIsClosed(t, name, s)
	}
}

// checkOriginIsClosed holds that whoever goes around CloudFront, and so around links, finds no way in.
func checkOriginIsClosed(t *testing.T, name string, s *stack) {
	t.Helper()
	if got := s.resource("FunctionUrl")["AuthType"]; got != "AWS_IAM" {
		t.Errorf("%s: the Function URL takes requests with AuthType %v", name, got)
	}
	for id, permission := range s.resources("AWS::Lambda::Permission") {
		if source, _ := permission["SourceArn"].(string); permission["Principal"] != "cloudfront.amazonaws.com" || !strings.HasSuffix(source, ":distribution/Distribution") {
			t.Errorf("%s: %s lets in %v", name, id, permission)
		}
	}
	for id, declared := range object(s.template["Resources"]) {
		if kind := object(declared)["Type"].(string); strings.HasPrefix(kind, "AWS::ApiGateway") && s.at(id) != nil {
			t.Errorf("%s: a way around: %s", name, id)
		}
	}
}

// CloudFront gets a PEM as openssl writes it, however the parameter has it.
func TestLinkKey(t *testing.T) {
	s := deploy(t, "template.yaml", links(linkKey))
	pattern := regexp.MustCompile(object(object(s.template["Parameters"])["LinkPublicKey"])["AllowedPattern"].(string))
	publicKey := func(key crypto.Signer, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	for _, text := range []string{linkKey, publicKey(rsa.GenerateKey(rand.Reader, 2048))} {
		spaces := strings.TrimSpace(strings.ReplaceAll(text, "\n", " "))
		for _, value := range []string{text, strings.TrimSpace(text), spaces} {
			if !pattern.MatchString(value) || len(value) > 4096 {
				t.Errorf("refused, or longer than CloudFormation takes: %q", value)
			}
			first, second := s.with(links(value)), s.with(links("", value))
			for id, key := range map[string]any{"LinkKey": first.at("LinkKey.PublicKeyConfig.EncodedKey"), "LinkKey2": second.at("LinkKey2.PublicKeyConfig.EncodedKey")} {
				if key != text {
					t.Errorf("%s of %q is\n%v", id, value, key)
				}
			}
			if got := first.at("LinkKeyId"); got != "LinkKey" || second.at("LinkKeyId2") != "LinkKey2" || first.at("LinkKeyId2") != nil {
				t.Errorf("outputs: LinkKeyId is %v", got)
			}
		}
	}
	for _, value := range []string{
		publicKey(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), publicKey(rsa.GenerateKey(rand.Reader, 3072)), strings.ReplaceAll(linkKey, "PUBLIC", "PRIVATE"), strings.ReplaceAll(linkKey, "\n", ""),
		strings.ReplaceAll(linkKey, "\n", "\r\n"), linkKey + otherLinkKey, "K2JCJMDEHXQW5F", " ",
	} {
		if pattern.MatchString(value) {
			t.Errorf("accepted: %q", value)
		}
	}
}

// Keys are replaced one after the other. CloudFront refuses a change of a public key, so none may change: one comes, the
// other goes, and beside them only the group that names them changes.
func TestLinkKeysRotate(t *testing.T) {
	s := deploy(t, "template.yaml", links())
	for _, step := range []struct {
		before, after map[string]string
		want          []string
	}{
		{links(), links(linkKey), []string{"+LinkKey", "+LinkKeyGroup", "Distribution"}},
		{links(linkKey), links(linkKey, otherLinkKey), []string{"+LinkKey2", "LinkKeyGroup"}},
		{links(linkKey, otherLinkKey), links("", otherLinkKey), []string{"-LinkKey", "LinkKeyGroup"}},
		{links(linkKey), links("", otherLinkKey), []string{"+LinkKey2", "-LinkKey", "LinkKeyGroup"}},
		{links("", otherLinkKey), links(linkKey, otherLinkKey), []string{"+LinkKey", "LinkKeyGroup"}},
		{links("", otherLinkKey), links(), []string{"-LinkKey2", "-LinkKeyGroup", "Distribution"}},
	} {
		if got := difference(s.with(step.before), s.with(step.after)); !slices.Equal(got, step.want) {
			t.Errorf("from %v to %v changes %q; want %q", step.before, step.after, got, step.want)
		}
	}
	// A key that comes where another was is not taken for the one from before.
	reference := func(key string) any { return s.with(links(key)).at("LinkKey.PublicKeyConfig.CallerReference") }
	if reference(linkKey) == reference(otherLinkKey) {
		t.Errorf("two keys have the reference %v", reference(linkKey))
	}
}

// difference names the resources that come, go or change, sorted.
func difference(before, after *stack) []string {
	var changed []string
	for id := range object(before.template["Resources"]) {
		switch was, is := before.at(id), after.at(id); {
		case was == nil && is != nil:
			changed = append(changed, "+"+id)
		case was != nil && is == nil:
			changed = append(changed, "-"+id)
		case !reflect.DeepEqual(was, is):
			changed = append(changed, id)
		}
	}
	slices.Sort(changed)
	return changed
}
