package secretsmanagertest_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"voxkv/test/tools"
)

// TestConformanceOfMoto keeps the fake honest: it holds another implementation to what
// the fake is held to.
func TestConformanceOfMoto(t *testing.T) {
	t.Parallel()
	if os.Getenv("VOXKV_MOTO") == "" {
		t.Skip("set VOXKV_MOTO=1 to compare the fake with moto, which is installed from PyPI")
	}
	client := newClient(tools.Moto(t, tools.Python(t, "../../scripts/requirements.txt")))
	conformance(t, client, motoAdmin(t, client))
}

// motoAdmin is an administrator who works through the API.
func motoAdmin(t *testing.T, client *secretsmanager.Client) admin {
	return admin{
		put: func(name, secret string) string {
			return putValue(t, client, name, &secretsmanager.PutSecretValueInput{SecretString: &secret})
		},
		putBinary: func(name string, secret []byte) string {
			return putValue(t, client, name, &secretsmanager.PutSecretValueInput{SecretBinary: secret})
		},
		putPending: func(name, secret string) string {
			return putValue(t, client, name, &secretsmanager.PutSecretValueInput{
				SecretString: &secret, VersionStages: []string{"AWSPENDING"},
			})
		},
		promote: func(name, versionID string) { promote(t, client, name, versionID) },
		delete: func(name string) {
			if _, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &name}); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// putValue creates the secret where needed and returns the id of its new version.
func putValue(t *testing.T, client *secretsmanager.Client, name string, in *secretsmanager.PutSecretValueInput) string {
	t.Helper()
	if _, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name}); err != nil {
		if _, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name}); err != nil {
			t.Fatal(err)
		}
	}
	in.SecretId = &name
	out, err := client.PutSecretValue(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.VersionId
}

// promote moves AWSCURRENT, which the API only does when told from where.
func promote(t *testing.T, client *secretsmanager.Client, name, versionID string) {
	t.Helper()
	in := &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &name, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &versionID,
	}
	if was, err := get(t, client, name, "AWSCURRENT"); err == nil {
		in.RemoveFromVersionId = was.VersionId
	}
	if _, err := client.UpdateSecretVersionStage(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}
