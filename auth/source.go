package auth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

// retryPause is the pause between two tries to read the secret. All of them
// together fit into renewalWait.
const retryPause = 500 * time.Millisecond

// An Error tells why there is no token. Its text names the secret or file,
// never what that holds.
type Error struct {
	kind string
	err  error
}

func (e *Error) Error() string { return "auth: " + e.err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Kind is "unavailable" where a later try may succeed without anyone's help,
// "configuration" where somebody must mend the secret or the permissions, and
// "credentials" where the API refuses the key.
func (e *Error) Kind() string { return e.kind }

// A Secret reads a service-account key from Secrets Manager. Both fields are required.
type Secret struct {
	// ID is the secret's name or ARN.
	ID string

	// GetSecretValue is the method of secretsmanager.Client.
	GetSecretValue func(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Key returns the key of the version staged AWSCURRENT, from SecretString or
// SecretBinary. The error is an *Error.
func (s *Secret) Key(ctx context.Context) (*ServiceAccountKey, error) {
	out, err := s.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     aws.String(s.ID),
		VersionStage: aws.String("AWSCURRENT"),
	}, pauseBriefly)
	if err != nil {
		return nil, &Error{kind: secretKind(err), err: fmt.Errorf("secret %q: %w", s.ID, err)}
	}
	document := out.SecretBinary
	if out.SecretString != nil {
		document = []byte(*out.SecretString)
	}
	key, err := ParseServiceAccountKey(document)
	if err != nil {
		return nil, &Error{kind: "configuration", err: fmt.Errorf("secret %q: %w", s.ID, err)}
	}
	return key, nil
}

// pauseBriefly bounds the pauses between the SDK's tries. By its own measure
// they add up to six seconds, and callers wait for less.
func pauseBriefly(o *secretsmanager.Options) {
	o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, retryPause)
}

// secretKind tells refusals, which somebody must mend, from outages and
// throttling, which the SDK knows as worth a retry.
func secretKind(err error) string {
	_, refused := errors.AsType[smithy.APIError](err)
	if refused && retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) != aws.TrueTernary {
		return "configuration"
	}
	return "unavailable"
}

// KeyFile returns a function that reads the key from the credentials file at
// path. Its error is an *Error.
func KeyFile(path string) func(context.Context) (*ServiceAccountKey, error) {
	return func(context.Context) (*ServiceAccountKey, error) {
		document, err := os.ReadFile(path)
		if err != nil {
			return nil, &Error{kind: "configuration", err: err}
		}
		key, err := ParseServiceAccountKey(document)
		if err != nil {
			return nil, &Error{kind: "configuration", err: fmt.Errorf("credentials file %s: %w", path, err)}
		}
		return key, nil
	}
}
