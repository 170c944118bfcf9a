//go:build linux

package faults

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/internal/gatewaytest"
	"voxkv/internal/settings"
)

// loud settings make the function say all it can, and give up soon.
var loud = []string{
	"LOG_LEVEL=debug", "METRICS=true", "RAW_VALUES=true", "ALLOW_WRITES=true", "LOCAL_MAX_AGE=0s", "UPSTREAM_TIMEOUT=400ms",
}

// A talk is everything that can be asked for. It remembers what kinds of answers came.
type talk struct{ heard sync.Map }

// with asks s for everything.
func (k *talk) with(t *testing.T, s *sandbox) {
	t.Helper()
	const path = "/v1/items/" + secretKey
	k.http(t, s, "GET", path)
	k.direct(t, s, `{"key":"`+secretKey+`"}`) // before the circuit breaker opens
	k.http(t, s, "HEAD", path)
	k.http(t, s, "GET", path, "If-None-Match", "*", "Origin", "https://example.com")
	k.http(t, s, "OPTIONS", path, "Origin", "https://example.com", "Access-Control-Request-Method", "GET")
	k.http(t, s, "POST", path)
	for _, target := range []string{
		"/v1/items?key=" + secretKey, "/v1/items?key=" + secretKey + "&key=order:none&key=secret:token", "/v1/values/" + secretKey,
		"/v1/parsed/" + secretKey, "/v1/items/order:none", "/v1/items/secret:token", "/v1/items/a%20b", "/v1/nothing", "/v1/health",
	} {
		k.http(t, s, "GET", target)
	}
	for _, payload := range []string{
		`{"key":"order:none"}`, `{"keys":["` + secretKey + `","order:none"]}`,
		`{"operation":"set","key":"order:set","value":"` + itemValue + `","ttl":60}`,
		`{"operation":"set","key":"order:set","value":"` + itemValue + `","ttl":-60}`,
		`{"operation":"list","prefix":"order:"}`, `{"operation":"keys","prefix":"order:"}`, `{"operation":"delete","key":"order:set"}`,
		`{"key":7,"private_key":"x"}`, `{"Records":[]}`,
	} {
		k.direct(t, s, payload)
	}
}

// http asks through an HTTP API.
func (k *talk) http(t *testing.T, s *sandbox, method, target string, header ...string) {
	t.Helper()
	gateway := gatewaytest.Gateway{Kind: gatewaytest.HTTPAPI, Invoke: func(_ context.Context, payload []byte) ([]byte, error) {
		return s.invoke(t, string(payload), patience).Payload, nil
	}}
	k.heard.Store(fmt.Sprint(gateway.Do(t.Context(), method, target, header...).Code), true)
}

func (k *talk) direct(t *testing.T, s *sandbox, payload string) {
	t.Helper()
	if failed := s.invoke(t, payload, patience).FunctionError; failed != nil {
		k.heard.Store(failed.Type, true)
	}
}

// TestNothingLeaks: whatever is asked for and whatever breaks, no answer and no output holds a private key, a
// token, an Authorization header, the account or a key, nor a value, but for those who ask for it. Each sandbox looks
// for them itself.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	var k talk
	t.Run("whatever breaks", func(t *testing.T) {
		each(t, func(t *testing.T, r row, f fault) {
			if strings.HasSuffix(f.name, ", status 400") || strings.HasSuffix(f.name, ", status 500") {
				return // the same is said with status 200
			}
			inBubble(t, func(t *testing.T) {
				s := newBubbleWorld(t)
				r.breakIn(t, s, f, loud)
				k.with(t, s)
			})
		})
		t.Run("nothing", func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				k.with(t, newBubble(t, append(loud, "CORS_ORIGINS=https://example.com", "CACHE_SCOPE=private")...))
			})
		})
	})
	for _, what := range []string{"200", "204", "304", "400", "404", "405", "500", "502", "503", "504", "InvalidRequest",
		"UpstreamBusy", "UpstreamUnavailable", "UpstreamTimeout", "UpstreamFailure", "InternalError"} {
		if _, ok := k.heard.Load(what); !ok {
			t.Errorf("the function was not made to say %s", what)
		}
	}
}

// TestMisplacedSecrets: a setting that holds a secret which belongs elsewhere is not repeated, whether the function starts or not.
func TestMisplacedSecrets(t *testing.T) {
	t.Parallel()
	document := string(accounts[0].Credentials())
	_, key, _ := strings.Cut(strings.TrimSuffix(document, `"}`), `"private_key":"`)
	misplaced := map[string]func(token string) string{
		"the document":           func(string) string { return document },
		"the document, indented": func(string) string { return " " + strings.ReplaceAll(document, ",", ",\n  ") },
		"the key":                func(string) string { return strings.ReplaceAll(key, `\n`, "\n") },
		"the key on one line":    func(string) string { return key },
		"the key's base64":       func(string) string { return strings.Join(strings.Split(key, `\n`)[1:27], "") },
		"a token":                func(token string) string { return token },
		"a token in a URL":       func(token string) string { return "https://127.0.0.1:1/?token=" + token },
		"a password in a URL":    func(token string) string { return "https://user:" + token + "@127.0.0.1:1/" },
	}
	variables := []string{"AWS_LAMBDA_LOG_LEVEL", "AWS_REGION", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_USE_FIPS_ENDPOINT"}
	for _, v := range settings.Variables() {
		variables = append(variables, v.Name)
	}
	for _, variable := range variables {
		for what, secret := range misplaced {
			t.Run(variable+" holds "+what, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) {
					s := newBubble(t)
					environ := []string{variable + "=" + secret(tokenOf(t, s))}
					if variable == "VOXIMPLANT_APPLICATION_NAME" {
						environ = append(environ, "VOXIMPLANT_APPLICATION_ID=")
					}
					if err := s.tryStart(t, environ...); err != nil {
						s.Leaks.Check(t, "the error of Init", err.Error())
					}
				})
			})
		}
	}
}

// tokenOf returns a token that Voximplant was sent.
func tokenOf(t *testing.T, s *sandbox) (token string) {
	t.Helper()
	s.Voximplant.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		return false
	})
	s.get(t, "order:1", 10*time.Second).want(t, "while all is well", 200)
	s.Voximplant.Intercept(nil)
	return token
}
