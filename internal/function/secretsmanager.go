package function

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"voxkv/internal/settings"
	"voxkv/internal/transport"
)

// SecretsManager returns a client configured from the variables that Lambda
// sets and those of AWS's SDKs that matter in Lambda. config.LoadDefaultConfig
// would read more, and link the clients of SSO and STS for it: a third of the
// binary, for sources of credentials that Lambda does not have.
func SecretsManager(environ map[string]string) (*secretsmanager.Client, error) {
	a, err := settings.ReadAWS(environ)
	if err != nil {
		return nil, err
	}
	options := secretsmanager.Options{
		Region:           a.Region,
		Credentials:      environCredentials(environ),
		HTTPClient:       &http.Client{Transport: transport.New()},
		RetryMaxAttempts: retry.DefaultMaxAttempts,
	}
	if a.SecretsManager != "" {
		options.BaseEndpoint = aws.String(a.SecretsManager)
	}
	if a.FIPS {
		options.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	if a.DualStack {
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
