package leaks_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/auth"
	"voxkv/internal/e2etest"
	"voxkv/internal/function"
	"voxkv/internal/gateway"
	"voxkv/internal/secretsmanagertest"
	"voxkv/internal/settings"
	"voxkv/lookup"
)

// An echo answers a call of the API, whose token it knows, in a way that shows
// the token to whoever repeats the answer.
type echo func(w http.ResponseWriter, r *http.Request, token string)

// echoes break everything a call can meet.
var echoes = map[string]echo{
	"a refusal that quotes the token": func(w http.ResponseWriter, _ *http.Request, token string) {
		fmt.Fprintf(w, `{"error":{"code":100,"msg":"bad token %s of account %d"}}`, token, e2etest.AccountID)
	},
	"throttled": func(w http.ResponseWriter, _ *http.Request, token string) {
		w.Header().Set("Retry-After", token)
		fmt.Fprintf(w, `{"error":{"code":340,"msg":"account %d, %s"}}`, e2etest.AccountID, value)
	},
	"a wrong application": func(w http.ResponseWriter, _ *http.Request, token string) {
		fmt.Fprintf(w, `{"error":{"code":116,"msg":"%s"}}`, token)
	},
	"a code that is none": func(w http.ResponseWriter, _ *http.Request, token string) {
		fmt.Fprintf(w, `{"error":{"code":"%s","msg":"%d"}}`, token, e2etest.AccountID)
	},
	"500 with the request": func(w http.ResponseWriter, r *http.Request, _ string) {
		w.WriteHeader(500)
		fmt.Fprintf(w, "<html>%v %v</html>", r.Header, r.Form)
	},
	"200 with the request": func(w http.ResponseWriter, r *http.Request, _ string) {
		fmt.Fprintf(w, "%v %v %s", r.Header, r.Form, value)
	},
	"another key": func(w http.ResponseWriter, _ *http.Request, _ string) {
		fmt.Fprintf(w, `{"result":{"key":"order:other","value":%q,"expires_at":%d}}`, value, time.Now().Unix()+60)
	},
	"wrong types": func(w http.ResponseWriter, _ *http.Request, token string) {
		fmt.Fprintf(w, `{"result":{"key":7,"value":{"%s":%q}}}`, token, value)
	},
	"a redirect": func(w http.ResponseWriter, r *http.Request, token string) {
		http.Redirect(w, r, "https://127.0.0.1:1/?access_token="+token+"&value="+value, http.StatusTemporaryRedirect)
	},
	"a redirect that is none": func(w http.ResponseWriter, _ *http.Request, token string) {
		w.Header().Set("Location", "://%zz"+token)
		w.WriteHeader(http.StatusMovedPermanently)
	},
	"a reset":         func(w http.ResponseWriter, _ *http.Request, _ string) { raw(w, "") },
	"no HTTP":         func(w http.ResponseWriter, _ *http.Request, token string) { raw(w, "Bearer "+token+"\r\n\r\n") },
	"a wrong version": func(w http.ResponseWriter, _ *http.Request, token string) { raw(w, "HTTP/"+token+" 200 OK\r\n\r\n") },
	"a wrong status":  func(w http.ResponseWriter, _ *http.Request, token string) { raw(w, "HTTP/1.1 "+token+" OK\r\n\r\n") },
	"a wrong header": func(w http.ResponseWriter, _ *http.Request, token string) {
		raw(w, "HTTP/1.1 200 OK\r\nBearer "+token+"\r\n\r\n")
	},
	"a wrong name": func(w http.ResponseWriter, _ *http.Request, token string) {
		raw(w, "HTTP/1.1 200 OK\r\nBearer "+token+": 1\r\n\r\n")
	},
	"a wrong length": func(w http.ResponseWriter, _ *http.Request, token string) {
		raw(w, "HTTP/1.1 200 OK\r\nContent-Length: "+token+"\r\n\r\n")
	},
	"a wrong encoding": func(w http.ResponseWriter, _ *http.Request, token string) {
		raw(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "+token+"\r\n\r\n")
	},
	"a wrong trailer": func(w http.ResponseWriter, _ *http.Request, token string) {
		raw(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n"+token+"\r\n")
	},
	"a length that counts characters": func(w http.ResponseWriter, r *http.Request, token string) {
		body := `{"result":{"key":"` + r.Form.Get("key") + `","value":"` + value + token + `","expires_at":1}}`
		keep(w, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body)-600, body))
	},
	"silence": func(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() },
}

// raw answers with bytes that are no HTTP and ends the connection.
func raw(w http.ResponseWriter, answer string) {
	conn := keep(w, answer)
	if encrypted, ok := conn.(*tls.Conn); ok && answer == "" {
		encrypted.NetConn().(*net.TCPConn).SetLinger(0)
	}
	conn.Close()
}

