package scripts

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"go.yaml.in/yaml/v4"

	"voxkv/auth"
	"voxkv/handler"
	"voxkv/internal/cloudfronttest"
	"voxkv/internal/function"
	"voxkv/internal/gateway"
	"voxkv/internal/settings"
	"voxkv/internal/voximplanttest"
)

const (
	accountID = "123456789012"
	region    = "eu-central-1"
)

// TestMain makes this binary the programs aws and sam too, where it is called so: they hand what they are asked to the
// cloud of the test that put them on PATH.
func TestMain(m *testing.M) {
	program := filepath.Base(os.Args[0])
	if program != "aws" && program != "sam" {
		os.Exit(m.Run())
	}
	os.Exit(standIn(program))
}

// A call is what one of the programs is asked.
type call struct {
	Program string
	Args    []string
	Dir     string
	Environ []string
}

// name is the program with its command, such as "sam deploy" or "aws lambda invoke".
func (c call) name() string {
	words, _ := split(c.Args)
	if c.Program == "sam" {
		words = words[:1]
	}
	return c.Program + " " + strings.Join(words[:min(2, len(words))], " ")
}

// An outcome is what the program then does.
type outcome struct {
	Stdout, Stderr string
	Code           int
}

func standIn(program string) int {
	dir, err := os.Getwd()
	question, err2 := json.Marshal(call{program, os.Args[1:], dir, os.Environ()})
	response, err3 := http.Post(os.Getenv("STAND_IN_CLOUD"), "application/json", bytes.NewReader(question))
	if err := errors.Join(err, err2, err3); err != nil {
		panic(err)
	}
	var answer outcome
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		panic(err)
	}
	io.WriteString(os.Stdout, answer.Stdout)
	io.WriteString(os.Stderr, answer.Stderr)
	return answer.Code
}

// A cloud is the AWS account and the Voximplant account that a deployment meets. What it serves at url is the real function,
// made of the parameters that were deployed and the secret that was stored.
type cloud struct {
	t       *testing.T
	account string // empty for credentials that AWS refuses
	region  string // of aws configure
	storage *voximplanttest.Server
	key     *voximplanttest.ServiceAccount
	api     string // root of the Management API
	url     string
	respond func(call) *outcome // answers in place of the cloud where it is not nil
	warning string              // what both programs say on standard error, whatever they are asked

	mu      sync.Mutex // guards what follows
	calls   []call
	arns    map[string]string  // of the secrets that got theirs elsewhere
	secrets map[string]*secret // by name
	stacks  map[string]*stack
	built   string // the processor of what sam build made, if it did
	serving *function.Function
	trusted map[string]crypto.PublicKey // the link keys of what is served, by their Key-Pair-Id
}

type secret struct {
	versions []string
	deleted  bool
}

type stack struct {
	status     string
	parameters map[string]string
	tags       string // Key=Value, one a line
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	key, err := voximplanttest.NewServiceAccount(1234567)
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{
		t: t, account: accountID, region: region, key: key, secrets: map[string]*secret{}, stacks: map[string]*stack{},
		storage: &voximplanttest.Server{AccountID: key.AccountID, ApplicationID: 12345},
	}
	c.storage.AddKey(key.KeyID, &key.PrivateKey.PublicKey)
	c.api = serve(t, c.storage) + "/platform_api"
	c.url = serve(t, http.HandlerFunc(c.visit))
	return c
}

func serve(t *testing.T, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// visit serves what is deployed.
func (c *cloud) visit(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	f, trusted := c.serving, c.trusted
	c.mu.Unlock()
	if f == nil {
		http.Error(w, "nothing is deployed", http.StatusBadGateway)
		return
	}
	if len(trusted) > 0 {
		(&cloudfronttest.Distribution{Keys: trusted, Origin: f}).ServeHTTP(w, r)
		return
	}
	f.ServeHTTP(w, r)
}

// ServeHTTP answers a stand-in.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked call
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		c.t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, asked)
	if strings.Contains(strings.Join(asked.Args, " "), "PRIVATE KEY") {
		c.t.Errorf("the key stands on a command line: %s", asked.Args)
	}
	if err := json.NewEncoder(w).Encode(c.answer(asked)); err != nil {
		c.t.Error(err)
	}
}

func (c *cloud) answer(asked call) outcome {
	if c.respond != nil {
		if o := c.respond(asked); o != nil {
			return *o
		}
	}
	stdout, err := c.perform(asked)
	if err != nil {
		return outcome{Stderr: c.warning + "\n" + err.Error() + "\n", Code: 254}
	}
	if stdout != "" {
		stdout += "\n"
	}
	return outcome{Stdout: stdout, Stderr: c.warning}
}

