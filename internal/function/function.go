// Package function puts voxkv together: from its settings and a source of the
// service-account key to a handler. cmd/lambda and cmd/local both run what it
// builds, so what runs on a laptop is what runs on AWS.
package function

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"voxkv/auth"
	"voxkv/direct"
	"voxkv/handler"
	"voxkv/internal/panics"
	"voxkv/internal/requestlog"
	"voxkv/internal/settings"
	"voxkv/internal/transport"
	"voxkv/lookup"
	"voxkv/voximplant"
)

// warmTimeout bounds Warm. Lambda's Init phase has 10 s.
const warmTimeout = 3 * time.Second

// A Function is voxkv, ready to serve.
type Function struct {
	*handler.Handler
	direct *direct.Handler
	client *voximplant.Client
	log    *slog.Logger
}

// New builds a Function. key reads the service-account key, and version is part of
// the User-Agent.
func New(s settings.Settings, key func(context.Context) (*auth.ServiceAccountKey, error), version string, log *slog.Logger) (*Function, error) {
	tokens := &auth.TokenSource{Key: key, Log: log}
	client := &voximplant.Client{
		Tokens:          tokens,
		ApplicationID:   s.ApplicationID,
		ApplicationName: s.ApplicationName,
		BaseURL:         string(s.APIURL),
		Transport:       transport.New(),
		UserAgent:       "voxkv/" + version,
		NotFoundCodes:   s.NotFoundCodes,
	}
	items, err := lookup.New(lookup.Config{
		Scope:            s.AllowedKeys,
		Fetch:            client.GetKeyValueItem,
		LocalMaxAge:      *s.LocalMaxAge,
		NotFoundMaxAge:   s.NotFoundMaxAge,
		StaleMaxAge:      *cmp.Or(s.StaleMaxAge, &s.CacheMaxAge),
		StaleFollowsRule: s.StaleMaxAge == nil,
		MaxItems:         s.LocalMaxItems,
		Timeout:          s.UpstreamTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("function: %w", err)
	}
	requests := &requestlog.Log{Logger: log, HashKey: requestlog.KeyHash(s.LogKeys), Metrics: s.Metrics, TokenCounts: tokens.Counts}
	return &Function{client: client, log: log, Handler: newHandler(s, items, requests), direct: newDirect(s, items, client, requests)}, nil
}

func newHandler(s settings.Settings, items *lookup.Lookup, requests *requestlog.Log) *handler.Handler {
	return &handler.Handler{
		Lookup:         items.Item,
		BasePath:       string(s.BasePath),
		MaxAge:         s.CacheMaxAge,
		NotFoundMaxAge: s.NotFoundMaxAge,
		Private:        s.CacheScope == "private",
		Tokens:         s.AllowedKeys.NeedClaims() > 0,
		MaxKeys:        s.MaxKeys,
		RawValues:      s.RawValues,
		Origins:        s.CORSOrigins,
		PageHeaders:    s.CORSHeaders,
		Log:            requests,
	}
}

func newDirect(s settings.Settings, items *lookup.Lookup, client *voximplant.Client, requests *requestlog.Log) *direct.Handler {
	return &direct.Handler{
		Lookup: items.Item,
		MaxAge: s.CacheMaxAge,
		Log:    requests,
		Items: &direct.Items{
			Client:   client,
			Scope:    s.AllowedKeys,
			Forget:   items.Forget,
			Writable: s.AllowWrites,
			Timeout:  s.UpstreamTimeout,
		},
	}
}

// Direct answers a direct invocation.
func (f *Function) Direct(ctx context.Context, payload []byte) ([]byte, error) {
	return f.direct.Invoke(ctx, payload)
}

// Warm makes a token and opens a connection at the same time, so that the first
// request finds both. A failure is only logged, because the request tries again.
func (f *Function) Warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() {
		if err := f.makeToken(ctx); err != nil {
			f.log.WarnContext(ctx, "no token yet", "error", err.Error())
		}
	})
	both.Go(func() {
		if err := f.connect(ctx); err != nil {
			f.log.WarnContext(ctx, "no connection yet", "error", err.Error())
		}
	})
	both.Wait()
}

// makeToken and connect run on goroutines where nothing else recovers: the Go
// runtime would print the value of a panic, which may be a secret.
func (f *Function) makeToken(ctx context.Context) (err error) {
	defer panics.Recover(&err)
	_, err = f.client.Tokens.Token(ctx)
	return err
}

func (f *Function) connect(ctx context.Context) (err error) {
	defer panics.Recover(&err)
	return transport.Preconnect(ctx, f.client.Transport, f.client.BaseURL)
}

// NewLog returns a logger of JSON lines with the member names of Lambda's own.
func NewLog(w io.Writer, s settings.Settings) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level:       slog.Level(s.LogLevel),
		ReplaceAttr: lambdacontext.ReplaceAttr,
	}))
}
