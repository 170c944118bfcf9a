package secretsmanagertest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"voxkv/internal/secretsmanagertest"
)

// An admin is what an administrator does to secrets. Each func stores, stages or deletes
// as the [secretsmanagertest.Server] method of its name.
type admin struct {
	put        func(name, secret string) (versionID string)
	putBinary  func(name string, secret []byte) (versionID string)
	putPending func(name, secret string) (versionID string)
	promote    func(name, versionID string)
	delete     func(name string)
}

func newClient(endpoint string) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "example", SessionToken: "token"}, nil
		}),
		RetryMaxAttempts: 1,
		HTTPClient:       new(http.Client),
	})
}

// serve returns a fake and a client of it.
func serve(t *testing.T) (*secretsmanagertest.Server, *secretsmanager.Client) {
	t.Helper()
	fake := new(secretsmanagertest.Server)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return fake, newClient(server.URL)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	fake, client := serve(t)
	conformance(t, client, admin{
		put:        fake.Put,
		putBinary:  fake.PutBinary,
		putPending: fake.PutPending,
		promote:    fake.Promote,
		delete:     fake.Delete,
	})
}

// conformance is what the fake and any other Secrets Manager must have in common.
func conformance(t *testing.T, client *secretsmanager.Client, a admin) {
	t.Run("a string secret", func(t *testing.T) { testString(t, client, a) })
	t.Run("a binary secret", func(t *testing.T) { testBinary(t, client, a) })
	t.Run("names and ARNs", func(t *testing.T) { testIdentifiers(t, client, a) })
	t.Run("versions and their stages", func(t *testing.T) { testStages(t, client, a) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, client, a) })
	t.Run("a deleted secret", func(t *testing.T) { testDelete(t, client, a) })
}

func testString(t *testing.T, client *secretsmanager.Client, a admin) {
	before := time.Now()
	id := a.put("string", "one")
	got := check(t, client, "string", "", "one")
	if got.SecretBinary != nil {
		t.Errorf("SecretBinary = %q; want none", got.SecretBinary)
	}
	if *got.Name != "string" || *got.VersionId != id || !slices.Equal(got.VersionStages, []string{"AWSCURRENT"}) {
		t.Errorf("name %s, version %s, stages %q; want string, %s, AWSCURRENT", *got.Name, *got.VersionId, got.VersionStages, id)
	}
	// Moto keeps whole seconds.
	if earliest := before.Truncate(time.Second); got.CreatedDate.Before(earliest) || got.CreatedDate.After(time.Now()) {
		t.Errorf("CreatedDate = %v; want %v to now", got.CreatedDate, earliest)
	}
}

func testBinary(t *testing.T, client *secretsmanager.Client, a admin) {
	want := []byte{0, 0xff, '"', '\n'}
	a.putBinary("binary", want)
	got, err := get(t, client, "binary", "")
	if err != nil {
		t.Fatal(err)
	}
	if got.SecretString != nil || !bytes.Equal(got.SecretBinary, want) {
		t.Errorf("secret = %v, %q; want the bytes %q", got.SecretString, got.SecretBinary, want)
	}
}

func testIdentifiers(t *testing.T, client *secretsmanager.Client, a admin) {
	const name = "prod/voxkv_key+=.@-1"
	a.put(name, "found")
	a.put("prod/voxkv", "another")
	arn := *check(t, client, name, "", "found").ARN
	partial := arn[:len(arn)-len("-AbCdEf")]
	for _, id := range []string{arn, partial} {
		got := check(t, client, id, "AWSCURRENT", "found")
		if *got.ARN != arn || *got.Name != name {
			t.Errorf("by %s: ARN %s, name %s; want %s, %s", id, *got.ARN, *got.Name, arn, name)
		}
	}
}

// testStages has a secret for each way to rotate: moto loses stages where one secret is rotated in several ways.
func testStages(t *testing.T, client *secretsmanager.Client, a admin) {
	const none = "-" // no version has the stage; "" is not asked
	var first, second, third string
	for _, step := range []struct {
		secret                     string
		do                         func()
		current, previous, pending string
	}{
		{"put", func() { a.put("put", "one") }, "one", none, none},
		{"put", func() { a.put("put", "two") }, "two", "one", none},
		{"put", func() { a.put("put", "three") }, "three", "two", none},
		{"promote", func() { a.put("promote", "old") }, "old", none, none},
		{"promote", func() { third = a.putPending("promote", "new") }, "old", none, "new"},
		{"promote", func() { a.promote("promote", third) }, "new", "old", "new"},
		{"rollback", func() { first = a.put("rollback", "one") }, "one", none, none},
		{"rollback", func() { second = a.put("rollback", "two") }, "two", "one", none},
		{"rollback", func() { a.promote("rollback", first) }, "one", "two", ""},
		{"rollback", func() { a.promote("rollback", second) }, "two", "one", ""},
		{"pending", func() { a.putPending("pending", "one") }, "one", none, "one"},
		{"pending", func() { a.putPending("pending", "two") }, "one", none, "two"},
	} {
		step.do()
		for stage, want := range map[string]string{"AWSCURRENT": step.current, "AWSPREVIOUS": step.previous, "AWSPENDING": step.pending} {
			switch want {
			case "":
			case none:
				_, err := get(t, client, step.secret, stage)
				checkCode(t, err, "ResourceNotFoundException")
			default:
				check(t, client, step.secret, stage, want)
			}
		}
	}
	check(t, client, "put", "", "three")
}

func testRefusals(t *testing.T, client *secretsmanager.Client, _ admin) {
	for _, id := range []string{"absent", "arn:aws:secretsmanager:us-east-1:000000000000:secret:refusals-XxXxXx"} {
		_, err := get(t, client, id, "AWSCURRENT")
		checkCode(t, err, "ResourceNotFoundException")
	}
}

func testDelete(t *testing.T, client *secretsmanager.Client, a admin) {
	a.put("delete", "one")
	a.delete("delete")
	_, err := get(t, client, "delete", "AWSCURRENT")
	checkCode(t, err, "InvalidRequestException")
	if _, ok := errors.AsType[*types.InvalidRequestException](err); !ok {
		t.Errorf("error %T; want the SDK's own type", err)
	}
}

// get asks for a stage, or for none if stage is empty.
func get(t *testing.T, client *secretsmanager.Client, id, stage string) (*secretsmanager.GetSecretValueOutput, error) {
	t.Helper()
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	if stage != "" {
		in.VersionStage = &stage
	}
	return client.GetSecretValue(t.Context(), in)
}

// check expects the string secret staged so to be want, and returns the answer.
func check(t *testing.T, client *secretsmanager.Client, id, stage, want string) *secretsmanager.GetSecretValueOutput {
	t.Helper()
	got, err := get(t, client, id, stage)
	if err != nil {
		t.Fatalf("GetSecretValue(%s, %s): %v", id, stage, err)
	}
	if aws.ToString(got.SecretString) != want {
		t.Errorf("GetSecretValue(%s, %s) = %q; want %q", id, stage, aws.ToString(got.SecretString), want)
	}
	return got
}

func checkCode(t *testing.T, err error, want string) {
	t.Helper()
	if refused, ok := errors.AsType[smithy.APIError](err); !ok || refused.ErrorCode() != want {
		t.Errorf("error = %v; want %s", err, want)
	}
}
