package settings_test

import (
	"testing"

	"voxkv/internal/settings"
	"voxkv/internal/settingstest"
)

// aws returns the least that is required of AWS's variables, with changes.
func aws(changes ...string) map[string]string {
	return settingstest.With(map[string]string{"AWS_REGION": "eu-central-1"}, changes...)
}

func TestReadAWSRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ map[string]string
		want    string
	}{
		{"no region", aws("AWS_REGION", ""), "AWS_REGION is not set; accepted: the region of the secret, such as eu-central-1"},
		{"a region that is none", aws("AWS_REGION", "Frankfurt"), `AWS_REGION is "Frankfurt"; accepted: the region of the secret, such as eu-central-1`},
		{"a key for a region", aws("AWS_REGION", "-----BEGIN PRIVATE KEY-----"), "AWS_REGION holds something that is not shown here; accepted: the region of the secret, such as eu-central-1"},
		{"an endpoint elsewhere in plain text", aws("AWS_ENDPOINT_URL", "http://elsewhere.test"), `AWS_ENDPOINT_URL_SECRETS_MANAGER or AWS_ENDPOINT_URL is "http://elsewhere.test"; accepted: an https URL, or http to this machine or an address of a private network`},
		{"a password for an endpoint", aws("AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://a:b@host"), "AWS_ENDPOINT_URL_SECRETS_MANAGER or AWS_ENDPOINT_URL holds something that is not shown here; accepted: an https URL, or http to this machine or an address of a private network"},
		{"a key for a switch", aws("AWS_USE_FIPS_ENDPOINT", `{"private_key":""}`), "AWS_USE_FIPS_ENDPOINT holds something that is not shown here; accepted: true or false"},
		{"misspelt FIPS", aws("AWS_USE_FIPS_ENDPOINT", "yes"), `AWS_USE_FIPS_ENDPOINT is "yes"; accepted: true or false`},
		{"misspelt dual stack", aws("AWS_USE_DUALSTACK_ENDPOINT", "1"), `AWS_USE_DUALSTACK_ENDPOINT is "1"; accepted: true or false`},
	}
	for _, tt := range tests {
		if _, err := settings.ReadAWS(tt.environ); err == nil || err.Error() != tt.want {
			t.Errorf("%s: ReadAWS(%v) = _, %v; want %s", tt.name, tt.environ, err, tt.want)
		}
	}
}
