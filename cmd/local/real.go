package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"

	"voxkv/auth"
	"voxkv/internal/function"
	"voxkv/internal/settings"
)

// realAPI is the function with a key from a file.
func realAPI(ctx context.Context, o options, environ map[string]string, stderr io.Writer) (*playground, error) {
	environ = overlay(environ, map[string]string{
		"VOXIMPLANT_SECRET_ID":      "file", // required, and not used
		"VOXIMPLANT_APPLICATION_ID": o.applicationID,
		"ALLOWED_KEYS":              o.allowedKeys,
	})
	if o.applicationID != "" {
		delete(environ, "VOXIMPLANT_APPLICATION_NAME")
	}
	key := auth.KeyFile(o.credentials)
	if _, err := key(ctx); err != nil {
		return nil, fmt.Errorf("-credentials: %w; accepted: the JSON file that Voximplant issues for a service account", err)
	}
	switch {
	case environ["VOXIMPLANT_APPLICATION_ID"] == "" && environ["VOXIMPLANT_APPLICATION_NAME"] == "":
		return nil, errors.New("-credentials needs -application-id, the number of the application whose items are read")
	case environ["ALLOWED_KEYS"] == "":
		return nil, errors.New("-credentials needs -allowed-keys, the keys and prefix* patterns to serve")
	}
	f, err := build(ctx, o, environ, key, stderr)
	if err != nil {
		return nil, err
	}
	p := newPlayground(f, nil, f.Origins)
	p.lambda = &lambdaAPI{o.functionName, f.Gateway()}
	return p, nil
}

// build makes the function just as cmd/lambda does, but for where the key comes from and how the log looks.
func build(ctx context.Context, o options, environ map[string]string, key func(context.Context) (*auth.ServiceAccountKey, error), stderr io.Writer) (*function.Function, error) {
	s, err := settings.Read(environ)
	if err != nil {
		return nil, err
	}
	colour := isTerminal(stderr) && environ["NO_COLOR"] == ""
	f, err := function.New(s, key, "local", newLog(stderr, s, o.json, colour))
	if err != nil {
		return nil, err
	}
	f.Warm(ctx)
	return f, nil
}

// overlay is a copy of environ with what is set in over.
func overlay(environ, over map[string]string) map[string]string {
	environ = maps.Clone(environ)
	for name, value := range over {
		if value != "" {
			environ[name] = value
		}
	}
	return environ
}
