package requestlog_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"voxkv/internal/requestlog"
	"voxkv/internal/requestlogtest"
	"voxkv/voximplant"
)

// TestTrace follows a trace from the request to the log and to the API.
func TestTrace(t *testing.T) {
	t.Parallel()
	const (
		parent   = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		xray     = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
		fromXRay = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
	)
	for _, row := range []struct{ name, header, xray, want string }{
		{"the caller's", parent, "", parent},
		{"Lambda's", "", xray, fromXRay},
		{"the caller's before Lambda's", parent, xray, parent},
		{"Lambda's without a parent", "", "Root=1-5759e988-bd862e3fe1be46a994272793", ""},
		{"none", "", "", ""},
		{"too short", parent[:54], "", ""},
		{"one character more", parent + "0", "", ""},
		{"a field more", parent + "-00", "", ""},
		{"upper case", strings.ToUpper(parent), "", ""},
		{"no hex", strings.Replace(parent, "4bf9", "4bg9", 1), "", ""},
		{"no hex in the flags", parent[:53] + "0x", "", ""},
		{"no trace", "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "", ""},
		{"no parent", "00-4bf92f3577b34da6a3ce929d0e0e4736-" + strings.Repeat("0", 16) + "-01", "", ""},
		{"no trace of the caller's, Lambda's", "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", xray, fromXRay},
		{"a dash for a digit", "00-4bf92f3577b34da6a3ce929d0e0e473--00f067aa0ba902b7-01", "", ""},
		{"dashes in place of the flags", parent[:53] + "--", "", ""},
		{"a forbidden version", "ff" + parent[2:], "", ""},
		{"a version that is none", "0-" + parent[2:], "", ""},
		{"a later version", "01" + parent[2:], "", parent},
		{"a later version, not sampled", "01" + parent[2:53] + "12", "", parent[:54] + "0"},
		{"a later version with more flags", "fe" + parent[2:53] + "fb", "", parent},
		{"a later version with more fields", "cc" + parent[2:] + "-what-the-future-will-be-like", "", parent},
		{"a later version with longer flags", "cc" + parent[2:] + ".more", "", ""},
		{"a later version without a trace", "cc-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "", ""},
		{"two", parent + "\n" + parent, "", ""},
		{"Lambda's with a misplaced dash", "", strings.Replace(xray, "5759e988-bd", "5759e988b-d", 1), ""},
		{"Lambda's of another version", "", strings.Replace(xray, "Root=1", "Root=2", 1), ""},
		{"Lambda's without a version", "", strings.Replace(xray, "Root=1-", "Root=", 1), ""},
		{"Lambda's of zeros", "", "Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8;Sampled=1", ""},
		{"Lambda's with a parent of zeros", "", strings.Replace(xray, "53995c3f42cd8ad8", strings.Repeat("0", 16), 1), ""},
		{"Lambda's, undecided", "", strings.Replace(xray, "Sampled=1", "Sampled=?", 1), ""},
		{"forged line", parent[:40] + "\revil: yes   ", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			log, lines := requestlogtest.New()
			ctx := context.WithValue(t.Context(), "x-amzn-trace-id", row.xray) //nolint:staticcheck // aws-lambda-go's own key
			start := log.Begin(ctx, strings.Split(row.header, "\n"))
			ctx = start.WithTrace(ctx)
			if got := traceOfCall(t, ctx); got != row.want {
				t.Errorf("the API got traceparent %q; want %q", got, row.want)
			}
			log.Write(ctx, start, requestlog.Line{})
			if got, _ := lines.Last(t)["traceparent"].(string); got != row.want {
				t.Errorf("the log has traceparent %q; want %q", got, row.want)
			}
		})
	}
}

// traceOfCall calls the API under ctx and returns the traceparent that arrives there.
func traceOfCall(t *testing.T, ctx context.Context) (traceparent string) {
	t.Helper()
	s := newSite(t)
	s.api.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		traceparent = r.Header.Get("Traceparent")
		return false
	})
	if _, err := s.direct.Items.Client.GetKeyValueItem(ctx, "k"); !errors.Is(err, voximplant.ErrNotFound) {
		t.Fatalf("GetKeyValueItem = _, %v; want ErrNotFound", err)
	}
	return traceparent
}
