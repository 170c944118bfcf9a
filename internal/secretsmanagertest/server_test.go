package secretsmanagertest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"voxkv/internal/secretsmanagertest"
)

func TestARNIsTheOneAnswered(t *testing.T) {
	t.Parallel()
	fake, client := serve(t)
	fake.Put("key", "one")
	if got, want := *check(t, client, "key", "", "one").ARN, fake.ARN("key"); got != want {
		t.Errorf("ARN = %s; want %s", got, want)
	}
}

// Moto gets this one wrong, which keeps it out of the conformance test.
func TestPromotedVersionIsTheDefault(t *testing.T) {
	t.Parallel()
	fake, client := serve(t)
	fake.Put("key", "old")
	fake.Promote("key", fake.PutPending("key", "new"))
	check(t, client, "key", "", "new")
}

func TestPutRestoresADeletedSecret(t *testing.T) {
	t.Parallel()
	fake, client := serve(t)
	fake.Put("key", "one")
	fake.Delete("key")
	fake.Put("key", "two")
	check(t, client, "key", "", "two")
	check(t, client, "key", "AWSPREVIOUS", "one")
}

func TestCallsAndStages(t *testing.T) {
	t.Parallel()
	fake, client := serve(t)
	fake.Put("key", "one")
	for _, stage := range []string{"", "AWSCURRENT", "AWSPREVIOUS"} {
		// The last one fails and counts all the same.
		_, _ = get(t, client, "key", stage)
	}
	if got, want := fake.Stages(), []string{"", "AWSCURRENT", "AWSPREVIOUS"}; !slices.Equal(got, want) {
		t.Errorf("Stages() = %q; want %q", got, want)
	}
	if got := fake.Calls(); got != 3 {
		t.Errorf("Calls() = %d; want 3", got)
	}
}

func TestInterceptedErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		typ    string
		status int
	}{
		{"ThrottlingException", http.StatusBadRequest},
		{"AccessDeniedException", http.StatusBadRequest},
		{"InvalidParameterException", http.StatusBadRequest},
		{"InternalServiceError", http.StatusInternalServerError},
	}
	for _, test := range tests {
		t.Run(test.typ, func(t *testing.T) {
			t.Parallel()
			fake, client := serve(t)
			fake.Put("key", "one")
			fake.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				secretsmanagertest.WriteError(w, test.status, test.typ, "on purpose")
				return true
			})
			_, err := get(t, client, "key", "")
			checkCode(t, err, test.typ)
			if !strings.Contains(err.Error(), "on purpose") {
				t.Errorf("error = %v; want the message in it", err)
			}
			fake.Intercept(nil)
			check(t, client, "key", "", "one")
			if got := fake.Calls(); got != 2 {
				t.Errorf("Calls() = %d; want 2", got)
			}
		})
	}
}

func TestInterceptMayLetACallPass(t *testing.T) {
	t.Parallel()
	fake, client := serve(t)
	fake.Put("key", "one")
	fake.Intercept(func(http.ResponseWriter, *http.Request) bool {
		fake.Put("key", "two")
		return false
	})
	check(t, client, "key", "", "two")
}

func TestMessagesAreTheServicesOwn(t *testing.T) {
	t.Parallel()
	fake, client := serve(t)
	fake.Put("key", "one")
	_, absent := get(t, client, "absent", "")
	_, unstaged := get(t, client, "key", "AWSPREVIOUS")
	fake.Delete("key")
	_, deleted := get(t, client, "key", "")
	tests := []struct {
		err  error
		want string
	}{
		{absent, "Secrets Manager can't find the specified secret."},
		{unstaged, "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS"},
		{deleted, "You can't perform this operation on the secret because it was marked for deletion."},
	}
	for _, test := range tests {
		if test.err == nil || !strings.HasSuffix(test.err.Error(), test.want) {
			t.Errorf("error = %v; want %q", test.err, test.want)
		}
	}
	if _, ok := errors.AsType[*types.ResourceNotFoundException](absent); !ok {
		t.Errorf("error %T; want the SDK's own type", absent)
	}
}

const (
	goodScope     = "AKID/20260102/us-east-1/secretsmanager/aws4_request"
	goodSignature = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	goodDate      = "20260102T030405Z"
)

// A message is one request below the SDK.
type message struct {
	method, path, contentType, target, date, authorization, body string
}

// authorize makes an Authorization header.
func authorize(credential, signedHeaders, signature string) string {
	return "AWS4-HMAC-SHA256 Credential=" + credential + ", SignedHeaders=" + signedHeaders + ", Signature=" + signature
}

