package function_test

import (
	"bytes"
	"log"
	"testing"

	"voxkv/internal/function"
)

// TestDiscreetLog: the standard library's log goes on, without what it quotes.
// That the transport is as discreet is a matter of test/leaks.
func TestDiscreetLog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	logger := log.New(function.DiscreetLog(&b), "", 0)
	logger.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", "a value\n", nil)
	logger.Print("expected AWS Lambda environment variables")
	if want := "Unsolicited response received on idle HTTP channel\nexpected AWS Lambda environment variables\n"; b.String() != want {
		t.Errorf("logged %q; want %q", b.String(), want)
	}
}
