package function

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// A recorder is an HTTP client that keeps the request and does not send it.
type recorder struct{ request *http.Request }

var errNotSent = errors.New("not sent")

func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	r.request = req
	return nil, errNotSent
}

// asked returns the request with which the client of an environment asks for a secret. The error is that of the client.
func asked(t *testing.T, environ map[string]string) (*http.Request, error) {
	t.Helper()
	client, err := SecretsManager(environ)
	if err != nil {
		t.Fatalf("SecretsManager(%v) = _, %v; want no error", environ, err)
	}
	var to recorder
	_, err = client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("voxkv/key")}, func(o *secretsmanager.Options) {
		o.HTTPClient, o.RetryMaxAttempts = &to, 1
	})
	return to.request, err
}

func TestSecretsManagerRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		environ map[string]string
		host    string
	}{
		{"by region", awsEnviron(), "secretsmanager.eu-central-1.amazonaws.com"},
		{"by default region", awsEnviron("AWS_REGION", "", "AWS_DEFAULT_REGION", "eu-central-1"), "secretsmanager.eu-central-1.amazonaws.com"},
		{"region before default region", awsEnviron("AWS_DEFAULT_REGION", "us-east-1"), "secretsmanager.eu-central-1.amazonaws.com"},
		{"of all services", awsEnviron("AWS_ENDPOINT_URL", "https://all.test"), "all.test"},
		{"of the service first", awsEnviron("AWS_ENDPOINT_URL", "https://all.test", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://one.test"), "one.test"},
		{"FIPS", awsEnviron("AWS_USE_FIPS_ENDPOINT", "true"), "secretsmanager-fips.eu-central-1.amazonaws.com"},
		{"neither", awsEnviron("AWS_USE_FIPS_ENDPOINT", "false", "AWS_USE_DUALSTACK_ENDPOINT", "False"), "secretsmanager.eu-central-1.amazonaws.com"},
		// In most regions the endpoint of either kind has the same name.
		{"dual stack", awsEnviron("AWS_REGION", "eusc-de-east-1", "AWS_USE_DUALSTACK_ENDPOINT", "TRUE"), "secretsmanager.eusc-de-east-1.api.amazonwebservices.eu"},
		{"no dual stack", awsEnviron("AWS_REGION", "eusc-de-east-1"), "secretsmanager.eusc-de-east-1.amazonaws.eu"},
	} {
		r, err := asked(t, tt.environ)
		if !errors.Is(err, errNotSent) {
			t.Errorf("%s: %v; want a request", tt.name, err)
			continue
		}
		if r.URL.Host != tt.host {
			t.Errorf("%s: request to %q; want to %q", tt.name, r.URL.Host, tt.host)
		}
		region := cmp.Or(tt.environ["AWS_REGION"], tt.environ["AWS_DEFAULT_REGION"])
		signature := r.Header.Get("Authorization")
		if !strings.Contains(signature, "Credential=AKIDEXAMPLE/") || !strings.Contains(signature, "/"+region+"/secretsmanager/aws4_request") {
			t.Errorf("%s: Authorization = %q; want the key and region of the environment", tt.name, signature)
		}
		if got := r.Header.Get("X-Amz-Security-Token"); got != "session token" {
			t.Errorf("%s: X-Amz-Security-Token = %q; want that of the environment", tt.name, got)
		}
	}
}

func TestSecretsManagerWithoutCredentials(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		r, err := asked(t, awsEnviron(missing, ""))
		if err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") || r != nil {
			t.Errorf("without %s: %v, request %v; want an error that names the variables, and no request", missing, err, r)
		}
	}
}