// perform does what the two programs would, for the commands that scripts/deploy may use.
func (c *cloud) perform(asked call) (string, error) {
	words, options := split(asked.Args)
	what := asked.name()
	if what == "aws configure get" && slices.Equal(words[2:], []string{"region"}) {
		return c.region, nil
	}
	if what != "sam build" && c.account == "" {
		return "", errors.New("Unable to locate credentials. You can configure credentials by running \"aws configure\".")
	}
	for _, variable := range []string{"AWS_REGION=", "AWS_DEFAULT_REGION="} {
		if !slices.Contains(asked.Environ, variable+region) {
			return "", fmt.Errorf("%s: %s%s is not in the environment", what, variable, region)
		}
	}
	switch what {
	case "aws sts get-caller-identity":
		return c.account, options.only(map[string]string{"query": "Account", "output": "text"})
	case "aws cloudformation describe-stacks":
		return c.describeStacks(options)
	case "aws cloudformation delete-stack", "aws cloudformation wait":
		delete(c.stacks, options["stack-name"])
		return "", options.only(map[string]string{"stack-name": options["stack-name"]})
	case "aws secretsmanager describe-secret":
		return c.describeSecret(options)
	case "aws secretsmanager create-secret":
		return c.createSecret(options, asked.Dir)
	case "aws secretsmanager put-secret-value":
		return c.putSecretValue(options, asked.Dir)
	case "aws lambda invoke":
		return c.invoke(options, words[2:])
	case "sam build":
		c.built = environment(asked, "ARCHITECTURE")
		return "Build Succeeded", build(asked, options)
	case "sam deploy":
		return c.deploy(asked, options)
	}
	return "", fmt.Errorf("%s is nothing that a deployer needs: %s", what, asked.Args)
}

// options are the --name value pairs of a command; the value of what has none is "".
type options map[string]string

// flags take no value.
var flags = []string{"resolve-s3", "no-confirm-changeset", "no-fail-on-empty-changeset", "build-in-source"}

// split takes --parameter-overrides for the last option, whose values are then words. Those of --tags are lines of one value.
func split(args []string) (words []string, o options) {
	o = options{}
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "--")
		switch {
		case !ok:
			words = append(words, args[i])
		case slices.Contains(flags, name) || name == "parameter-overrides":
			o[name] = ""
		case name == "tags":
			for ; i+1 < len(args) && !strings.HasPrefix(args[i+1], "--"); i++ {
				o[name] += args[i+1] + "\n"
			}
		default:
			i++
			o[name] = args[i]
		}
	}
	return words, o
}

// only reports whether the options are these, each with its value.
func (o options) only(want options) error {
	if !maps.Equal(o, want) {
		return fmt.Errorf("the options are %v; want %v", o, want)
	}
	return nil
}

func (c *cloud) describeStacks(o options) (string, error) {
	s := c.stacks[o["stack-name"]]
	switch {
	case s == nil:
		return "", fmt.Errorf("An error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id %s does not exist", o["stack-name"])
	case o["output"] != "text":
		return "", errors.New("stand-in: text is wanted")
	}
	outputs := map[string]string{"Url": c.url, "AliasArn": c.alias(o["stack-name"])}
	for parameter, output := range linkKeys {
		if s.parameters[parameter] != "" {
			outputs[output] = keyPairID(s.parameters[parameter])
		}
	}
	answers := map[string]string{
		"Stacks[0].StackStatus":                                s.status,
		"Stacks[0].Tags[].[Key,Value]":                         strings.ReplaceAll(strings.TrimSpace(s.tags), "=", "\t"),
		"Stacks[0].Parameters[].[ParameterKey,ParameterValue]": table(s.parameters),
		"Stacks[0].Outputs[].[OutputKey,OutputValue]":          table(outputs),
	}
	for name, value := range outputs {
		answers["Stacks[0].Outputs[?OutputKey=='"+name+"'].OutputValue"] = value
	}
	answer, ok := answers[o["query"]]
	if !ok {
		return "", fmt.Errorf("stand-in: unknown query %s", o["query"])
	}
	return answer, nil
}

