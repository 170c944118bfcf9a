package main

import (
	"context"
	"fmt"
	"io"

	"voxkv/auth"
	"voxkv/internal/function"
	"voxkv/internal/settings"
)

// prepareReal sets the variables for the account of -credentials, and tries to read its key.
func prepareReal(ctx context.Context, v *variables, o options) error {
	v.drop("the key is that of -credentials", "VOXIMPLANT_SECRET_ID")
	if o.applicationID != "" {
		v.drop("-application-id counts", "VOXIMPLANT_APPLICATION_NAME")
	}
	v.flag("VOXIMPLANT_APPLICATION_ID", o.applicationID, "-application-id")
	v.flag("ALLOWED_KEYS", o.allowedKeys, "-allowed-keys")
	v.set("VOXIMPLANT_SECRET_ID", "file", "-credentials") // required, and not used
	v.needs = map[string]string{
		"VOXIMPLANT_APPLICATION_ID": "-credentials needs -application-id, the number of the application whose items are read",
		"ALLOWED_KEYS":              "-credentials needs -allowed-keys, the keys and prefix* patterns to serve",
	}
	if _, err := auth.KeyFile(o.credentials)(ctx); err != nil {
		return fmt.Errorf("-credentials: %w; accepted: the JSON file that Voximplant issues for a service account", err)
	}
	return nil
}

// realAPI is the function with a key from a file.
func realAPI(ctx context.Context, o options, v *variables, stderr io.Writer) (*playground, error) {
	f, s, err := build(ctx, o, v, auth.KeyFile(o.credentials), stderr)
	if err != nil {
		return nil, err
	}
	p := newPlayground(f, s, nil, o)
	p.lambda = &lambdaAPI{o.functionName, f.Gateway()}
	p.examples(v.values["ALLOWED_KEYS"])
	return p, nil
}

// build makes the function just as cmd/lambda does, but for where the key comes from and how the log looks.
func build(ctx context.Context, o options, v *variables, key func(context.Context) (*auth.ServiceAccountKey, error), stderr io.Writer) (*function.Function, settings.Settings, error) {
	s, err := v.read()
	if err != nil {
		return nil, s, err
	}
	colour := isTerminal(stderr) && v.values["NO_COLOR"] == ""
	f, err := function.New(s, key, "local", newLog(stderr, s, o.json, colour))
	if err != nil {
		return nil, s, err
	}
	f.Warm(ctx)
	return f, s, nil
}
