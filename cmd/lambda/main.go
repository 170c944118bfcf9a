// Command lambda is the bootstrap of the Lambda function.
package main

import (
	"context"
	"errors"
	stdlog "log"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"voxkv/auth"
	"voxkv/handler"
	"voxkv/internal/function"
	"voxkv/internal/gateway"
)

// version is set by the linker.
var version = "dev"

// margin is what is left of an invocation's time for its answer to get out.
const margin = 500 * time.Millisecond

func main() {
	environ := function.Environment()
	settings, err := function.ReadSettings(environ)
	log := function.NewLog(os.Stdout, settings)
	// What libraries log becomes lines of the same form.
	stdlog.SetFlags(0)
	stdlog.SetOutput(libraryLog{function.DiscreetLog(slog.NewLogLogger(log.Handler(), slog.LevelError).Writer())})
	f, err := build(settings, err, environ, log)
	if err != nil {
		for problem := range strings.Lines(err.Error()) {
			log.Error("cannot start: " + strings.TrimSpace(problem))
		}
		os.Exit(1)
	}
	function.LogStart(log, version, settings)
	f.Warm(context.Background())
	g := &gateway.Gateway{HTTP: f, Headers: handler.RequestHeaders(), Direct: f.Direct, Margin: margin, Log: log}
	invocations := &failures{Handler: g, log: log}
	invocations.listen()
	lambda.Start(invocations)
}

// build returns the function, or every reason why there is none.
func build(s function.Settings, wrong error, environ map[string]string, log *slog.Logger) (*function.Function, error) {
	client, err := function.SecretsManager(environ)
	if err := errors.Join(wrong, err); err != nil {
		return nil, err
	}
	secret := &auth.Secret{ID: s.SecretID, GetSecretValue: client.GetSecretValue}
	return function.New(s, secret.Key, version, log)
}
