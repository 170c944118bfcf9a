// Package live asks the real Management API what its documentation leaves open, and prints
// the answers. It needs a service account and an application to try things in:
//
//	VOXIMPLANT_CREDENTIALS=credentials.json VOXIMPLANT_APPLICATION_ID=1 go test -v -run TestLive ./test/live/
//
// That only reads. With VOXKV_LIVE_WRITES=1 it also writes and deletes items whose keys
// begin with "voxkv-probe". VOXIMPLANT_APPLICATION_NAME adds the questions about names.
package live

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"voxkv/auth"
)

// A probe calls the API as one service account and prints what comes back.
type probe struct {
	t               *testing.T
	root            string // such as https://api.voximplant.com/platform_api
	key             *auth.ServiceAccountKey
	applicationID   string
	applicationName string
	writes          bool
}

// An answer is what the API said to one call.
type answer struct {
	status int
	proto  string
	header http.Header
	body   string
	took   time.Duration
}

func (a answer) String() string { return fmt.Sprintf("HTTP %d %s", a.status, a.body) }

// code is the API's error code as it is written, "" if there is none.
func (a answer) code() string {
	var body struct {
		Error struct {
			Code jsontext.Value `json:"code"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(a.body, "\ufeff")), &body); err != nil {
		return err.Error()
	}
	return string(body.Error.Code)
}

// say prints one finding.
func (p *probe) say(format string, args ...any) {
	p.t.Helper()
	text := fmt.Sprintf(format, args...)
	// The account is nobody's business.
	p.t.Log(strings.ReplaceAll(text, strconv.FormatInt(p.key.AccountID, 10), "(account)"))
}

// ask calls method with a good token and prints the answer.
func (p *probe) ask(what, method string, parameters ...string) answer {
	p.t.Helper()
	a := p.call(p.token(nil, nil), method, p.with(parameters...))
	p.say("%s: %s", what, a)
	return a
}

// with is the application and more parameters, name after value.
func (p *probe) with(parameters ...string) url.Values {
	form := url.Values{"application_id": {p.applicationID}}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	return form
}

// call is what the function does, but for what is being tried out.
func (p *probe) call(bearer, method string, form url.Values) answer {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.root+"/"+method, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	began := time.Now()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{body: err.Error()} // no answer is one, too
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return answer{status: response.StatusCode, body: err.Error()}
	}
	return answer{response.StatusCode, response.Proto, response.Header, strings.TrimSpace(string(body)), time.Since(began)}
}

// token signs a token whose claims and header differ from a good one as given; nil takes
// a member away.
func (p *probe) token(claims, header map[string]any) string {
	p.t.Helper()
	now := time.Now().Unix()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": p.key.AccountID, "iat": now - 10, "exp": now + 900})
	token.Header["kid"] = p.key.KeyID
	change(token.Claims.(jwt.MapClaims), claims)
	change(token.Header, header)
	signed, err := token.SignedString(p.key.PrivateKey)
	if err != nil {
		p.t.Fatal(err)
	}
	return signed
}

func change(members, changes map[string]any) {
	for name, value := range changes {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
}

// headers prints those that tell how the API may be called.
func (p *probe) headers(a answer) {
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		if name != "Set-Cookie" {
			p.say("    %s: %s", name, strings.Join(a.header[name], ", "))
		}
	}
}