// keep answers with bytes and leaves the connection to the client.
func keep(w http.ResponseWriter, answer string) net.Conn {
	conn, buffer, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err) // HTTP/1.1 can always be taken over
	}
	buffer.WriteString(answer)
	buffer.Flush()
	return conn
}

// patience is for the faults of which the function has to hear, however slow
// the machine is. What they lead to is what the test must have seen.
var patience = map[string][]string{
	"a refusal that quotes the token": {"UPSTREAM_TIMEOUT=1m"},
	"throttled":                       {"UPSTREAM_TIMEOUT=1m"},
	"a wrong application":             {"UPSTREAM_TIMEOUT=1m"},
	"500 with the request":            {"UPSTREAM_TIMEOUT=1m"},
	"another key":                     {"UPSTREAM_TIMEOUT=1m"},
}

// faults makes the API and the way to it fail.
func (l *listener) faults(t *testing.T) {
	for name, echo := range echoes {
		l.scene(t, name, func(w *e2etest.World) {
			w.Voximplant.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				token := l.overhear(r)
				if token != "" { // else it is the first connection
					echo(w, r, token)
				}
				return token != ""
			})
		}, patience[name]...)
	}
	l.scene(t, "all well", nil, "UPSTREAM_TIMEOUT=1m")
	l.scene(t, "private", nil, "UPSTREAM_TIMEOUT=1m", "LOCAL_MAX_AGE=10s", "CORS_ORIGINS=https://example.com", "CACHE_SCOPE=private")
	l.scene(t, "refused connections", nil, "VOXIMPLANT_API_URL=https://127.0.0.1:1/platform_api")
	l.scene(t, "no trust", nil, "SSL_CERT_FILE=/dev/null")
	password := strings.TrimPrefix(secretKey, "AWS ")
	l.scene(t, "a proxy with a password", nil, "VOXIMPLANT_API_URL=https://api.voximplant.invalid", "HTTPS_PROXY=http://user:"+password+"@127.0.0.1:1")
	l.scene(t, "a proxy that is none", nil, "VOXIMPLANT_API_URL=https://api.voximplant.invalid", "HTTPS_PROXY=://user:"+password+"@127.0.0.1:1")
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw(w, "HTTP/1.1 407 "+r.Header.Get("Proxy-Authorization")+"\r\n\r\n")
	}))
	t.Cleanup(refusing.Close)
	l.scene(t, "a proxy that quotes", nil, "VOXIMPLANT_API_URL=https://api.voximplant.invalid",
		"HTTPS_PROXY="+strings.Replace(refusing.URL, "//", "//user:"+password+"@", 1))
	l.scene(t, "no TLS", nil, "VOXIMPLANT_API_URL="+strings.Replace(refusing.URL, "http:", "https:", 1))
}

// scene makes a function of its own talk in a world that arrange has changed.
func (l *listener) scene(t *testing.T, name string, arrange func(*e2etest.World), settings ...string) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.Voximplant.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			l.overhear(r)
			return false
		})
		if arrange != nil {
			arrange(w)
		}
		s := l.start(t, w, settings...)
		defer s.stop()
		s.talk()
	})
}

// secrets has Secrets Manager hold and answer nonsense.
func (l *listener) secrets(t *testing.T) {
	document := string(accounts[0].Credentials())
	block := strings.TrimSuffix(document[strings.Index(document, "-----BEGIN"):], `"}`)
	for name, secret := range map[string]string{
		"the key alone":              strings.ReplaceAll(block, `\n`, "\n"),
		"the key in JSON":            `"` + block + `"`,
		"half a document":            document[:len(document)-300],
		"a key that is cut":          strings.Replace(document, block, block[:800], 1),
		"the key in every member":    strings.NewReplacer(`"account_id":7734015923`, `"account_id":"`+block+`"`).Replace(document),
		"an account of a wrong type": strings.Replace(document, `7734015923`, `[7734015923]`, 1),
		"an account that is none":    strings.Replace(document, `7734015923`, `"7734015923x"`, 1),
		"a key id of a wrong type":   strings.Replace(document, `"`+accounts[0].KeyID+`"`, `{"x":"`+block+`"}`, 1),
		"the key as key id":          strings.Replace(document, accounts[0].KeyID, block, 1),
		"base64":                     base64.StdEncoding.EncodeToString([]byte(document)),
		"nothing":                    "",
	} {
		l.scene(t, "the secret holds "+name, func(w *e2etest.World) { w.Secrets.Put(e2etest.SecretID, secret) })
	}
	for name, answer := range map[string]func(http.ResponseWriter){
		"an error that tells it": func(w http.ResponseWriter) {
			secretsmanagertest.WriteError(w, 400, "AccessDeniedException", "not authorized")
		},
		"throttling": func(w http.ResponseWriter) {
			secretsmanagertest.WriteError(w, 400, "ThrottlingException", "Rate exceeded")
		},
		"half of it":         func(w http.ResponseWriter) { fmt.Fprintf(w, `{"Name":"x","SecretString":%q`, document) },
		"another type":       func(w http.ResponseWriter) { fmt.Fprintf(w, `{"Name":"x","SecretString":%s}`, document) },
		"bare":               func(w http.ResponseWriter) { fmt.Fprint(w, document) },
		"it with status 500": func(w http.ResponseWriter) { w.WriteHeader(500); fmt.Fprint(w, document) },
		"no HTTP": func(w http.ResponseWriter) {
			raw(w, "HTTP/1.1 200 OK\r\n"+strings.ReplaceAll(block, `\n`, "")+"\r\n\r\n")
		},
	} {
		l.scene(t, "Secrets Manager answers "+name, func(w *e2etest.World) {
			w.Secrets.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				answer(w)
				return true
			})
		})
	}
}

