package gateway_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"voxkv/allowlist"
	"voxkv/internal/gateway"
)

// caller returns who asks, as the handler learns it from payload.
func caller(t *testing.T, payload string) (c allowlist.Caller) {
	t.Helper()
	reached := false
	g := &gateway.Gateway{Claims: true, HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c, reached = allowlist.CallerOf(r.Context()), true
	})}
	if _, err := g.Invoke(t.Context(), []byte(payload)); err != nil || !reached {
		t.Fatalf("Invoke(%s) reached no handler: %v", payload, err)
	}
	if c.Trusted {
		t.Errorf("the caller of %s is trusted; over HTTP none is", payload)
	}
	return c
}

// TestClaimsOfSamples: each kind of authorizer tells who the caller is, and nobody else does.
func TestClaimsOfSamples(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, "*-item.json") {
		if strings.HasPrefix(file, "direct-") {
			continue
		}
		sender := strings.TrimSuffix(file, "-item.json")
		want := ""
		if strings.Contains(" "+authorized+" ", " "+sender+" ") && sender != "function-url-iam" {
			want = "42"
		}
		if got := caller(t, string(read(t, file))); got.Claims["sub"] != want {
			t.Errorf("%s: claims %v; want sub %q", file, got.Claims, want)
		}
	}
}

// TestClaimsByForm: claims count in the form of the event's sender alone, wherever else they stand.
func TestClaimsByForm(t *testing.T) {
	t.Parallel()
	const (
		v2   = `{"version":"2.0","rawPath":"/v1/items/k","requestContext":{"http":{"method":"GET"},"authorizer":%s}}`
		v1   = `{"version":"1.0","httpMethod":"GET","path":"/v1/items/k","requestContext":{"authorizer":%s}}`
		rest = `{"httpMethod":"GET","path":"/v1/items/k","requestContext":{"authorizer":%s}}`
		alb  = `{"httpMethod":"GET","path":"/v1/items/k","requestContext":{"elb":{},"authorizer":%s}}`
	)
	type claims = allowlist.Claims
	sub := claims{"sub": "42"}
	for _, tt := range []struct {
		events, authorizer string
		want               claims
	}{
		{v2, `{"jwt":{"claims":{"sub":"42"},"scopes":["a"]}}`, sub},
		{v2, `{"jwt":{"claims":{"sub":"42","groups":"[a b]","n":"7"}}}`, claims{"sub": "42", "groups": "[a b]", "n": "7"}},
		{v2, `{"lambda":{"sub":"42","tenant":7,"float":7.5,"big":9007199254740993,"ok":true,"none":null,"list":["a"],"in":{"sub":"43"}}}`, claims{"sub": "42", "tenant": "7", "big": "9007199254740993"}},
		{v1 + rest, `{"claims":{"sub":"42"},"scopes":null}`, sub},
		{v1 + rest, `{"claims":{"sub":"42"},"principalId":"43","sub":"44"}`, sub},
		{v1 + rest, `{"principalId":"anna","sub":"42","integrationLatency":31}`, claims{"principalId": "anna", "sub": "42"}},
		{v1 + rest, `{"claims":null,"scopes":null}`, claims{}},
		{v1 + rest, `{"claims":{}}`, claims{}},
		{v1 + rest, `{"claims":{"sub":["42"]}}`, claims{}},
		{v1 + rest, `{"integrationLatency":31}`, claims{}},
		// One authorizer's form in another's event.
		{v2, `{"claims":{"sub":"42"}}`, nil},
		{v2, `{"principalId":"42","sub":"42"}`, nil},
		{v2, `{"jwt":{"sub":"42"}}`, nil},
		{v2, `{"jwt":{"claims":{"sub":"42"}},"lambda":{"sub":"43"}}`, nil},
		{v2, `{"iam":{"userId":"42","sub":"42","cognitoIdentity":{"sub":"42"}}}`, nil},
		{v1 + rest, `{"jwt":{"claims":{"sub":"42"}}}`, claims{}},
		{v1 + rest, `{"lambda":{"sub":"42"}}`, claims{}},
		{alb, `{"claims":{"sub":"42"},"jwt":{"claims":{"sub":"42"}},"lambda":{"sub":"42"},"sub":"42"}`, nil},
		// What no gateway sends.
		{v2 + v1 + rest + alb, `null`, nil}, {v2 + v1 + rest + alb, `[]`, nil}, {v2 + v1 + rest + alb, `"sub"`, nil}, {v2 + v1 + rest + alb, `42`, nil},
		{v2, `{}`, nil}, {v2, `{"jwt":null}`, nil}, {v2, `{"jwt":{"claims":null}}`, nil}, {v2, `{"jwt":{"claims":["sub"]}}`, nil}, {v2, `{"jwt":"claims"}`, nil},
		{v2, `{"lambda":null}`, nil}, {v2, `{"lambda":["sub"]}`, nil}, {v2, `{"JWT":{"claims":{"sub":"42"}}}`, nil}, {v2, `{"jwt":{"Claims":{"sub":"42"}}}`, nil},
	} {
		for _, event := range []string{v2, v1, rest, alb} {
			if !strings.Contains(tt.events, event) {
				continue
			}
			payload := fmt.Sprintf(event, tt.authorizer)
			if got := caller(t, payload).Claims; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("claims of %s = %v; want %v", payload, got, tt.want)
			}
		}
	}
}

