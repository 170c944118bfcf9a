package scripts

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
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
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
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

// TestPolicyFitsIAM: a managed policy has 6,144 characters at most, white space not counted.
func TestPolicyFitsIAM(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Join(strings.Fields(string(text)), "")); n > 6144 {
		t.Errorf("%s has %d characters", policy, n)
	}
}

// TestPolicyAllowsTheScript: each command of scripts/deploy and of the documents is an action of AWS.
func TestPolicyAllowsTheScript(t *testing.T) {
	t.Parallel()
	actions := allowed(t)
	commands := regexp.MustCompile(`\baws (cloudformation|lambda|logs|secretsmanager) ([a-z-]+)`)
	seen := 0
	for _, name := range []string{"deploy", "../docs/deploy.md", "../docs/operations.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range commands.FindAllStringSubmatch(string(text), -1) {
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
	"cloudfront:CreateConnectionGroup":       "tenants of distributions",
	"cloudfront:GetConnectionGroup":          "tenants of distributions",
	"cloudfront:GetVpcOrigin":                "origins in a VPC",
	"codedeploy:RegisterOnPremisesInstance":  "servers of one's own",
	"elasticfilesystem:DescribeMountTargets": "file systems",
	"s3files:ListMountTargets":               "file systems",
	"firehose:TagDeliveryStream":             "log groups for delivery",
	"kms:CreateGrant":                        "environments under a key of one's own",
	"kms:Decrypt":                            "environments under a key of one's own",
	"kms:DescribeKey":                        "environments under a key of one's own",
	"kms:Encrypt":                            "environments under a key of one's own",
	"kms:GenerateDataKey":                    "environments under a key of one's own",
	"lambda:DeleteFunctionCodeSigningConfig": "signed code",
	"lambda:GetCodeSigningConfig":            "signed code",
	"lambda:PutFunctionCodeSigningConfig":    "signed code",
	"lambda:GetLayerVersion":                 "layers",
	"lambda:GetFunctionScalingConfig":        "capacity providers",
	"lambda:PassCapacityProvider":            "capacity providers",
	"lambda:PutFunctionScalingConfig":        "capacity providers",
	"logs:AssociateKmsKey":                   "log groups under a key of one's own",
	"logs:DisassociateKmsKey":                "log groups under a key of one's own",
	"logs:DeleteDataProtectionPolicy":        "masked data",
	"logs:PutDataProtectionPolicy":           "masked data",
	"logs:DeleteIndexPolicy":                 "indexed fields",
	"logs:PutIndexPolicy":                    "indexed fields",
	"logs:DeleteResourcePolicy":              "policies of log groups",
	"logs:PutBearerTokenAuthentication":      "tokens for log groups",
	"logs:PutLogGroupDeletionProtection":     "log groups that cannot be deleted",
	"s3:REST.PUT.OBJECT":                     "log groups for delivery",
}

// TestPolicyAllowsTheTemplate: what CloudFormation needs for each resource of the template.
func TestPolicyAllowsTheTemplate(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), filepath.Join(samTools(t), "python"), "permissions.py", "../template.yaml")
	cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION="+region)
	out, err := cmd.Output()
	var needed map[string][]string
	if err != nil || json.Unmarshal(out, &needed) != nil || len(needed) < 15 {
		t.Fatalf("%v\n%s", err, out)
	}
	actions := allowed(t)
	for kind, list := range needed {
		if len(list) == 0 {
			t.Errorf("cfn-lint has nothing of %s", kind)
		}
		for _, action := range list {
			if unneeded[action] == "" && !allows(actions, action) {
				t.Errorf("%s needs %s", kind, action)
			} else if unneeded[action] != "" && allows(actions, action) {
				t.Errorf("%s is allowed, and said not to be needed: %s", action, unneeded[action])
			}
		}
	}
}

// TestPolicyLint has parliament, an IAM linter, look for unknown actions and resources that do not go with them.
func TestPolicyLint(t *testing.T) {
	t.Parallel()
	text, err := os.Open(policy)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	cmd := exec.CommandContext(t.Context(), python(t), "-c", "import sys; from parliament.cli import main; main(sys.argv)", "--json")
	cmd.Stdin = text
	out, err := cmd.Output()
	if len(out) == 0 {
		t.Fatalf("it should dislike one thing: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		// The ARN of AWS's transform is as AWS documents it.
		if !strings.Contains(line, `"INVALID_ARN"`) || !strings.Contains(line, "aws:transform/Serverless-2016-10-31") {
			t.Errorf("%v: %s", err, line)
		}
	}
}
