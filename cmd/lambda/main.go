// Command lambda is the bootstrap of the Lambda function.
package main

import (
	"context"
	"errors"
	stdlog "log"
	"log/slog"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"voxkv/auth"
	"voxkv/internal/function"
	"voxkv/internal/settings"
	"voxkv/internal/transport"
)

// version is set by the linker.
var version = "dev"

func main() {
	environ := settings.Environment()
	s, err := settings.Read(environ)
	log := function.NewLog(os.Stdout, s)
	// What libraries write to the standard log becomes JSON lines too.
	stdlog.SetFlags(0)
	stdlog.SetOutput(libraryLog{transport.RedactingLog(slog.NewLogLogger(log.Handler(), slog.LevelError).Writer())})
	f, err := build(s, err, environ, log)
	if err != nil {
		for problem := range strings.Lines(err.Error()) {
			log.Error("cannot start: " + strings.TrimSpace(problem))
		}
		os.Exit(1)
	}
	settings.LogStart(log, version, s)
	f.Warm(context.Background())
	invocations := &failures{Handler: f.Gateway(), log: log}
	invocations.watchDefaultTransport()
	lambda.Start(invocations)
}

// build returns the function. Its error joins settingsErr with the other reasons why the function cannot start.
func build(s settings.Settings, settingsErr error, environ map[string]string, log *slog.Logger) (*function.Function, error) {
	client, err := function.SecretsManager(environ)
	if err := errors.Join(settingsErr, err); err != nil {
		return nil, err
	}
	secret := &auth.Secret{ID: s.SecretID, GetSecretValue: client.GetSecretValue}
	return function.New(s, secret.Key, version, log)
}
