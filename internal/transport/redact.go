package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
)

// maxAnswer bounds the body of an answer in bytes. Each client has a narrower
// bound of its own where it needs one; a secret has 64 kB at most.
const maxAnswer = 4 << 20

// Redacting is a transport whose errors repeat nothing that the other side sent.
// Those of net/http quote an answer that is not HTTP, and whoever gave it may have
// put anything there, such as the token of the request. A redirect is an answer
// like any other; its Location is removed, so that nothing can follow it.
type Redacting struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t Redacting) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.Transport.RoundTrip(r)
	if err != nil {
		return nil, redact(err)
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		go res.Body.Close() // over TLS this may take 5 s, because it sends an alert first
		return nil, errSwitched
	}
	res.Header.Del("Location")
	res.Body = redactingBody{http.MaxBytesReader(nil, res.Body, maxAnswer)}
	return res, nil
}

// errSwitched is returned for the status 101 (RFC 9110 section 15.2.2). No request
// asks for another protocol, and the body that net/http returns with this status is
// the bare connection, whose reads do not end with the context of the request.
var errSwitched = errors.New("HTTP status 101, which nobody asked for")

type redactingBody struct{ io.ReadCloser }

func (b redactingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, redact(err)
}

// A redactedError is the error that it wraps, with another text.
type redactedError struct{ err error }

func (*redactedError) Error() string { return "no whole HTTP answer" }

func (e *redactedError) Unwrap() error { return e.err }

// redact hides the text of err unless err is one of those that repeat nothing of an
// answer and say what is wrong with the network.
func redact(err error) error {
	for _, known := range []error{nil, io.EOF, io.ErrUnexpectedEOF, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return err
		}
	}
	_, network := errors.AsType[*net.OpError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	if network || certificate || slices.Contains(harmless, err.Error()) {
		return err
	}
	return &redactedError{err}
}

// harmless are texts of net/http that repeat nothing of an answer. Their errors have
// no type by which they could be recognised.
var harmless = []string{
	"http: server closed idle connection",
	"http: server gave HTTP response to HTTPS client",
	"net/http: TLS handshake timeout",
}

// RedactingLog returns a destination for the standard library's log, which passes
// lines on to w without what others sent. net/http logs what it reads on an idle
// connection, and that may be a value, the rest of an answer whose length was wrong.
// It also logs the value of a panic, which may be anything.
func RedactingLog(w io.Writer) io.Writer { return redactingLog{w} }

type redactingLog struct{ w io.Writer }

func (l redactingLog) Write(p []byte) (int, error) {
	line := bytes.Clone(p)
	if text, _, quoted := bytes.Cut(line, []byte(" starting with ")); quoted {
		line = append(text, '\n')
	}
	const panicked = "http: panic serving "
	if text, rest, ok := bytes.Cut(line, []byte(panicked)); ok {
		_, stack, _ := bytes.Cut(rest, []byte("\ngoroutine "))
		line = fmt.Appendf(nil, "%s%sa request\ngoroutine %s", text, panicked, stack)
	}
	if _, err := l.w.Write(line); err != nil {
		return 0, err
	}
	return len(p), nil
}
