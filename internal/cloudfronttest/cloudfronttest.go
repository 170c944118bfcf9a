// Package cloudfronttest stands in for the distribution of template.yaml where it has a link key: it answers signed URLs and
// signed cookies alone, and verifies them as AWS documents it, with none of AWS's code.
package cloudfronttest

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha1" // what a signature is over, unless it says otherwise
	_ "crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Distribution is before Origin. The zero value trusts nobody.
type Distribution struct {
	Keys   map[string]crypto.PublicKey // by Key-Pair-Id
	Origin http.Handler
}

// ServeHTTP implements http.Handler.
func (d *Distribution) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amz-Cf-Id", "stand-in")
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, r.Method) {
		refuse(w, "AccessDenied")
		return
	}
	// Which behavior a request is for, CloudFront tells by its path without dot segments; the origin gets it as it came.
	if path.Clean(r.URL.Path) != "/v1/health" {
		if err := d.verify(r); err != nil {
			refuse(w, err.Error())
			return
		}
	}
	d.Origin.ServeHTTP(w, forwarded(r))
}

// refuse answers as CloudFront itself does: without a header that a page on another origin needs to read it.
func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code></Error>`, code)
}

// forwarded is what the policies of the template let through: no cookie, and of the query only keys, at /v1/items.
func forwarded(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Del("Cookie")
	var keys []string
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if strings.HasPrefix(parameter, "key=") && r.URL.Path == "/v1/items" {
			keys = append(keys, parameter)
		}
	}
	r.URL.RawQuery = strings.Join(keys, "&")
	r.RequestURI = r.URL.RequestURI()
	return r
}

// signed are the parameters of a signature; in cookies their names begin with CloudFront-.
var signed = []string{"Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"}

// verify returns an error with the code of CloudFront's answer.
func (d *Distribution) verify(r *http.Request) error {
	resource, given := split(r)
	if given["Key-Pair-Id"] == "" {
		return errors.New("MissingKey")
	}
	statement := given["Policy"]
	var err error
	if statement == "" {
		// Exactly these bytes are signed. The link does not hold them.
		statement = `{"Statement":[{"Resource":"` + resource + `","Condition":{"DateLessThan":{"AWS:EpochTime":` + given["Expires"] + `}}}]}`
	} else if statement, err = decode(statement); err != nil {
		return errors.New("MalformedPolicy")
	}
	if !verifies(d.Keys[given["Key-Pair-Id"]], given["Hash-Algorithm"], statement, given["Signature"]) || !allows(statement, resource) {
		return errors.New("AccessDenied")
	}
	return nil
}

// split returns the URL without the parameters of a signature, and these: of the query, or else of cookies.
func split(r *http.Request) (resource string, given map[string]string) {
	given = map[string]string{}
	var others []string
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if slices.Contains(signed, name) {
			given[name] = value
		} else if parameter != "" {
			others = append(others, parameter)
		}
	}
	for _, name := range signed {
		if cookie, err := r.Cookie("CloudFront-" + name); err == nil {
			given[name] = cmp.Or(given[name], cookie.Value)
		}
	}
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	resource = "http://" + r.Host + raw
	if len(others) > 0 {
		resource += "?" + strings.Join(others, "&")
	}
	return resource, given
}

// decode undoes base64 with the three characters that a URL cannot hold replaced.
func decode(text string) (string, error) {
	decoded, err := base64.StdEncoding.Strict().DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(text))
	return string(decoded), err
}

func verifies(key crypto.PublicKey, algorithm, statement, signature string) bool {
	hash := crypto.SHA1
	if algorithm == "SHA256" {
		hash = crypto.SHA256
	}
	sum := hash.New()
	sum.Write([]byte(statement))
	raw, err := decode(signature)
	if err != nil {
		return false
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, sum.Sum(nil), []byte(raw)) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum.Sum(nil), []byte(raw))
	}
	return false
}

// allows reports whether a signed statement is for the resource, and has not ended.
func allows(statement, resource string) bool {
	var policy struct {
		Statement []struct {
			Resource  string
			Condition struct {
				DateLessThan struct {
					End json.Number `json:"AWS:EpochTime"`
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(statement), &policy); err != nil || len(policy.Statement) != 1 {
		return false
	}
	only := policy.Statement[0]
	end, err := strconv.ParseInt(only.Condition.DateLessThan.End.String(), 10, 64)
	pattern := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(only.Resource))
	matches := regexp.MustCompile("^"+pattern+"$").MatchString(resource) || only.Resource == resource
	return err == nil && matches && time.Now().Unix() < end
}