// table is how the AWS CLI prints pairs.
func table(pairs map[string]string) string {
	var rows []string
	for name, value := range pairs {
		rows = append(rows, name+"\t"+value)
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

func (c *cloud) alias(stack string) string {
	return "arn:aws:lambda:" + region + ":" + accountID + ":function:" + stack + "-VoxkvFunction-0123456789ab:live"
}

func secretARN(name string) string {
	return "arn:aws:secretsmanager:" + region + ":" + accountID + ":secret:" + name + "-AbCdEf"
}

// secret finds one by its name or its ARN.
func (c *cloud) secret(id string) (string, *secret, error) {
	for name, s := range c.secrets {
		if id == name || id == secretARN(name) || id == c.arns[name] {
			return name, s, nil
		}
	}
	return "", nil, errors.New("An error occurred (ResourceNotFoundException) when calling the operation: Secrets Manager can't find the specified secret.")
}

func (c *cloud) describeSecret(o options) (string, error) {
	name, s, err := c.secret(o["secret-id"])
	if err != nil {
		return "", err
	}
	deleted := "None"
	if s.deleted {
		deleted = "2026-11-20T12:00:00+00:00"
	}
	return secretARN(name) + "\t" + deleted, o.only(options{"secret-id": o["secret-id"], "query": "[ARN,DeletedDate]", "output": "text"})
}

func (c *cloud) createSecret(o options, dir string) (string, error) {
	if _, _, err := c.secret(o["name"]); err == nil {
		return "", errors.New("An error occurred (ResourceExistsException) when calling the CreateSecret operation")
	}
	value, err := parameterFile(o["secret-string"], dir)
	c.secrets[o["name"]] = &secret{versions: []string{value}}
	return secretARN(o["name"]), err
}

func (c *cloud) putSecretValue(o options, dir string) (string, error) {
	_, s, err := c.secret(o["secret-id"])
	if err != nil {
		return "", err
	}
	if s.deleted {
		return "", errors.New("An error occurred (InvalidRequestException): the secret is marked for deletion")
	}
	value, err := parameterFile(o["secret-string"], dir)
	s.versions = append(s.versions, value)
	return "11111111-2222-3333-4444-555555555555", err
}

func parameterFile(option, dir string) (string, error) {
	name, ok := strings.CutPrefix(option, "file://")
	if !ok {
		return "", errors.New("stand-in: the value is not in a file")
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	text, err := os.ReadFile(name)
	return string(text), err
}

// build leaves what SAM does: the template, and the program beside it.
func build(asked call, o options) error {
	words, _ := split(asked.Args)
	architecture := "Architecture=" + environment(asked, "ARCHITECTURE")
	if !slices.Equal(words, []string{"build", architecture}) {
		return fmt.Errorf("builds %v; the Makefile, %s", words, architecture)
	}
	if _, ok := o["build-in-source"]; !ok {
		return errors.New("without git, the build does not know its version")
	}
	dir := filepath.Join(asked.Dir, o["build-dir"])
	template, err := os.ReadFile(filepath.Join(asked.Dir, "template.yaml"))
	built := strings.Replace(string(template), "CodeUri: .\n", "CodeUri: VoxkvFunction\n", 1)
	return errors.Join(err, os.MkdirAll(filepath.Join(dir, "VoxkvFunction"), 0o755),
		os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(built), 0o600))
}

func environment(asked call, name string) string {
	value := ""
	for _, pair := range asked.Environ {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

// deploy makes the stack of the template and the overrides, as SAM and CloudFormation do: a parameter that is not named
// keeps its value, or has its default where it has none.
func (c *cloud) deploy(asked call, o options) (string, error) {
	words, _ := split(asked.Args)
	name := o["stack-name"]
	template, err := os.ReadFile(filepath.Join(asked.Dir, o["template-file"]))
	if err != nil || o["capabilities"] != "CAPABILITY_IAM" || o["region"] != region {
		return "", fmt.Errorf("sam deploy: %v %w", o, err)
	}
	for _, flag := range []string{"resolve-s3", "no-confirm-changeset", "no-fail-on-empty-changeset"} {
		if _, ok := o[flag]; !ok {
			return "", fmt.Errorf("sam deploy without --%s asks or fails", flag)
		}
	}
	s := c.stacks[name]
	if s == nil {
		s = &stack{parameters: map[string]string{}}
	} else if s.status == "ROLLBACK_COMPLETE" {
		return "", fmt.Errorf("Stack:%s is in ROLLBACK_COMPLETE state and can not be updated", name)
	}
	before := maps.Clone(s.parameters)
	known, err := defaults(template)
	if err := errors.Join(err, s.set(known, words[1:])); err != nil {
		return "", err
	}
	if c.built != "" && c.built != s.parameters["Architecture"] {
		return "", fmt.Errorf("what is built for %s does not run on %s", c.built, s.parameters["Architecture"])
	}
	if c.trusted, err = trust(before, s.parameters); err != nil {
		return "", err
	}
	s.status, s.tags = "CREATE_COMPLETE", o["tags"]
	c.stacks[name] = s
	c.serving, err = c.function(s.parameters)
	return "Successfully created/updated stack - " + name + " in " + region, err
}

// linkKeys are the parameters with a public key, and the outputs with its Key-Pair-Id.
var linkKeys = map[string]string{"LinkPublicKey": "LinkKeyId", "LinkPublicKey2": "LinkKeyId2"}

// keyPairID is what CloudFront could call a key.
func keyPairID(key string) string { return fmt.Sprintf("K%X", sha256.Sum256([]byte(key)))[:14] }

// trust returns the public keys of the parameters, as CloudFormation and CloudFront take them: none may be changed.
func trust(before, after map[string]string) (map[string]crypto.PublicKey, error) {
	keys := map[string]crypto.PublicKey{}
	for parameter := range linkKeys {
		was, is := before[parameter], after[parameter]
		switch {
		case is == "":
			continue
		case was != "" && was != is:
			return nil, errors.New("Invalid request provided: AWS::CloudFront::PublicKey")
		case after["CloudFront"] != "true":
			return nil, errors.New("LinkPublicKey and LinkPublicKey2 need CloudFront true")
		}
		// As the template does it.
		lines := strings.ReplaceAll(strings.Split(is, "-----")[2], " ", "\n")
		block, _ := pem.Decode([]byte("-----BEGIN PUBLIC KEY-----" + lines + "-----END PUBLIC KEY-----\n"))
		if block == nil {
			return nil, fmt.Errorf("no PEM: %s", is)
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		keys[keyPairID(is)] = key
	}
	return keys, nil
}

// set takes pairs as Name="value", in which SAM wants quotes escaped.
func (s *stack) set(defaults map[string]*string, pairs []string) error {
	given := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		value, before := strings.CutPrefix(value, `"`)
		value, after := strings.CutSuffix(value, `"`)
		unescaped := strings.Contains(strings.ReplaceAll(value, `\"`, ""), `"`)
		if _, known := defaults[name]; !known || !before || !after || unescaped {
			return fmt.Errorf("not a parameter: %s", pair)
		}
		given[name] = strings.ReplaceAll(value, `\"`, `"`)
	}
	parameters := map[string]string{}
	for name, standard := range defaults {
		value, ok := given[name]
		if !ok {
			value, ok = s.parameters[name]
		}
		if !ok && standard == nil {
			return fmt.Errorf("Parameters: [%s] must have values", name)
		} else if !ok {
			value = *standard
		}
		parameters[name] = value
	}
	s.parameters = parameters
	return nil
}

// defaults reads the parameters of a template; those without a default are nil.
func defaults(template []byte) (map[string]*string, error) {
	var declared struct {
		Parameters map[string]struct {
			Default *string `yaml:"Default"`
		} `yaml:"Parameters"`
	}
	err := yaml.Unmarshal(template, &declared)
	parameters := map[string]*string{}
	for name, parameter := range declared.Parameters {
		parameters[name] = parameter.Default
	}
	return parameters, err
}

// function is what the parameters make, with the key from the secret that they name.
func (c *cloud) function(parameters map[string]string) (*function.Function, error) {
	read, err := settings.Read(map[string]string{
		"VOXIMPLANT_SECRET_ID":        parameters["SecretArn"],
		"VOXIMPLANT_APPLICATION_ID":   parameters["ApplicationId"],
		"VOXIMPLANT_APPLICATION_NAME": parameters["ApplicationName"],
		"VOXIMPLANT_API_URL":          c.api,
		"ALLOWED_KEYS":                parameters["AllowedKeys"],
		"CORS_ORIGINS":                parameters["CorsOrigins"],
		"UPSTREAM_TIMEOUT":            "1m", // so that a slow machine decides nothing
	})
	if err != nil {
		return nil, err
	}
	_, s, err := c.secret(parameters["SecretArn"])
	if err != nil {
		return nil, err
	}
	stored := s.versions[len(s.versions)-1]
	key := func(context.Context) (*auth.ServiceAccountKey, error) {
		return auth.ParseServiceAccountKey([]byte(stored))
	}
	return function.New(read, key, "test", slog.New(slog.DiscardHandler))
}

// invoke leaves the function's answer in the file that is the last word.
func (c *cloud) invoke(o options, words []string) (string, error) {
	payload, err := os.ReadFile(strings.TrimPrefix(o["payload"], "fileb://"))
	if err != nil || len(words) != 1 || !strings.HasSuffix(o["function-name"], ":live") {
		return "", fmt.Errorf("lambda invoke %v %v: %w", o, words, err)
	}
	if err := o.only(options{"function-name": o["function-name"], "payload": o["payload"], "query": "FunctionError", "output": "text"}); err != nil {
		return "", err
	}
	body, failed := c.direct(payload)
	return cmp.Or(failed, "None"), os.WriteFile(words[0], body, 0o600)
}

// direct is a direct invocation. A failure of the function's own is told by failed.
func (c *cloud) direct(payload []byte) (body []byte, failed string) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Hour)
	defer cancel()
	g := gateway.Gateway{HTTP: c.serving, Headers: handler.RequestHeaders(), Direct: c.serving.Direct}
	body, err := g.Invoke(ctx, payload)
	if refusal, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		return fmt.Appendf(nil, `{"errorMessage":%q,"errorType":%q}`, refusal.Message, refusal.Type), "Unhandled"
	}
	return body, ""
}
