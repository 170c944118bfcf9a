package auth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"voxkv/auth"
	"voxkv/internal/secretsmanagertest"
)

// serveSecrets returns a Secrets Manager and the secret "voximplant" in it, which holds nothing yet.
func serveSecrets(t *testing.T) (*secretsmanagertest.Server, *auth.Secret) {
	t.Helper()
	fake := new(secretsmanagertest.Server)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	client := secretsmanager.New(secretsmanager.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(server.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}, nil
		}),
		Retryer: aws.NopRetryer{},
	})
	return fake, &auth.Secret{ID: "voximplant", GetSecretValue: client.GetSecretValue}
}

func TestSecretKey(t *testing.T) {
	t.Parallel()
	document := string(oldAccount().Credentials())
	for kind, put := range map[string]func(*secretsmanagertest.Server){
		"string": func(s *secretsmanagertest.Server) { s.Put("voximplant", document) },
		"binary": func(s *secretsmanagertest.Server) { s.PutBinary("voximplant", []byte(document)) },
	} {
		fake, secret := serveSecrets(t)
		put(fake)
		for _, id := range []string{"voximplant", fake.ARN("voximplant")} {
			secret.ID = id
			key, err := secret.Key(t.Context())
			if err != nil || key.KeyID != oldAccount().KeyID {
				t.Errorf("%s: Key of %s = %v, %v; want key %s", kind, id, key, err, oldAccount().KeyID)
			}
		}
		if got, want := fake.Stages(), []string{"AWSCURRENT", "AWSCURRENT"}; !slices.Equal(got, want) {
			t.Errorf("%s: stages asked for = %q; want %q", kind, got, want)
		}
	}
}

// checkError checks the kind of an *auth.Error, that it names what could not be read, and that it tells no secret.
func checkError(t *testing.T, err error, kind, named string) {
	t.Helper()
	failed, ok := errors.AsType[*auth.Error](err)
	if !ok || failed.Kind() != kind || !strings.HasPrefix(err.Error(), "auth: ") || !strings.Contains(err.Error(), named) {
		t.Fatalf("error = %v (%T); want an *auth.Error of kind %s that names %s", err, err, kind, named)
	}
	checkNoSecret(t, "error", err.Error())
}

func TestSecretKeyRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code   string
		status int
		want   string
	}{
		{"ThrottlingException", 400, "unavailable"},
		{"InternalServiceError", 500, "unavailable"},
		{"UnknownCodeOfAProxy", 502, "unavailable"},
		{"", 504, "unavailable"},
		{"AccessDeniedException", 400, "configuration"},
		{"DecryptionFailure", 400, "configuration"},
		{"ExpiredTokenException", 400, "configuration"},
		{"NeverHeardOfException", 400, "configuration"},
	} {
		fake, secret := serveSecrets(t)
		fake.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			secretsmanagertest.WriteError(w, test.status, test.code, "on purpose")
			return true
		})
		_, err := secret.Key(t.Context())
		checkError(t, err, test.want, `"voximplant"`)
	}
}

func TestSecretKeyWithoutAnswer(t *testing.T) {
	t.Parallel()
	fake, secret := serveSecrets(t)
	fake.Intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	_, err := secret.Key(t.Context())
	checkError(t, err, "unavailable", `"voximplant"`)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = secret.Key(ctx)
	checkError(t, err, "unavailable", `"voximplant"`)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Key with a cancelled context = %v; want context.Canceled", err)
	}
}

// TestSecretKeyPauses: when Secrets Manager throttles, the SDK by itself waits for longer than a request may take. Its
// other delays are short, and stay so.
func TestSecretKeyPauses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		failed error
		most   time.Duration
	}{
		"throttled":         {&smithy.GenericAPIError{Code: "ThrottlingException"}, time.Second},
		"a lost connection": {&smithyhttp.RequestSendError{Err: io.EOF}, 150 * time.Millisecond},
	} {
		var pauses time.Duration
		secret := &auth.Secret{ID: "voximplant", GetSecretValue: func(_ context.Context, _ *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
			o := secretsmanager.Options{Retryer: retry.NewStandard()}
			for _, option := range options {
				option(&o)
			}
			pauses = 0
			for attempt := 1; attempt < o.Retryer.MaxAttempts(); attempt++ {
				pause, err := o.Retryer.RetryDelay(attempt, tt.failed)
				if err != nil {
					t.Error(err)
				}
				pauses += pause
			}
			return nil, errKey
		}}
		for range 100 { // there is chance in a pause
			if _, err := secret.Key(t.Context()); !errors.Is(err, errKey) || pauses <= 0 || pauses > tt.most {
				t.Fatalf("%s: Key = %v after pauses of %v; want %v after some, and at most %v", name, err, pauses, errKey, tt.most)
			}
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	good := filepath.Join(t.TempDir(), "good.json")
	bad := filepath.Join(t.TempDir(), "bad.json")
	for path, document := range map[string]string{good: string(oldAccount().Credentials()), bad: credentials("key_id", nil)} {
		if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key, err := auth.KeyFile(good)(t.Context())
	if err != nil || key.KeyID != oldAccount().KeyID {
		t.Errorf("KeyFile = %v, %v; want key %s", key, err, oldAccount().KeyID)
	}
	_, err = auth.KeyFile(bad)(t.Context())
	checkError(t, err, "configuration", bad+": key_id is missing")
	_, err = auth.KeyFile(good + ".absent")(t.Context())
	checkError(t, err, "configuration", "good.json.absent")
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("KeyFile of an absent file = %v; want os.ErrNotExist", err)
	}
}
