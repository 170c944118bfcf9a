package secretsmanagertest

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

const scheme = "AWS4-HMAC-SHA256 "

// checkAuthorization holds the headers to the form of Signature Version 4 and to the
// scope of this service.
func checkAuthorization(h http.Header) *serviceError {
	authorization := h.Get("Authorization")
	if !strings.HasPrefix(authorization, scheme) {
		return newError("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	parameters := authorizationParameters(authorization)
	date := h.Get("X-Amz-Date")
	if missing := missingParts(parameters, date); len(missing) > 0 {
		return newError("IncompleteSignatureException", "%s", strings.Join(missing, " "))
	}
	if _, err := time.Parse("20060102T150405Z", date); err != nil {
		return newError("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'. Got '%s'. "+
			"See http://en.wikipedia.org/wiki/ISO_8601", date)
	}
	if serviceErr := checkScope(parameters["Credential"], date); serviceErr != nil {
		return serviceErr
	}
	return checkSignature(parameters["SignedHeaders"], parameters["Signature"])
}

func authorizationParameters(authorization string) map[string]string {
	parameters := make(map[string]string)
	for parameter := range strings.SplitSeq(strings.TrimPrefix(authorization, scheme), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		parameters[name] = value
	}
	return parameters
}

func missingParts(parameters map[string]string, date string) []string {
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parameters[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if date == "" {
		missing = append(missing,
			"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	return missing
}

// checkScope expects keyid/date/region/service/terminator.
func checkScope(credential, date string) *serviceError {
	scope := strings.Split(credential, "/")
	if len(scope) != 5 {
		return newError("IncompleteSignatureException", "Credential must have exactly 5 slash-delimited elements, "+
			"e.g. keyid/date/region/service/term, got '%s'", credential)
	}
	keyID, day, service, terminator := scope[0], scope[1], scope[3], scope[4]
	switch {
	case keyID == "":
		return newError("UnrecognizedClientException", "The security token included in the request is invalid.")
	case service != "secretsmanager":
		return newError("InvalidSignatureException", "Credential should be scoped to correct service: 'secretsmanager'.")
	case terminator != "aws4_request":
		return newError("InvalidSignatureException",
			"Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.", terminator)
	case !strings.HasPrefix(date, day+"T"):
		return newError("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD "+
			"from ISO-8601 version of date from HTTP: '%s' != '%.8s', from '%s'.", day, date, date)
	}
	return nil
}

func checkSignature(signedHeaders, signature string) *serviceError {
	if !slices.Contains(strings.Split(signedHeaders, ";"), "host") {
		return newError("InvalidSignatureException",
			"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if sum, err := hex.DecodeString(signature); err != nil || len(sum) != 32 {
		return newError("InvalidSignatureException", "The request signature we calculated does not match the "+
			"signature you provided. Check your AWS Secret Access Key and signing method. "+
			"Consult the service documentation for details.")
	}
	return nil
}
