package function

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// SecretsManager returns a client configured from the variables that Lambda
// sets and those of AWS's SDKs that matter in Lambda. config.LoadDefaultConfig
// would read more, and link the clients of SSO and STS for it: a third of the
// binary, for sources of credentials that Lambda does not have.
func SecretsManager(environ map[string]string) (*secretsmanager.Client, error) {
	options := secretsmanager.Options{
		Region:           cmp.Or(environ["AWS_REGION"], environ["AWS_DEFAULT_REGION"]),
		Credentials:      environCredentials(environ),
		HTTPClient:       &http.Client{Transport: transport()},
		RetryMaxAttempts: retry.DefaultMaxAttempts,
	}
	if options.Region == "" {
		return nil, errors.New("AWS_REGION is not set; accepted: the region of the secret, such as eu-central-1")
	}
	if endpoint := cmp.Or(environ["AWS_ENDPOINT_URL_SECRETS_MANAGER"], environ["AWS_ENDPOINT_URL"]); endpoint != "" {
		options.BaseEndpoint = aws.String(endpoint)
	}
	if fips, _ := strconv.ParseBool(environ["AWS_USE_FIPS_ENDPOINT"]); fips {
		options.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	if dual, _ := strconv.ParseBool(environ["AWS_USE_DUALSTACK_ENDPOINT"]); dual {
		options.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	return secretsmanager.New(options), nil
}

// environCredentials are those of the function's role, which Lambda hands over
// in the environment for the life of the process.
func environCredentials(environ map[string]string) aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) {
		c := aws.Credentials{
			AccessKeyID:     environ["AWS_ACCESS_KEY_ID"],
			SecretAccessKey: environ["AWS_SECRET_ACCESS_KEY"],
			SessionToken:    environ["AWS_SESSION_TOKEN"],
			Source:          "environment",
		}
		if !c.HasKeys() {
			return c, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")
		}
		return c, nil
	}
}
