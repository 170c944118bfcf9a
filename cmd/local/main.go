// Command local serves the function on this machine, against an embedded
// Voximplant storage with a few demo items, or with -credentials against the
// real Management API.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"voxkv/auth"
	"voxkv/internal/function"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], function.Environment(), os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "local:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	addr          string
	credentials   string
	applicationID string
	allowedKeys   string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // whose error main prints
	flags.StringVar(&o.addr, "addr", "localhost:8080", "`host:port` to listen on")
	flags.StringVar(&o.credentials, "credentials", "", "service-account `file`: use the real Management API")
	flags.StringVar(&o.applicationID, "application-id", "", "`id` of the application (with -credentials)")
	flags.StringVar(&o.allowedKeys, "allowed-keys", "", "comma-separated `keys` and prefix* patterns to serve")
	const accepted = "accepted: -addr, -credentials, -application-id and -allowed-keys, see -help"
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stderr)
		flags.Usage()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w; %s", err, accepted)
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; %s", flags.Arg(0), accepted)
	case o.applicationID != "" && o.credentials == "":
		return o, errors.New("-application-id needs -credentials: the embedded storage has an application of its own")
	}
	return o, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, environ map[string]string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, o.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	root := "http://" + listener.Addr().String()
	var h http.Handler
	if o.credentials != "" {
		h, err = realAPI(ctx, o, environ, stderr)
	} else {
		h, err = embedded(ctx, o, environ, stderr)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "voxkv is at %s\n", root)
	if o.credentials == "" {
		printExamples(stdout, root)
	}
	return serve(ctx, listener, h)
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		err = failed.Err // without the address again
	}
	if err != nil {
		return nil, fmt.Errorf("-addr %q: %w; accepted: a host:port that is free, such as localhost:8080", addr, err)
	}
	return listener, nil
}

// serve serves h until ctx ends, then lets requests finish for a moment.
func serve(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		server.Shutdown(ctx)
	})
	err := server.Serve(listener)
	if !stop() {
		<-finished // Serve returns when Shutdown begins
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// realAPI is the function with a key from a file.
func realAPI(ctx context.Context, o options, environ map[string]string, stderr io.Writer) (http.Handler, error) {
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
	return build(ctx, environ, key, stderr)
}

// build makes the function just as cmd/lambda does, but for where the key comes from.
func build(ctx context.Context, environ map[string]string, key func(context.Context) (*auth.ServiceAccountKey, error), stderr io.Writer) (http.Handler, error) {
	settings, err := function.ReadSettings(environ)
	if err != nil {
		return nil, err
	}
	f, err := function.New(settings, key, "local", function.NewLog(stderr, settings))
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