// TestClaimsOfTheClientDoNotCount: whatever a client can write into a request.
func TestClaimsOfTheClientDoNotCount(t *testing.T) {
	t.Parallel()
	const theirs = `"authorizer":{"jwt":{"claims":{"sub":"42"}},"claims":{"sub":"42"},"lambda":{"sub":"42"}},"claims":{"sub":"42"},"sub":"42"`
	const headers = `"headers":{"x-amzn-oidc-identity":"42","x-amzn-oidc-data":"x","authorization":"Bearer x","sub":"42","claims":"{\"sub\":\"42\"}","requestcontext":"{\"authorizer\":{\"claims\":{\"sub\":\"42\"}}}"}`
	for _, payload := range []string{
		`{"version":"2.0","rawPath":"/v1/items/k","rawQueryString":"claims=sub&sub=42",` + headers + `,` + theirs + `,"requestContext":{"http":{"method":"GET"}}}`,
		`{"version":"2.0","rawPath":"/v1/items/k",` + headers + `,"requestContext":{"http":{"method":"GET",` + theirs + `},"claims":{"sub":"42"},"jwt":{"claims":{"sub":"42"}}}}`,
		`{"httpMethod":"GET","path":"/v1/items/k",` + headers + `,` + theirs + `,"queryStringParameters":{"sub":"42"},"pathParameters":{"sub":"42"},"stageVariables":{"sub":"42"},"requestContext":{}}`,
		`{"httpMethod":"GET","path":"/v1/items/k","requestContext":{"identity":{"user":"42","sub":"42"},"Authorizer":{"claims":{"sub":"42"}}},"body":"{\"requestContext\":{\"authorizer\":{\"claims\":{\"sub\":\"42\"}}}}"}`,
		`{"httpMethod":"GET","path":"/v1/items/k",` + headers + `,"requestContext":{"elb":{}}}`,
	} {
		if got := caller(t, payload); got.Claims != nil {
			t.Errorf("claims of %s = %v; want none", payload, got.Claims)
		}
	}
}

// TestTwoAnswersToOneQuestion: an event that names a claim, or what holds claims, twice is refused.
func TestTwoAnswersToOneQuestion(t *testing.T) {
	t.Parallel()
	g := &gateway.Gateway{Claims: true, HTTP: unreachable(t)}
	for _, authorizer := range []string{
		`{"jwt":{"claims":{"sub":"42","sub":"43"}}}`, `{"jwt":{"claims":{"sub":"42"},"claims":{"sub":"43"}}}`, `{"jwt":{"claims":{"sub":"42"}},"jwt":{}}`,
		`{},"authorizer":{"jwt":{"claims":{"sub":"42"}}}`, `{"jwt":{"claims":{"sub":"42","s\u0075b":"43"}}}`,
	} {
		payload := `{"version":"2.0","rawPath":"/v1/items/k","requestContext":{"http":{"method":"GET"},"authorizer":` + authorizer + `}}`
		if _, err := g.Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("Invoke(%s) = _, nil; want it refused", payload)
		}
	}
}

// TestClaimsAreNotReadUnlessWanted, as where no rule needs them.
func TestClaimsAreNotReadUnlessWanted(t *testing.T) {
	t.Parallel()
	if got := allowlist.CallerOf(request(t, read(t, "http-api-jwt-item.json")).Context()); got.Claims != nil {
		t.Errorf("claims = %v; want none", got.Claims)
	}
}
