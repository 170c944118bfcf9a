package function

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
	var endpointErr, region error
	if endpoint := cmp.Or(environ["AWS_ENDPOINT_URL_SECRETS_MANAGER"], environ["AWS_ENDPOINT_URL"]); endpoint != "" {
		options.BaseEndpoint = aws.String(endpoint)
		if !mayHoldSecrets(endpoint) {
			endpointErr = fmt.Errorf("AWS_ENDPOINT_URL_SECRETS_MANAGER or AWS_ENDPOINT_URL %s; "+
				"accepted: an https URL, or http to this machine or an address of a private network", held(endpoint))
		}
	}
	if strings.ContainsFunc(options.Region, notInRegion) || options.Region == "" {
		region = fmt.Errorf("AWS_REGION %s; accepted: the region of the secret, such as eu-central-1", held(options.Region))
	}
	fips, fipsErr := isOn(environ, "AWS_USE_FIPS_ENDPOINT")
	if fips {
		options.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	dual, dualErr := isOn(environ, "AWS_USE_DUALSTACK_ENDPOINT")
	if dual {
		options.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	if err := errors.Join(endpointErr, region, fipsErr, dualErr); err != nil {
		return nil, err
	}
	return secretsmanager.New(options), nil
}

// notInRegion reports whether no region's name holds r.
func notInRegion(r rune) bool {
	return r != '-' && (r < '0' || '9' < r) && (r < 'a' || 'z' < r)
}

// isOn reads a switch. As in AWS's SDKs, one that is misspelt is an error: who
// asks for FIPS must not go without.
func isOn(environ map[string]string, variable string) (bool, error) {
	switch value := environ[variable]; strings.ToLower(value) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	default:
		return false, fmt.Errorf("%s %s; accepted: true or false", variable, held(value))
	}
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
