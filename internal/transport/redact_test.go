package transport_test

import (
	"bytes"
	"log"
	"testing"

	"voxkv/internal/transport"
)

// TestRedactingLog: the standard library's log goes on, without what it quotes.
// test/faults shows that the errors of the transport are redacted too.
func TestRedactingLog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	logger := log.New(transport.RedactingLog(&b), "", 0)
	logger.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", "a value\n", nil)
	logger.Printf("http: panic serving %v: %v\n%s", "127.0.0.1:1", "a value\nof two lines", "goroutine 7 [running]:\nmain.main()")
	logger.Print("expected AWS Lambda environment variables")
	if want := "Unsolicited response received on idle HTTP channel\n" +
		"http: panic serving a request\ngoroutine 7 [running]:\nmain.main()\nexpected AWS Lambda environment variables\n"; b.String() != want {
		t.Errorf("logged %q; want %q", b.String(), want)
	}
}
