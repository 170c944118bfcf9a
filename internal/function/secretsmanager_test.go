package function_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"voxkv/internal/function"
	"voxkv/internal/secretsmanagertest"
	"voxkv/internal/settingstest"
)

// awsEnviron is what Lambda sets, with changes.
func awsEnviron(changes ...string) map[string]string {
	return settingstest.With(map[string]string{
		"AWS_REGION":            "eu-central-1",
		"AWS_ACCESS_KEY_ID":     "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "secret access key",
		"AWS_SESSION_TOKEN":     "session token",
	}, changes...)
}

// getSecret reads the secret voxkv/key, as edited, without a repeat.
func getSecret(t *testing.T, e map[string]string, edit ...func(*secretsmanager.Options)) (string, error) {
	t.Helper()
	client, err := function.SecretsManager(e)
	if err != nil {
		t.Fatalf("SecretsManager(%v) = _, %v; want no error", e, err)
	}
	once := func(o *secretsmanager.Options) { o.RetryMaxAttempts = 1 }
	out, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("voxkv/key")}, append(edit, once)...)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

func TestSecretsManagerSignsRequests(t *testing.T) {
	t.Parallel()
	var fake secretsmanagertest.Server
	fake.Put("voxkv/key", "document")
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	got, err := getSecret(t, awsEnviron("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.URL))
	if err != nil || got != "document" {
		t.Fatalf("GetSecretValue = %q, %v; want document", got, err)
	}
	signature := header.Get("Authorization")
	if !strings.Contains(signature, "Credential=AKIDEXAMPLE/") || !strings.Contains(signature, "/eu-central-1/secretsmanager/aws4_request") {
		t.Errorf("Authorization = %q; want the key and region of the environment", signature)
	}
	if got := header.Get("X-Amz-Security-Token"); got != "session token" {
		t.Errorf("X-Amz-Security-Token = %q; want that of the environment", got)
	}
}

// A recorder is an HTTP client that notes where a request would have gone.
type recorder struct{ host string }

var errNotSent = errors.New("not sent")

func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	r.host = req.URL.Host
	return nil, errNotSent
}

func TestSecretsManagerEndpoint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ map[string]string
		want    string
	}{
		{"by region", awsEnviron(), "secretsmanager.eu-central-1.amazonaws.com"},
		{"by default region", awsEnviron("AWS_REGION", "", "AWS_DEFAULT_REGION", "us-east-1"), "secretsmanager.us-east-1.amazonaws.com"},
		{"region before default region", awsEnviron("AWS_DEFAULT_REGION", "us-east-1"), "secretsmanager.eu-central-1.amazonaws.com"},
		{"of all services", awsEnviron("AWS_ENDPOINT_URL", "https://all.test"), "all.test"},
		{"of the service", awsEnviron("AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://one.test"), "one.test"},
		{"of the service first", awsEnviron("AWS_ENDPOINT_URL", "https://all.test", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://one.test"), "one.test"},
		{"FIPS", awsEnviron("AWS_USE_FIPS_ENDPOINT", "true", "AWS_REGION", "us-east-1"), "secretsmanager-fips.us-east-1.amazonaws.com"},
		{"neither", awsEnviron("AWS_USE_FIPS_ENDPOINT", "false", "AWS_USE_DUALSTACK_ENDPOINT", "False"), "secretsmanager.eu-central-1.amazonaws.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var to recorder
			_, err := getSecret(t, tt.environ, func(o *secretsmanager.Options) { o.HTTPClient = &to })
			if to.host != tt.want || !errors.Is(err, errNotSent) {
				t.Errorf("request to %q, %v; want to %q", to.host, err, tt.want)
			}
		})
	}
}

// TestSecretsManagerDualStack looks at the option: in most regions the endpoint
// of either kind has the same name.
func TestSecretsManagerDualStack(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]aws.DualStackEndpointState{
		"TRUE": aws.DualStackEndpointStateEnabled, "false": aws.DualStackEndpointStateUnset, "": aws.DualStackEndpointStateUnset,
	} {
		client, err := function.SecretsManager(awsEnviron("AWS_USE_DUALSTACK_ENDPOINT", value))
		if err != nil {
			t.Fatal(err)
		}
		if got := client.Options().EndpointOptions.UseDualStackEndpoint; got != want {
			t.Errorf("AWS_USE_DUALSTACK_ENDPOINT=%s: %v; want %v", value, got, want)
		}
	}
}

func TestSecretsManagerWithoutCredentials(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		var to recorder
		_, err := getSecret(t, awsEnviron(missing, ""), func(o *secretsmanager.Options) { o.HTTPClient = &to })
		if err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") || to.host != "" {
			t.Errorf("without %s: %v, request to %q; want an error that names the variables, and no request", missing, err, to.host)
		}
	}
}
