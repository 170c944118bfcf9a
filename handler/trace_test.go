package handler_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/internal/voximplanttest"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// TestTrace follows a trace from the request to the log and to the API.
func TestTrace(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, row := range []struct{ name, header, xray, want string }{
		{"the caller's", parent, "", parent},
		{"Lambda's", "", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"},
		{"the caller's before Lambda's", parent, "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0", parent},
		{"Lambda's without a parent", "", "Root=1-5759e988-bd862e3fe1be46a994272793", ""},
		{"none", "", "", ""},
		{"too short", parent[1:], "", ""},
		{"upper case", strings.ToUpper(parent), "", ""},
		{"another version", "01" + parent[2:], "", ""},
		{"misplaced dashes", "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01", "", ""},
		{"forged line", parent[:40] + "\r\nevil: yes   ", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan string, 1)
			s := newSite(tracedLookup(t, sent))
			r := httptest.NewRequest(http.MethodGet, "/v1/items/k", nil)
			r.Header.Set("Traceparent", row.header)
			r = r.WithContext(context.WithValue(t.Context(), "x-amzn-trace-id", row.xray)) //nolint:staticcheck // aws-lambda-go's own key
			if got := s.serve(r); got.status != 200 {
				t.Fatalf("status %d", got.status)
			}
			if got := <-sent; got != row.want {
				t.Errorf("the API got traceparent %q; want %q", got, row.want)
			}
			if got, _ := s.lastLog(t)["traceparent"].(string); got != row.want {
				t.Errorf("the log has traceparent %q; want %q", got, row.want)
			}
		})
	}
}

// tracedLookup asks a real API and tells the traceparent that arrives there.
func tracedLookup(t *testing.T, sent chan<- string) func(context.Context, string) (lookup.Answer, error) {
	t.Helper()
	account, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		t.Fatal(err)
	}
	storage := &voximplanttest.Server{AccountID: 1, ApplicationID: 1}
	storage.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	storage.Put("k", "v", time.Now().Add(time.Hour))
	storage.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		sent <- r.Header.Get("Traceparent")
		return false
	})
	server := httptest.NewServer(storage)
	t.Cleanup(server.Close)
	client := &voximplant.Client{ApplicationID: 1, BaseURL: server.URL + "/platform_api", Tokens: &auth.TokenSource{
		Key: func(context.Context) (*auth.ServiceAccountKey, error) {
			return auth.ParseServiceAccountKey(account.Credentials())
		},
	}}
	return func(ctx context.Context, key string) (lookup.Answer, error) {
		item, err := client.GetKeyValueItem(ctx, key)
		return lookup.Answer{Item: item, At: at, Left: time.Hour}, err
	}
}
