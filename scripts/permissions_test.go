package scripts

import (
	"bytes"
	"encoding/json"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"voxkv/test/tools"
)

const policy = "../docs/deployer-policy.json"

// allowed are the actions of the policy, with their asterisks, in lower case as IAM compares them.
func allowed(t *testing.T) []string {
	t.Helper()
	var document struct {
		Statement []struct {
			Effect string
			Action any
		}
	}
	text := read(t, policy)
	// A managed policy has 6,144 characters at most, white space not counted.
	if n := len(bytes.Join(bytes.Fields(text), nil)); n > 6144 {
		t.Errorf("%s has %d characters, more than IAM takes", policy, n)
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, statement := range document.Statement {
		list, several := statement.Action.([]any)
		if !several {
			list = []any{statement.Action}
		}
		for _, action := range list {
			actions = append(actions, strings.ToLower(action.(string)))
		}
	}
	return actions
}

func allows(actions []string, action string) bool {
	return slices.ContainsFunc(actions, func(pattern string) bool {
		ok, err := path.Match(pattern, strings.ToLower(action))
		return ok && err == nil
	})
}

// TestPolicyAllowsTheScript: each command of scripts/deploy and of the documents is an action of AWS.
func TestPolicyAllowsTheScript(t *testing.T) {
	t.Parallel()
	actions := allowed(t)
	commands := regexp.MustCompile(`\baws (cloudformation|lambda|logs|secretsmanager) ([a-z-]+)`)
	seen := 0
	for _, name := range []string{"deploy", "../docs/deploy.md", "../docs/operations.md"} {
		for _, match := range commands.FindAllStringSubmatch(string(read(t, name)), -1) {
			seen++
			if action := match[1] + ":" + operation(match[2]); !allows(actions, action) {
				t.Errorf("%s: %s needs %s", name, match[0], action)
			}
		}
	}
	if seen < 10 {
		t.Errorf("found %d commands only", seen)
	}
}

// operation is what a command of the AWS CLI calls.
func operation(command string) string {
	switch command {
	case "invoke":
		return "InvokeFunction"
	case "wait":
		return "DescribeStacks"
	}
	return strings.ReplaceAll(command, "-", "")
}

// unneeded are actions that CloudFormation names for what the template does not use.
var unneeded = map[string]string{
	"apigateway:TagResource":                 "tags go through apigateway:POST",
	"apigateway:UntagResource":               "tags go through apigateway:DELETE",
	"cloudfront:*ConnectionGroup":            "tenants of distributions",
	"cloudfront:GetVpcOrigin":                "origins in a VPC",
	"codedeploy:RegisterOnPremisesInstance":  "servers of one's own",
	"elasticfilesystem:DescribeMountTargets": "file systems",
	"s3files:ListMountTargets":               "file systems",
	"firehose:TagDeliveryStream":             "log groups for delivery",
	"kms:*":                                  "environments under a key of one's own",
	"lambda:DeleteFunctionCodeSigningConfig": "signed code",
	"lambda:GetCodeSigningConfig":            "signed code",
	"lambda:PutFunctionCodeSigningConfig":    "signed code",
	"lambda:GetLayerVersion":                 "layers",
	"lambda:*FunctionScalingConfig":          "capacity providers",
	"lambda:PassCapacityProvider":            "capacity providers",
	"logs:*KmsKey":                           "log groups under a key of one's own",
	"logs:DeleteDataProtectionPolicy":        "masked data",
	"logs:PutDataProtectionPolicy":           "masked data",
	"logs:*IndexPolicy":                      "indexed fields",
	"logs:DeleteResourcePolicy":              "policies of log groups",
	"logs:PutBearerTokenAuthentication":      "tokens for log groups",
	"logs:PutLogGroupDeletionProtection":     "log groups that cannot be deleted",
	"s3:REST.PUT.OBJECT":                     "log groups for delivery",
}

// why tells why an action is not needed, and nothing if it is.
func why(action string) string {
	for pattern, reason := range unneeded {
		if allows([]string{strings.ToLower(pattern)}, action) {
			return reason
		}
	}
	return ""
}

// TestPolicyAllowsTheTemplate: what CloudFormation needs for each resource of the template.
func TestPolicyAllowsTheTemplate(t *testing.T) {
	t.Parallel()
	var needed map[string][]string
	tools.Program{
		Environ: []string{"AWS_DEFAULT_REGION=" + region},
		Command: []string{filepath.Join(samTools(t), "python"), "permissions.py", "../template.yaml"},
	}.Report(t, &needed)
	if len(needed) < 15 {
		t.Fatalf("%d kinds of resources: %v", len(needed), needed)
	}
	actions := allowed(t)
	for kind, list := range needed {
		if len(list) == 0 {
			t.Errorf("cfn-lint has nothing of %s", kind)
		}
		for _, action := range list {
			if reason := why(action); reason == "" && !allows(actions, action) {
				t.Errorf("%s needs %s", kind, action)
			} else if reason != "" && allows(actions, action) {
				t.Errorf("%s is allowed, and said not to be needed: %s", action, reason)
			}
		}
	}
}

// TestPolicyLint has parliament, an IAM linter, look for unknown actions and resources that do not go with them.
func TestPolicyLint(t *testing.T) {
	t.Parallel()
	out, stderr, code := tools.Program{
		Input:   read(t, policy),
		Command: []string{python(t), "-c", "import sys; from parliament.cli import main; main(sys.argv)", "--json"},
	}.Run(t)
	if out == "" {
		t.Fatalf("it should dislike one thing; exit code %d: %s", code, stderr)
	}
	for line := range strings.Lines(out) {
		// The ARN of AWS's transform is as AWS documents it.
		if !strings.Contains(line, `"INVALID_ARN"`) || !strings.Contains(line, "aws:transform/Serverless-2016-10-31") {
			t.Errorf("exit code %d: %s", code, line)
		}
	}
}
