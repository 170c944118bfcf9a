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

// maxRetryDelay bounds each delay between two tries to read the secret, so that
// all of them together fit into readTimeout.
const maxRetryDelay = 500 * time.Millisecond

// An Error says why there is no token. Its text has the name of the secret or of
// the file, and nothing of what is in it.
type Error struct {
	kind string
	err  error
}

func (e *Error) Error() string { return "auth: " + e.err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Kind is "unavailable" if a later try may succeed, "configuration" if somebody
// must correct the secret or the permissions first, and "credentials" if the API
// refuses the key.
func (e *Error) Kind() string { return e.kind }

// A Secret reads a service-account key from Secrets Manager. Both fields are required.
type Secret struct {
	// ID is the secret's name or ARN.
	ID string

	// GetSecretValue reads a secret, as the method of secretsmanager.Client does.
	GetSecretValue func(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Key returns the key that is stored in the secret's version AWSCURRENT, in
// SecretString or SecretBinary. The error is an *Error.
func (s *Secret) Key(ctx context.Context) (*ServiceAccountKey, error) {
	out, err := s.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     aws.String(s.ID),
		VersionStage: aws.String("AWSCURRENT"),
	}, limitRetryDelay)
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

// limitRetryDelay shortens the delays between the SDK's tries. When Secrets Manager
// throttles, they add up to three seconds, which is longer than a request may take.
func limitRetryDelay(o *secretsmanager.Options) {
	if r, ok := o.Retryer.(aws.RetryerV2); ok { // those of the SDK are
		o.Retryer = retryer{r}
	}
}

// A retryer is that of the SDK with the limit maxRetryDelay.
// retry.AddWithMaxBackoffDelay would make the short delays longer, too: it waits for
// its limit each time.
type retryer struct{ aws.RetryerV2 }

func (r retryer) RetryDelay(attempt int, opErr error) (time.Duration, error) {
	delay, err := r.RetryerV2.RetryDelay(attempt, opErr)
	return min(delay, maxRetryDelay), err
}

// secretKind is the kind of an error of GetSecretValue: "unavailable" for
// outages and throttling, which the SDK retries, and "configuration" for what
// else Secrets Manager answers, such as a refusal.
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
