package gatewaytest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An answer is the HTTP response that the function's output asks for.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// parse reads the function's output. Its error means that AWS would answer 502, "malformed Lambda proxy response".
func (g *Gateway) parse(output []byte) (*answer, error) {
	if g.Kind == REST {
		return parseV1(output)
	}
	return parseV2(output)
}

// parseV1 reads the output as a REST API does: no member is required, and unknown members are an error. It decodes a map,
// because names are case-sensitive and encoding/json matches those of a struct in any case.
func parseV1(output []byte) (*answer, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(output, &members); err != nil || members == nil {
		return nil, errors.New("no JSON object")
	}
	a := &answer{status: http.StatusOK, header: http.Header{}}
	for name, value := range members {
		var err error
		switch name {
		case "statusCode":
			a.status, err = status(value)
		case "headers":
			err = a.setHeaders(value, true)
		case "body":
			err = a.setBody(value)
		case "multiValueHeaders":
			continue // read last, because they replace those of "headers"
		case "isBase64Encoded":
			// A REST API without binary media types ignores the value.
			err = json.Unmarshal(value, new(*bool))
		default:
			err = errors.New("unknown member " + name)
		}
		if err != nil {
			return nil, err
		}
	}
	return a, a.setLists(members["multiValueHeaders"])
}

// parseV2 reads the output as an HTTP API or a Function URL does: without a statusCode, the whole output is the body of a
// 200.
func parseV2(output []byte) (*answer, error) {
	if !json.Valid(output) {
		return nil, errors.New("no JSON")
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(output, &members) // output that is not an object has no statusCode
	a := &answer{status: http.StatusOK, header: http.Header{}}
	if members["statusCode"] == nil {
		a.header.Set("Content-Type", "application/json")
		a.body = output
		return a, nil
	}
	var encoded bool
	var cookies []string
	var err error
	a.status, err = status(members["statusCode"])
	err = errors.Join(err, a.setHeaders(members["headers"], false), a.setBody(members["body"]),
		unmarshal(members["isBase64Encoded"], &encoded), unmarshal(members["cookies"], &cookies))
	if encoded && err == nil {
		a.body, err = base64.StdEncoding.DecodeString(string(a.body))
	}
	for _, cookie := range cookies {
		a.header.Add("Set-Cookie", cookie)
	}
	return a, err
}

// status reads a statusCode, which is a number or a string that holds one.
func status(value json.RawMessage) (int, error) {
	code, err := strconv.Atoi(strings.Trim(string(value), `"`))
	if err != nil || code < 200 || code > 599 {
		return 0, fmt.Errorf("statusCode is %s", value)
	}
	return code, nil
}

func (a *answer) setHeaders(value json.RawMessage, booleans bool) error {
	var headers map[string]any
	if err := unmarshal(value, &headers); err != nil {
		return err
	}
	for name, value := range headers {
		switch v := value.(type) {
		case string:
			a.header.Set(name, v)
		case bool:
			if !booleans {
				return errors.New("header " + name + " is no string")
			}
			a.header.Set(name, strconv.FormatBool(v))
		default:
			return errors.New("header " + name + " is no string")
		}
	}
	return nil
}

func (a *answer) setLists(value json.RawMessage) error {
	var lists map[string][]string
	if err := unmarshal(value, &lists); err != nil {
		return err
	}
	for name, values := range lists {
		a.header.Del(name)
		for _, v := range values {
			a.header.Add(name, v)
		}
	}
	return nil
}

func (a *answer) setBody(value json.RawMessage) error {
	var body string
	err := unmarshal(value, &body)
	a.body = []byte(body)
	return err
}

// unmarshal is json.Unmarshal for a member that may be absent.
func unmarshal(value json.RawMessage, into any) error {
	if value == nil {
		return nil
	}
	return json.Unmarshal(value, into)
}

const (
	dropped  = ""
	remapped = "X-Amzn-Remapped-"
)

// restHeaders says what a REST API does to the headers that it does not pass on unchanged: it drops or renames them
// ("Amazon API Gateway important notes"). The entry of Content-Length is from live traces.
var restHeaders = map[string]string{
	"Authorization": remapped, "Connection": remapped, "Content-Length": remapped, "Content-Md5": remapped,
	"Date": remapped, "Max-Forwards": remapped, "Server": remapped, "User-Agent": remapped, "Www-Authenticate": remapped,
	"Expect": dropped, "Host": dropped, "Proxy-Authenticate": dropped, "Te": dropped, "Trailer": dropped,
	"Transfer-Encoding": dropped, "Upgrade": dropped, "Via": dropped,
}

// reserved says the same for each Kind. Of an HTTP API it is only known that it sends its own values.
var reserved = map[Kind]map[string]string{
	REST:        restHeaders,
	FunctionURL: restHeaders,
	HTTPAPI: {
		"Connection": dropped, "Content-Length": dropped, "Date": dropped, "Server": dropped,
		"Transfer-Encoding": dropped, "Via": dropped,
	},
}

// missingType is the Content-Type that the gateway sets if the function sets none, whatever the status.
var missingType = map[Kind]string{REST: "application/json", HTTPAPI: "text/plain;charset=UTF-8", FunctionURL: "application/json"}

// requestID is the header in which the gateway sends its id of the request.
var requestID = map[Kind]string{REST: "X-Amzn-Requestid", HTTPAPI: "Apigw-Requestid", FunctionURL: "X-Amzn-Requestid"}

// send sends a as the client gets it.
func (g *Gateway) send(w http.ResponseWriter, r *http.Request, a *answer) {
	header := w.Header()
	for name, values := range a.header {
		prefix, ours := reserved[g.Kind][name]
		switch {
		case !ours:
			header[name] = values
		case prefix != dropped:
			header[prefix+name] = values
		}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", missingType[g.Kind])
	}
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	header.Set(requestID[g.Kind], rand.Text())
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		w.WriteHeader(a.status)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		w.Write(a.body)
	}
}

// refuse sends the gateway's own answer: the function was not invoked, or its output is not valid. Only a REST API's status
// codes for these cases are on record.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, status int) {
	message := "Forbidden"
	switch {
	case status >= 500:
		message = "Internal server error"
	case g.Kind == HTTPAPI && status == http.StatusForbidden:
		status, message = http.StatusNotFound, "Not Found"
	}
	g.send(w, r, &answer{status: status, body: []byte(`{"message":"` + message + `"}`),
		header: http.Header{"Content-Type": {"application/json"}}})
}
