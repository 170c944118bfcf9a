package voximplant_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"voxkv/voximplant"
)

const (
	key    = "test:1234"
	bearer = "token-not-to-be-shown"
	item   = `{"result":{"key":"test:1234","value":"v","expires_at":1795430000}}`
	found  = `"v" until 1795430000` // the outcome of item
)

// tokens is a TokenSource. refused is "" where Token is called.
type tokens func(refused string) (string, error)

func (f tokens) Token(context.Context) (string, error) { return f("") }

func (f tokens) Replace(_ context.Context, refused string) (string, error) { return f(refused) }

func oneToken(string) (string, error) { return bearer, nil }

// upTo is a source whose tokens are token-1, token-2 and so on, a new one for each refused, up to last; 0 means no limit.
func upTo(last int) tokens {
	n := 1
	return func(refused string) (string, error) {
		switch {
		case refused != fmt.Sprint("token-", n):
		case n == last:
			return "", named{"credentials", errors.New("refused moments ago")}
		default:
			n++
		}
		return fmt.Sprint("token-", n), nil
	}
}

// A network stands where sockets would be, so that it can live in a synctest
// bubble. It answers requests in turn, the last answer over and over, and
// notes the requests and when they came.
type network struct {
	answers  []answer
	requests []*http.Request
	times    []time.Time
}

type answer func(*http.Request) (*http.Response, error)

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := n.answers[min(len(n.requests), len(n.answers)-1)]
	n.requests = append(n.requests, r)
	n.times = append(n.times, time.Now())
	return answer(r)
}

func (n *network) client(tokens tokens) *voximplant.Client {
	return &voximplant.Client{Tokens: tokens, ApplicationID: 42, Transport: n}
}

// says answers with a status, a body and headers, name before value.
func says(status int, body string, headers ...string) answer {
	return func(*http.Request) (*http.Response, error) {
		header := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			header.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// code answers as the API does for an error.
func code(code int) answer {
	return says(200, fmt.Sprintf(`{"error":{"code":%d,"msg":"test:1234"}}`, code))
}

func fails(err error) answer {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangs gives no answer.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// stalls gives the start of an answer.
func stalls(r *http.Request) (*http.Response, error) {
	body, rest := io.Pipe()
	context.AfterFunc(r.Context(), func() { rest.CloseWithError(r.Context().Err()) })
	go io.WriteString(rest, item[:20])
	return &http.Response{StatusCode: 200, Body: body}, nil
}

// inBubble gives test a bubble, in which nothing takes real time, and a context of 5 s.
func inBubble(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		test(t, ctx)
	})
}

// in is call in the application id or name.
func in(id int64, name string, call call) call {
	return func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		c.ApplicationID, c.ApplicationName = id, name
		return call(t, ctx, c)
	}
}

// ask is the outcome of GetKeyValueItem.
func ask(t *testing.T, ctx context.Context, c *voximplant.Client) string {
	t.Helper()
	got, err := c.GetKeyValueItem(ctx, key)
	return outcome(t, got, err)
}

// outcome puts an item of key or an error into words: `"value" until 1795430000`, or what failure says.
func outcome(t *testing.T, got *voximplant.KeyValueItem, err error) string {
	t.Helper()
	switch {
	case (got == nil) == (err == nil):
		t.Errorf("item = %v, error = %v; want either of them", got, err)
		return "wrong"
	case err != nil:
		return failure(t, err)
	case got.Key != key:
		t.Errorf("an item with key %q; want %q", got.Key, key)
		return "wrong"
	}
	return inWords(*got)
}

func inWords(item voximplant.KeyValueItem) string {
	if item.ExpiresAt.IsZero() {
		return fmt.Sprintf("%q until unknown", item.Value)
	}
	return fmt.Sprintf("%q until %d", item.Value, item.ExpiresAt.Unix())
}

