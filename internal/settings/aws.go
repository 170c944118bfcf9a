package settings

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// AWS has those variables of AWS's SDKs that matter in Lambda.
type AWS struct {
	Region         string
	SecretsManager string // the endpoint; empty for that of the region
	FIPS           bool
	DualStack      bool
}

// ReadAWS reads AWS's own variables from environ, name to value. The error lists
// every problem, as that of Read does.
func ReadAWS(environ map[string]string) (AWS, error) {
	a := AWS{
		Region:         cmp.Or(environ["AWS_REGION"], environ["AWS_DEFAULT_REGION"]),
		SecretsManager: cmp.Or(environ["AWS_ENDPOINT_URL_SECRETS_MANAGER"], environ["AWS_ENDPOINT_URL"]),
	}
	var endpoint, region, fips, dualStack error
	if a.SecretsManager != "" && !mayHoldSecrets(a.SecretsManager) {
		endpoint = fmt.Errorf("AWS_ENDPOINT_URL_SECRETS_MANAGER or AWS_ENDPOINT_URL %s; "+
			"accepted: an https URL, or http to this machine or an address of a private network", describe(a.SecretsManager))
	}
	if strings.ContainsFunc(a.Region, notInRegion) || a.Region == "" {
		region = fmt.Errorf("AWS_REGION %s; accepted: the region of the secret, such as eu-central-1", describe(a.Region))
	}
	a.FIPS, fips = isOn(environ, "AWS_USE_FIPS_ENDPOINT")
	a.DualStack, dualStack = isOn(environ, "AWS_USE_DUALSTACK_ENDPOINT")
	return a, errors.Join(endpoint, region, fips, dualStack)
}

// notInRegion reports whether r cannot be part of the name of a region.
func notInRegion(r rune) bool {
	return r != '-' && (r < '0' || '9' < r) && (r < 'a' || 'z' < r)
}

// isOn returns the value of a variable that is true or false. As in AWS's SDKs, any
// other value is an error: somebody who misspells true must not go without FIPS.
func isOn(environ map[string]string, variable string) (bool, error) {
	switch value := environ[variable]; strings.ToLower(value) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	default:
		return false, fmt.Errorf("%s %s; accepted: true or false", variable, describe(value))
	}
}
