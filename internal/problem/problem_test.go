package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"voxkv/internal/problem"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// TestOfKeepsTheCause, for the log. What the caller gets has no word of it.
func TestOfKeepsTheCause(t *testing.T) {
	t.Parallel()
	cause := fmt.Errorf("about +15550100: %w", &voximplant.Error{Kind: voximplant.KindThrottled, Code: 340})
	p := problem.Of(cause)
	failed, ok := errors.AsType[*voximplant.Error](error(p))
	if !ok || failed.Code != 340 || p.Error() != cause.Error() {
		t.Errorf("Of = %v; want the cause in it", p)
	}
	document, err := json.Marshal(p)
	const want = `{"type":"about:blank","title":"Service Unavailable","status":503,"code":"upstream_busy","detail":"The storage is busy.","request_id":"","retry_after":1}`
	if err != nil || string(document) != want {
		t.Errorf("document = %s, %v; want %s", document, err, want)
	}
}

// TestOfIsIdempotent: an error is classified once, however often it is asked for.
func TestOfIsIdempotent(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.New("a bug"), voximplant.ErrNotFound, problem.BadRequest(problem.InvalidRequest, "Because.")} {
		p := problem.Of(err)
		if got := problem.Of(fmt.Errorf("wrapped: %w", p)); got != p {
			t.Errorf("Of(Of(%v)) = %+v; want the same Problem", err, got)
		}
	}
	results := problem.OfResults([]lookup.Result{{Key: "there"}, {Key: "absent", Err: voximplant.ErrNotFound}})
	if results[0].Err != nil || problem.Of(results[1].Err).Code != problem.NotFound || !results[1].Absent() {
		t.Errorf("OfResults = %+v; want one Problem, of an absent key", results)
	}
}

func TestErrorType(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		status int
		code   problem.Code
		want   string
	}{
		{400, problem.TooManyKeys, "InvalidRequest"}, {404, problem.NotFound, "InvalidRequest"},
		{500, problem.InternalError, "InternalError"}, {503, problem.UpstreamBusy, "UpstreamBusy"},
	} {
		if got := problem.New(row.status, row.code, "").ErrorType(); got != row.want {
			t.Errorf("errorType of %s = %s; want %s", row.code, got, row.want)
		}
	}
}

func TestCheckCount(t *testing.T) {
	t.Parallel()
	if err := problem.CheckCount(7, 7); err != nil {
		t.Errorf("7 of 7 keys: %v; want no error", err)
	}
	if err := problem.CheckCount(8, 7); problem.Of(err).Code != problem.TooManyKeys || !strings.Contains(err.Error(), "7") {
		t.Errorf("8 of 7 keys: %v; want too_many_keys that says the limit", err)
	}
}