// failure puts an error into words: "not found", the text of a LimitError, or
// the kind, code and status of an Error and whether a repeat is worth it.
func failure(t *testing.T, err error) string {
	t.Helper()
	if errors.Is(err, voximplant.ErrNotFound) {
		return "not found"
	}
	if limit, ok := errors.AsType[*voximplant.LimitError](err); ok {
		return limit.Error()
	}
	failed, ok := errors.AsType[*voximplant.Error](err)
	if !ok {
		t.Errorf("error = %v (%T); want ErrNotFound, a *LimitError or an *Error", err, err)
		return "wrong"
	}
	checkText(t, err)
	return strings.TrimSpace(fmt.Sprintf("%s %d %d %s", failed.Kind, failed.Code, failed.Status, map[bool]string{true: "repeat"}[failed.Repeat]))
}

var textStart = regexp.MustCompile(`^voximplant: (connect|(Get|Set|Del)KeyValue(Item|Items|Keys)): `)

// checkText looks in the text of err for what must not be logged.
func checkText(t *testing.T, err error) {
	t.Helper()
	if !textStart.MatchString(err.Error()) {
		t.Errorf("error = %v; want the package and the method first", err)
	}
	for _, secret := range []string{key, "test%3A1234", bearer, "token-", "Bearer", "://", "platform_api"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("error = %v; must not hold %q", err, secret)
		}
	}
}

// lasts is a lifetime of ttl.
func lasts(ttl time.Duration) voximplant.Lifetime { return voximplant.Lifetime{TTL: &ttl} }

// until is a lifetime that ends at a Unix second.
func until(unix int64) voximplant.Lifetime {
	return voximplant.Lifetime{ExpiresAt: time.Unix(unix, 0)}
}

// A call calls a method of a client and returns the outcome in words, as outcome
// and listed give them. ask is one.
type call func(t *testing.T, ctx context.Context, c *voximplant.Client) string

func set(key, value string, life voximplant.Lifetime) call {
	return func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		got, err := c.SetKeyValueItem(ctx, key, value, life)
		return outcome(t, got, err)
	}
}

func del(key string) call {
	return func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		if err := c.DelKeyValueItem(ctx, key); err != nil {
			return failure(t, err)
		}
		return "deleted"
	}
}

func items(prefix string, page voximplant.Page) call {
	return func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		return listed(t)(c.GetKeyValueItems(ctx, prefix, page))
	}
}

func keys(prefix string, page voximplant.Page) call {
	return func(t *testing.T, ctx context.Context, c *voximplant.Client) string {
		return listed(t)(c.GetKeyValueKeys(ctx, prefix, page))
	}
}

// listed puts a list into words: `a "v" until 1795430000, b "" until unknown`,
// and ", next 10" if another page follows.
func listed(t *testing.T) func([]voximplant.KeyValueItem, int, error) string {
	return func(got []voximplant.KeyValueItem, next int, err error) string {
		t.Helper()
		switch {
		case err != nil && (got != nil || next != 0):
			t.Errorf("list = %v, %d, %v; want a list or an error", got, next, err)
		case err != nil:
			return failure(t, err)
		case got == nil:
			t.Error("list = nil; want an empty one")
		}
		var words []string
		for _, item := range got {
			words = append(words, item.Key+" "+inWords(item))
		}
		if next != 0 {
			words = append(words, fmt.Sprint("next ", next))
		}
		return strings.Join(words, ", ")
	}
}

// answered is the outcome of a call whose tries are all given the same answer.
func answered(t *testing.T, call call, a answer) (outcome string) {
	t.Helper()
	inBubble(t, func(t *testing.T, ctx context.Context) {
		outcome = call(t, ctx, (&network{answers: []answer{a}}).client(oneToken))
	})
	return outcome
}

// checkBodies compares the outcome of call for each body of an answer of status
// 200. Bodies are listed by the outcome they have.
func checkBodies(t *testing.T, call call, bodies map[string][]string) {
	t.Helper()
	for want, all := range bodies {
		for _, body := range all {
			if got := answered(t, call, says(200, body)); got != want {
				t.Errorf("%.100s: %.200s; want %.200s", body, got, want)
			}
		}
	}
}
