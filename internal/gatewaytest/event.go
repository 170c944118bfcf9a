package gatewaytest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// An object is a JSON object of an event.
type object map[string]any

// event returns the payload that the function gets.
func (g *Gateway) event(r *http.Request, path, inStage, query string, body []byte) []byte {
	e := g.eventV2(r, path, query)
	if g.Kind == REST {
		e = g.eventV1(r, path, inStage, query)
	}
	if g.Authorize != nil {
		if verified := g.Authorize(r); verified != nil {
			e["requestContext"].(object)["authorizer"] = verified
		}
	}
	e["isBase64Encoded"] = !utf8.Valid(body)
	switch {
	case !utf8.Valid(body):
		e["body"] = base64.StdEncoding.EncodeToString(body)
	case len(body) > 0:
		e["body"] = string(body)
	case g.Kind == REST:
		e["body"] = nil
	}
	payload, err := json.Marshal(e)
	if err != nil {
		panic(err) // cannot happen: e holds only strings, numbers, booleans and maps of them, but for what Authorize returned
	}
	return payload
}

// eventV1 is a REST API's event. The path keeps its escapes; the query comes decoded only.
func (g *Gateway) eventV1(r *http.Request, path, inStage, query string) object {
	header := received(r)
	if len(r.Header.Values("Content-Length")) == 0 && r.ContentLength > 0 {
		header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	// A REST API separates parameters at ";" as well as at "&".
	values, _ := url.ParseQuery(strings.ReplaceAll(query, ";", "&"))
	now := time.Now().UTC()
	return object{
		"resource":                        "/{proxy+}",
		"path":                            inStage,
		"httpMethod":                      r.Method,
		"headers":                         last(header),
		"multiValueHeaders":               header,
		"queryStringParameters":           orNull(last(values)),
		"multiValueQueryStringParameters": orNull(values),
		"pathParameters":                  object{"proxy": strings.Trim(inStage, "/")},
		"stageVariables":                  nil,
		"requestContext": object{
			"accountId": "123456789012", "apiId": "f6g7h8i9j0", "resourceId": "al6gqb", "resourcePath": "/{proxy+}",
			"domainName": r.Host, "domainPrefix": firstLabel(r.Host), "stage": orElse(g.Stage, "prod"),
			"httpMethod": r.Method, "path": path, "protocol": r.Proto,
			"requestId": rand.Text(), "extendedRequestId": rand.Text(),
			"requestTime": now.Format("02/Jan/2006:15:04:05 -0700"), "requestTimeEpoch": now.UnixMilli(),
			"identity": object{"sourceIp": address(r), "userAgent": r.UserAgent(), "accountId": nil, "user": nil},
		},
	}
}

// eventV2 is the event of an HTTP API or a Function URL, which differ in who decodes the path.
func (g *Gateway) eventV2(r *http.Request, path, query string) object {
	rawPath := path
	if g.Kind == HTTPAPI {
		// AWS drops what follows a decoded "?".
		rawPath, _, _ = strings.Cut(decoded(path), "?")
	}
	header := received(r)
	header.Set("Content-Length", strconv.FormatInt(max(r.ContentLength, 0), 10))
	cookies := header.Values("Cookie")
	header.Del("Cookie")
	now := time.Now().UTC()
	e := object{
		"version": "2.0", "routeKey": "$default", "rawPath": rawPath, "rawQueryString": query,
		"headers": joined(header),
		"requestContext": object{
			"accountId": "123456789012", "apiId": firstLabel(r.Host), "domainName": r.Host, "domainPrefix": firstLabel(r.Host),
			"routeKey": "$default", "stage": orElse(g.Stage, "$default"), "requestId": rand.Text(),
			"time": now.Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": now.UnixMilli(),
			"http": object{
				"method": r.Method, "path": decoded(rawPath), "protocol": r.Proto,
				"sourceIp": address(r), "userAgent": r.UserAgent(),
			},
		},
	}
	if len(cookies) > 0 {
		e["cookies"] = strings.Split(strings.Join(cookies, "; "), "; ")
	}
	if values, _ := url.ParseQuery(query); len(values) > 0 {
		e["queryStringParameters"] = joined(values)
	}
	return e
}

// received returns the header of r with the fields that the gateway adds.
func received(r *http.Request) http.Header {
	header := r.Header.Clone()
	header.Del("Connection")
	header.Set("Host", r.Host)
	header.Add("X-Forwarded-For", address(r))
	header.Set("X-Forwarded-Port", "443")
	header.Set("X-Forwarded-Proto", "https")
	header.Set("X-Amzn-Trace-Id", "Root=1-6b041670-1bae89e2512ec92d5d9438a0")
	return header
}

func address(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

func firstLabel(host string) string {
	label, _, _ := strings.Cut(host, ".")
	return label
}

// last maps each name to the last of its values.
func last(values map[string][]string) map[string]string {
	single := make(map[string]string, len(values))
	for name, all := range values {
		single[name] = all[len(all)-1]
	}
	return single
}

// joined maps each name, headers' in lower case, to its values with commas between them.
func joined[M ~map[string][]string](values M) map[string]string {
	single := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		key := name
		if _, header := any(values).(http.Header); header {
			key = strings.ToLower(name)
		}
		single[key] = strings.Join(values[name], ",")
	}
	return single
}

// orNull returns m, or nil if m is empty, since JSON tells {} from null.
func orNull[M ~map[string]V, V any](m M) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