// rotation has keys refused, replaced and refused for good.
func (l *listener) rotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Voximplant.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		l.overhear(r)
		return false
	})
	s := l.start(t, w)
	defer s.stop()
	s.talk()
	w.Voximplant.AddKey(accounts[1].KeyID, &accounts[1].PrivateKey.PublicKey)
	w.Secrets.Put(e2etest.SecretID, string(accounts[1].Credentials()))
	w.Voximplant.RemoveKey(accounts[0].KeyID)
	s.talk()
	w.Voximplant.RemoveKey(accounts[1].KeyID)
	s.talk()
	w.Secrets.Delete(e2etest.SecretID)
	time.Sleep(6 * time.Second) // until a refused key is tried again
	s.talk()
}

// panics has what the function calls panic with all it knows. The real binary
// has no such bug to show, so this is the same build in this process.
func (l *listener) panics(t *testing.T) {
	token := ""
	for token = range l.tokens {
		break
	}
	key, err := auth.ParseServiceAccountKey(accounts[0].Credentials())
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), "POST", "https://example.com/?token="+token, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	for name, v := range map[string]any{
		"text": "Bearer " + token, "an error": errors.New(value + token), "a key": key.PrivateKey, "the key": *key, "the key's address": key,
		"a request": request, "the document": accounts[0].Credentials(), "a stringer": accounts[1], "a map": map[string]string{token: value},
	} {
		l.panicking(t, "a panic with "+name, func(context.Context) (*auth.ServiceAccountKey, error) { panic(v) })
	}
	l.panicking(t, "a panic of the runtime", func(context.Context) (*auth.ServiceAccountKey, error) {
		return map[string][]*auth.ServiceAccountKey{}[token][len(token)], nil
	})
}

// panicking serves requests with a source of keys that fails, and with a
// lookup that does the same further out.
func (l *listener) panicking(t *testing.T, name string, source func(context.Context) (*auth.ServiceAccountKey, error)) {
	var output strings.Builder
	s, err := settings.Read(map[string]string{
		"VOXIMPLANT_SECRET_ID": "x", "VOXIMPLANT_APPLICATION_ID": "1", "ALLOWED_KEYS": "*", "VOXIMPLANT_API_URL": "http://127.0.0.1:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(&output, nil))
	f, err := function.New(s, source, "leaks", log)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway.Gateway{HTTP: f, Headers: []string{"Origin"}, Direct: f.Direct}
	l.ask(t, name, g)
	f.Lookup = func(ctx context.Context, _ string) (lookup.Answer, error) {
		_, err := source(ctx)
		return lookup.Answer{}, err
	}
	l.ask(t, name+" in the lookup", g)
	l.hear(name+": the output", output.String(), false)
}

func (l *listener) ask(t *testing.T, name string, g *gateway.Gateway) {
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request"})
	for _, payload := range []string{
		`{"version":"2.0","rawPath":"/v1/items/order:1","headers":{},"requestContext":{"http":{"method":"GET"}}}`,
		`{"version":"2.0","rawPath":"/v1/items","rawQueryString":"key=a&key=b","headers":{},"requestContext":{"http":{"method":"GET"}}}`,
		`{"key":"order:1"}`, `{"keys":["order:1"]}`,
	} {
		answer, err := g.Invoke(ctx, []byte(payload))
		l.hear(name+": the answer to "+payload, fmt.Sprintf("%s %v %+v %#v", answer, err, err, err), false)
	}
}
