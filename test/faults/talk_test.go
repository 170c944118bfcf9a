//go:build linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/internal/gatewaytest"
	"voxkv/lookup"
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
	for _, variable := range []string{
		"VOXIMPLANT_SECRET_ID", "VOXIMPLANT_APPLICATION_ID", "VOXIMPLANT_APPLICATION_NAME", "VOXIMPLANT_API_URL", "ALLOWED_KEYS", "BASE_PATH",
		"CACHE_MAX_AGE", "CACHE_SCOPE", "NOT_FOUND_MAX_AGE", "LOCAL_MAX_AGE", "STALE_MAX_AGE", "LOCAL_MAX_ITEMS", "UPSTREAM_TIMEOUT", "MAX_KEYS",
		"CORS_ORIGINS", "CORS_HEADERS", "LOG_LEVEL", "LOG_KEYS", "AWS_LAMBDA_LOG_LEVEL", "METRICS", "RAW_VALUES", "ALLOW_WRITES", "NOT_FOUND_CODES",
		"AWS_REGION", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_USE_FIPS_ENDPOINT",
	} {
		for what, secret := range misplaced {
			t.Run(variable+" holds "+what, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) {
					s := newBubble(t)
					settings := []string{variable + "=" + secret(tokenOf(t, s))}
					if variable == "VOXIMPLANT_APPLICATION_NAME" {
						settings = append(settings, "VOXIMPLANT_APPLICATION_ID=")
					}
					if err := s.tryStart(t, bootstrap, settings...); err != nil {
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

// TestPanics: what the function calls panics with all it knows.
func TestPanics(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newBubble(t)
		token := tokenOf(t, s)
		key, err := auth.ParseServiceAccountKey(accounts[0].Credentials())
		if err != nil {
			t.Fatal(err)
		}
		request := httptest.NewRequest("POST", "https://example.com/?token="+token, http.NoBody)
		request.Header.Set("Authorization", "Bearer "+token)
		for _, v := range []any{
			"Bearer " + token, errors.New(itemValue + token), key.PrivateKey, *key, key, request, accounts[0].Credentials(), accounts[1],
			map[string]string{token: itemValue},
		} {
			s.checkPanic(t, func() { panic(v) })
		}
		s.checkPanic(t, func() { _ = map[string][]int{}[token][len(token)] })
	})
}

// checkPanic has the source of keys panic, and then the lookup.
func (s *sandbox) checkPanic(t *testing.T, fail func()) {
	t.Helper()
	started := false // a panic during Init would end this process
	b := &bubble{dial: s.dial, key: func(context.Context) (*auth.ServiceAccountKey, error) {
		if started {
			fail()
		}
		return nil, errors.New("not yet")
	}}
	if err := b.start(t.Context(), s.Environment(append(loud, "VOXIMPLANT_API_URL=https://"+s.api.addr()+"/platform_api")...)); err != nil {
		t.Fatal(err)
	}
	before := s.process
	s.process, started = b, true
	new(talk).with(t, s)
	b.function.Lookup = func(context.Context, string) (lookup.Answer, error) {
		fail()
		return lookup.Answer{}, nil
	}
	new(talk).with(t, s)
	s.Leaks.Check(t, "the output after a panic", b.Output())
	s.process = before
}

// misled has the real binary talk where what net/http or the standard log say of the world is a secret too.
func misled(t *testing.T) {
	const password = "a-password-of-some-proxy"
	quoting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hijack(w, func(out io.Writer) {
			fmt.Fprintf(out, "HTTP/1.1 407 %s\r\n\r\n", r.Header.Get("Proxy-Authorization"))
		})
	}))
	t.Cleanup(quoting.Close)
	elsewhere := []string{"VOXIMPLANT_API_URL=https://api.voximplant.invalid"}
	for name, settings := range map[string][]string{
		"a proxy with a password":         append(elsewhere, "HTTPS_PROXY=http://user:"+password+"@127.0.0.1:1"),
		"a proxy that is none":            append(elsewhere, "HTTPS_PROXY=://user:"+password+"@127.0.0.1:1"),
		"a proxy that quotes":             append(elsewhere, "HTTPS_PROXY="+strings.Replace(quoting.URL, "//", "//user:"+password+"@", 1)),
		"no trust":                        {"SSL_CERT_FILE=/dev/null"},
		"a length that counts characters": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t)
			s.Leaks.Add("a password", password)
			s.serve(func(w http.ResponseWriter, r *http.Request) { // more than the length says stays in the connection
				body := fillIn(`{"result":{"key":"KEY","value":"`+gossip+`","expires_at":1}}`, r)
				w.Header().Set("Content-Length", fmt.Sprint(len(body)-600))
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					panic(err)
				}
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body)-600, body)
			})
			if err := s.tryStart(t, bootstrap, append(loud, settings...)...); err != nil {
				s.Leaks.Check(t, "the error of Init", err.Error())
				return
			}
			new(talk).with(t, s)
		})
	}
}