func wellFormed() message {
	return message{
		method: http.MethodPost, path: "/", contentType: "application/x-amz-json-1.1",
		target: "secretsmanager.GetSecretValue", date: goodDate, body: `{"SecretId":"key"}`,
		authorization: authorize(goodScope, "host;x-amz-date", goodSignature),
	}
}

func (m message) send(t *testing.T, h http.Handler) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), m.method, m.path, strings.NewReader(m.body))
	r.Header.Set("Content-Type", m.contentType)
	r.Header.Set("X-Amz-Target", m.target)
	r.Header.Set("X-Amz-Date", m.date)
	r.Header.Set("Authorization", m.authorization)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*message)
		status int
		want   string
	}{
		{"nothing wrong", func(*message) {}, 200, `"SecretString":"one"`},
		{"GET", func(m *message) { m.method = "GET" }, 404, "<UnknownOperationException/>"},
		{"another path", func(m *message) { m.path = "/secret" }, 404, "<UnknownOperationException/>"},
		{"plain JSON", func(m *message) { m.contentType = "application/json" }, 404, "<UnknownOperationException/>"},
		{"another operation", func(m *message) { m.target = "secretsmanager.ListSecrets" }, 400, "UnknownOperationException"},
		{"no operation", func(m *message) { m.target = "" }, 400, "UnknownOperationException"},
		{"no signature", func(m *message) { m.authorization = "" }, 400, "MissingAuthenticationTokenException"},
		{"a bearer token", func(m *message) { m.authorization = "Bearer x" }, 400, "MissingAuthenticationTokenException"},
		{"an empty signature", func(m *message) { m.authorization = "AWS4-HMAC-SHA256 " }, 400, "requires 'Credential' parameter. Authorization header requires 'Signature' parameter."},
		{"no date", func(m *message) { m.date = "" }, 400, "IncompleteSignatureException"},
		{"a date for people", func(m *message) { m.date = "Fri, 02 Jan 2026" }, 400, "ISO-8601"},
		{"a date outside the scope", func(m *message) { m.date = "20260103T000000Z" }, 400, "'20260102' != '20260103'"},
		{"a short scope", scope("AKID/20260102/us-east-1/secretsmanager"), 400, "exactly 5 slash-delimited elements"},
		{"no access key", scope("/20260102/us-east-1/secretsmanager/aws4_request"), 400, "UnrecognizedClientException"},
		{"another service", scope("AKID/20260102/us-east-1/sts/aws4_request"), 400, "correct service: 'secretsmanager'"},
		{"another terminator", scope("AKID/20260102/us-east-1/secretsmanager/aws5_request"), 400, "valid terminator: 'aws4_request'"},
		{"an unsigned host", func(m *message) { m.authorization = authorize(goodScope, "x-amz-date", goodSignature) }, 400, "must be a 'SignedHeader'"},
		{"a signature that is no hash", func(m *message) { m.authorization = authorize(goodScope, "host", "abc") }, 400, "InvalidSignatureException"},
		{"no JSON", func(m *message) { m.body = "SecretId=key" }, 400, "SerializationException"},
		{"a secret twice", func(m *message) { m.body = `{"SecretId":"key","SecretId":"key"}` }, 400, "SerializationException"},
		{"no secret", func(m *message) { m.body = "{}" }, 400, "Value null at 'secretId'"},
		{"a member in small letters", func(m *message) { m.body = `{"secretid":"key"}` }, 400, "Value null at 'secretId'"},
		{"an empty name", func(m *message) { m.body = `{"SecretId":""}` }, 400, "Invalid name."},
		{"a name with a space", func(m *message) { m.body = `{"SecretId":"k ey"}` }, 400, "Invalid name."},
		{"an endless body", func(m *message) { m.body = `{"SecretId":"` + strings.Repeat("x", 1<<17) }, 400, "SerializationException"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fake := new(secretsmanagertest.Server)
			fake.Put("key", "one")
			m := wellFormed()
			test.change(&m)
			if status, body := m.send(t, fake); status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("%d %s; want %d with %q", status, body, test.status, test.want)
			}
			if counted := fake.Calls() == 1; counted != (test.status == http.StatusOK) {
				t.Errorf("Calls() = %d; want only a well-formed one counted", fake.Calls())
			}
		})
	}
}

func scope(credential string) func(*message) {
	return func(m *message) { m.authorization = authorize(credential, "host;x-amz-date", goodSignature) }
}
