package secretsmanagertest_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"voxkv/internal/secretsmanagertest"
)

// TestServer has what moto does in another way, which keeps it out of the conformance test.
func TestServer(t *testing.T) {
	t.Parallel()
	fake, client := serve(t)
	fake.Put("key", "old")
	fake.Promote("key", fake.PutPending("key", "new"))
	if got, want := *check(t, client, "key", "", "new").ARN, fake.ARN("key"); got != want {
		t.Errorf("ARN = %s; want %s", got, want)
	}
	_, absent := get(t, client, "absent", "")
	_, unstaged := get(t, client, "key", "AWSNOTHING")
	fake.Delete("key")
	_, deleted := get(t, client, "key", "")
	fake.Put("key", "restored")
	check(t, client, "key", "", "restored")
	check(t, client, "key", "AWSPREVIOUS", "new")
	for want, err := range map[string]error{
		"Secrets Manager can't find the specified secret.":                                    absent,
		"Secrets Manager can't find the specified secret value for staging label: AWSNOTHING": unstaged,
		"You can't perform this operation on the secret because it was marked for deletion.":  deleted,
	} {
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error = %v; want %q", err, want)
		}
	}
	if got, want := fake.Stages(), []string{"", "", "AWSNOTHING", "", "", "AWSPREVIOUS"}; !slices.Equal(got, want) || fake.Calls() != len(want) {
		t.Errorf("Stages() = %q, Calls() = %d; want %q", got, fake.Calls(), want)
	}
}

func TestIntercept(t *testing.T) {
	t.Parallel()
	fake, client := serve(t)
	fake.Put("key", "one")
	for typ, status := range map[string]int{"ThrottlingException": 400, "AccessDeniedException": 400, "InternalServiceError": 500} {
		fake.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			secretsmanagertest.WriteError(w, status, typ, "on purpose")
			return true
		})
		_, err := get(t, client, "key", "")
		if checkCode(t, err, typ); err == nil || !strings.Contains(err.Error(), "on purpose") {
			t.Errorf("error = %v; want the message in it", err)
		}
	}
	fake.Intercept(func(http.ResponseWriter, *http.Request) bool {
		fake.Put("key", "two")
		return false
	})
	check(t, client, "key", "", "two")
	if fake.Intercept(nil); fake.Calls() != 4 {
		t.Errorf("Calls() = %d; want 4", fake.Calls())
	}
}

// A message is one request below the SDK.
type message struct {
	method, path, contentType, target, date, authorization, body string
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
	return w.Code, w.Body.String()
}

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	signed := func(from, to string) func(*message) {
		return func(m *message) { m.authorization = strings.Replace(m.authorization, from, to, 1) }
	}
	for _, test := range []struct {
		name   string
		change func(*message)
		want   string
	}{
		{"nothing wrong", func(*message) {}, `"SecretString":"one"`},
		{"GET", func(m *message) { m.method = "GET" }, "<UnknownOperationException/>"},
		{"another path", func(m *message) { m.path = "/secret" }, "<UnknownOperationException/>"},
		{"plain JSON", func(m *message) { m.contentType = "application/json" }, "<UnknownOperationException/>"},
		{"another operation", func(m *message) { m.target = "secretsmanager.ListSecrets" }, "UnknownOperationException"},
		{"no signature", func(m *message) { m.authorization = "" }, "MissingAuthenticationTokenException"},
		{"a bearer token", func(m *message) { m.authorization = "Bearer x" }, "MissingAuthenticationTokenException"},
		{"no date", func(m *message) { m.date = "" }, "InvalidSignatureException"},
		{"a date outside the scope", func(m *message) { m.date = "20260103T000000Z" }, "InvalidSignatureException"},
		{"a short scope", signed("/aws4_request", ""), "InvalidSignatureException"},
		{"no access key", signed("AKID", ""), "InvalidSignatureException"},
		{"another service", signed("secretsmanager", "sts"), "InvalidSignatureException"},
		{"an unsigned host", signed("host;", ""), "InvalidSignatureException"},
		{"a signature that is no hash", signed("0123", "012"), "InvalidSignatureException"},
		{"no JSON", func(m *message) { m.body = "SecretId=key" }, "SerializationException"},
		{"a secret twice", func(m *message) { m.body = `{"SecretId":"key","SecretId":"key"}` }, "SerializationException"},
		{"a member in small letters", func(m *message) { m.body = `{"secretid":"key"}` }, "SerializationException"},
		{"an endless body", func(m *message) { m.body = `{"SecretId":"` + strings.Repeat("x", 1<<17) }, "SerializationException"},
		{"no secret", func(m *message) { m.body = "{}" }, "Value null at 'secretId'"},
		{"an empty name", func(m *message) { m.body = `{"SecretId":""}` }, "Invalid name."},
		{"a name with a space", func(m *message) { m.body = `{"SecretId":"k ey"}` }, "Invalid name."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fake := new(secretsmanagertest.Server)
			fake.Put("key", "one")
			m := message{
				"POST", "/", "application/x-amz-json-1.1", "secretsmanager.GetSecretValue", "20260102T030405Z",
				"AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/secretsmanager/aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
					strings.Repeat("0123456789abcdef", 4),
				`{"SecretId":"key"}`,
			}
			test.change(&m)
			status, body := m.send(t, fake)
			good := test.name == "nothing wrong"
			if !strings.Contains(body, test.want) || (status == http.StatusOK) != good || (fake.Calls() == 1) != good {
				t.Errorf("%d %s, Calls() = %d; want %q, and only a well-formed call counted", status, body, fake.Calls(), test.want)
			}
		})
	}
}
