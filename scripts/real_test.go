package scripts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/test/tools"
)

// python has moto, the AWS CLI and the linters of requirements.txt. Without the variable, or the registry, the test is skipped.
func python(t *testing.T) string {
	t.Helper()
	tools.Gate(t, "VOXKV_SCRIPTS")
	return tools.Python(t, "requirements.txt")
}

// installSAM prints the directory of the SAM CLI's programs. Two at once would remove each other's work.
var installSAM = sync.OnceValues(func() ([]byte, error) { return exec.Command("./sam-tools").Output() })

// samTools is that directory.
func samTools(t *testing.T) string {
	t.Helper()
	python(t)
	out, err := installSAM()
	if err != nil {
		t.Skipf("NOT CHECKED: the SAM CLI cannot be installed: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// TestShellcheck finds every script that the repository has.
func TestShellcheck(t *testing.T) {
	t.Parallel()
	python := python(t)
	files, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skipf("NOT CHECKED: %v", err)
	}
	var scripts []string
	for name := range strings.Lines(string(files)) {
		name = filepath.Join("..", strings.TrimSpace(name))
		text, err := os.ReadFile(name)
		if err == nil && (bytes.HasPrefix(text, []byte("#!/bin/sh\n")) || bytes.HasPrefix(text, []byte("#!/usr/bin/env bash\n"))) {
			scripts = append(scripts, name)
		}
	}
	if !slices.Contains(scripts, "../scripts/deploy") || !slices.Contains(scripts, "../.ci/run") {
		t.Fatalf("found only %q", scripts)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(python), "shellcheck"), scripts...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAWSCLI has the AWS CLI in place of its stand-in, before moto for Secrets Manager and STS, and before the cloud for
// CloudFormation and Lambda.
func TestAWSCLI(t *testing.T) {
	t.Parallel()
	python := python(t)
	c := newClone(t)
	aws := awsCLI{python, tools.Moto(t, python), serve(t, http.HandlerFunc(c.rest))}
	c.respond = func(asked call) *outcome {
		if asked.Program != "aws" || asked.Args[0] == "configure" {
			return nil
		}
		o := aws.run(t, asked.Dir, asked.Args...)
		if asked.Args[0] == "secretsmanager" {
			c.mirror(t, aws)
		}
		return &o
	}
	contains(t, c.deploy(t, first...), "stack voxkv in account "+accountID, "12 passed, 0 failed")
	contains(t, c.deploy(t, slices.Concat(first, []string{"-tag", "team=the phone people"})...), "exists and gets a new version")
	c.storage.Put("order:1001", "ringing", time.Now().Add(time.Hour))
	output := c.deploy(t)
	contains(t, output, "20 passed, 0 failed", "\n  AllowedKeys=order:*\n", "\n  ApplicationId=12345\n", "\n  SecretArn=arn:aws:secretsmanager:", "--tags 'team=the phone people'")
	if strings.Contains(output, "  AlarmTopicArn=") {
		t.Errorf("an empty value differs from an empty default:\n%s", output)
	}
	c.storage.RemoveKey(c.key.KeyID)
	c.refused(t, nil, "cannot read the storage", "UpstreamFailure")
	c.stacks["voxkv"].status = "ROLLBACK_COMPLETE"
	c.refused(t, nil, "delete-stack", "a new stack needs -allowed-keys")
	if got := aws.run(t, "", "secretsmanager", "get-secret-value", "--secret-id", "voxkv", "--query", "SecretString", "--output", "text"); got.Stdout != string(c.key.Credentials())+"\n" {
		t.Errorf("the secret's value is another; %s", got.Stderr)
	}
	aws.run(t, "", "secretsmanager", "delete-secret", "--secret-id", "voxkv", "--recovery-window-in-days", "7")
	c.refused(t, first, "the secret voxkv is to be deleted; first: aws secretsmanager restore-secret")
}

// mirror keeps for the function what moto holds, under the ARN that moto gave.
func (c *cloud) mirror(t *testing.T, aws awsCLI) {
	arn := aws.run(t, "", "secretsmanager", "describe-secret", "--secret-id", "voxkv", "--query", "ARN", "--output", "text").Stdout
	c.arns = map[string]string{"voxkv": strings.TrimSpace(arn)}
	value := aws.run(t, "", "secretsmanager", "get-secret-value", "--secret-id", "voxkv", "--query", "SecretString", "--output", "text").Stdout
	c.secrets["voxkv"] = &secret{versions: []string{value}}
}

// An awsCLI is the program in the environment of an interpreter, for which everything is at moto but what cloud serves.
type awsCLI struct{ python, moto, cloud string }

func (a awsCLI) run(t *testing.T, dir string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), a.python, append([]string{"-m", "awscli"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+a.moto, "AWS_ENDPOINT_URL_CLOUDFORMATION="+a.cloud, "AWS_ENDPOINT_URL_LAMBDA="+a.cloud,
		"AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing",
		"AWS_DEFAULT_REGION="+region, "NO_PROXY=127.0.0.1")
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Error(err)
		return outcome{Code: 255}
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// rest serves CloudFormation's and Lambda's APIs from the cloud's state. The lock is held by whoever has the AWS CLI run.
func (c *cloud) rest(w http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/"); ok {
		c.restInvoke(w, r, strings.TrimSuffix(name, "/invocations"))
		return
	}
	name := r.FormValue("StackName")
	s := c.stacks[name]
	switch action := r.FormValue("Action"); {
	case action == "DeleteStack":
		delete(c.stacks, name)
		io.WriteString(w, `<DeleteStackResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"/>`)
	case action != "DescribeStacks":
		c.t.Errorf("CloudFormation is asked to %s", action)
	case s == nil:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id %s does not exist</Message></Error></ErrorResponse>`, name)
	default:
		tags := map[string]string{}
		for line := range strings.Lines(s.tags) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			tags[key] = value
		}
		fmt.Fprintf(w, `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member>
			<StackName>%s</StackName><CreationTime>2026-11-26T00:00:00Z</CreationTime><StackStatus>%s</StackStatus>
			<Parameters>%s</Parameters><Outputs>%s</Outputs><Tags>%s</Tags></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
			name, s.status, members("ParameterKey", "ParameterValue", s.parameters),
			members("OutputKey", "OutputValue", map[string]string{"Url": c.url, "AliasArn": c.alias(name)}), members("Key", "Value", tags))
	}
}

func members(key, value string, pairs map[string]string) string {
	var b strings.Builder
	for k, v := range pairs {
		fmt.Fprintf(&b, "<member><%s>%s</%[1]s><%[3]s>%[4]s</%[3]s></member>", key, k, value, v)
	}
	return b.String()
}

func (c *cloud) restInvoke(w http.ResponseWriter, r *http.Request, name string) {
	payload, err := io.ReadAll(r.Body)
	if err != nil || !strings.HasSuffix(name, ":live") {
		c.t.Errorf("%s is invoked: %v", name, err)
	}
	body, failed := c.direct(payload)
	if failed != "" {
		w.Header().Set("X-Amz-Function-Error", failed)
	}
	w.Write(body)
}

// TestSAM has the SAM CLI build, and read what it is handed as parameters.
func TestSAM(t *testing.T) {
	t.Parallel()
	bin := samTools(t)
	c := newClone(t)
	c.dir = checkout(t, c)
	help, err := exec.CommandContext(t.Context(), filepath.Join(bin, "sam"), "deploy", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	var parameters map[string]string
	c.respond = func(asked call) *outcome {
		switch asked.name() {
		case "sam build":
			return sam(t, bin, asked)
		case "sam deploy":
			words, o := split(asked.Args)
			for option := range o {
				if !strings.Contains(string(help), "--"+option) {
					t.Errorf("sam deploy knows no --%s", option)
				}
			}
			parameters = readBySAM(t, bin, "CfnParameterOverridesType", words[1:]...)
			if tags := readBySAM(t, bin, "CfnTags", strings.TrimSpace(o["tags"])); !maps.Equal(tags, map[string]string{"team": "the phone people"}) {
				t.Errorf("SAM reads the tags %v", tags)
			}
		}
		return nil
	}
	values := map[string]string{"JwtScopes": `a "b" 'c' $HOME {d},e=f *`, "CorsOrigins": "https://a.example, https://b.example", "JwtIssuer": "", "ApplicationName": `"shop"`,
		"CloudFront": "true", "LinkPublicKey": "-----BEGIN PUBLIC KEY----- MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFY2K7ocnDOOUt6SEb61ljFnMkH9P " +
			"iKa5lxKlacrP4ccIkYrIIanpKur9AFpxIY1bvGB5QNQIKpecIIArM5ABbA== -----END PUBLIC KEY-----"}
	args := []string{"-credentials", "credentials.json", "-allowed-keys", "order:*, flag", "-tag", "team=the phone people"}
	for name, value := range values {
		args = append(args, "-set", name+"="+value)
	}
	// The application has another name, so the function cannot read it.
	output, _ := c.run(t, "scripts/deploy", args...)
	contains(t, output, "Build Succeeded", "InternalError")
	maps.Copy(values, map[string]string{"AllowedKeys": "order:*, flag", "ApplicationId": "", "SecretArn": secretARN("voxkv")})
	if !maps.Equal(parameters, values) {
		t.Errorf("SAM reads\n%q; want\n%q", parameters, values)
	}
	if _, err := os.Stat(filepath.Join(c.dir, ".aws-sam/deploy/VoxkvFunction/bootstrap")); err != nil {
		t.Error(err)
	}
	if out, err := exec.CommandContext(t.Context(), "git", "-C", c.dir, "describe", "--tags", "--always", "--dirty").Output(); err != nil || strings.Contains(string(out), "dirty") {
		t.Errorf("a deployment makes the version %s, %v", out, err)
	}
}

// checkout is a clone of this repository with the files of c committed to it, and the credentials in it.
func checkout(t *testing.T, c clone) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "checkout")
	for _, command := range []string{
		"git clone --quiet .. " + dir,
		"git -C " + dir + " checkout --quiet -B main", // a clone of a detached HEAD would print advice
		fmt.Sprintf("cp -R '%s'/. %s", c.dir, dir),
		"git -C " + dir + " add scripts template.yaml samconfig.toml",
		"git -C " + dir + " -c user.name=test -c user.email=test@example.com commit --quiet --allow-empty --message 'as it is here'",
	} {
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
			t.Skipf("NOT CHECKED: %s: %v\n%s", command, err, out)
		}
	}
	return dir
}

func sam(t *testing.T, bin string, asked call) *outcome {
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "sam"), asked.Args...)
	cmd.Dir, cmd.Env = asked.Dir, append(os.Environ(), "ARCHITECTURE="+environment(asked, "ARCHITECTURE"), "AWS_DEFAULT_REGION="+region, "SAM_CLI_TELEMETRY=0")
	out, err := cmd.CombinedOutput()
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		return &outcome{Stdout: string(out), Code: exit.ExitCode()}
	}
	return &outcome{Stdout: string(out)}
}

// readBySAM has the SAM CLI read the values of an option of a type.
func readBySAM(t *testing.T, bin, kind string, values ...string) map[string]string {
	script := "import json, sys; from samcli.cli import types; print(json.dumps(getattr(types, sys.argv[1])().convert(tuple(sys.argv[2:]), None, None)))"
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "python"), append([]string{"-c", script, kind}, values...)...).Output()
	var parameters map[string]string
	if err := errors.Join(err, json.Unmarshal(out, &parameters)); err != nil {
		t.Error(err)
	}
	return parameters
}
