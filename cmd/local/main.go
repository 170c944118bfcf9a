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
	flags.SetOutput(stderr)
	flags.StringVar(&o.addr, "addr", "localhost:8080", "`host:port` to listen on")
	flags.StringVar(&o.credentials, "credentials", "", "service-account `file`: use the real Management API")
	flags.StringVar(&o.applicationID, "application-id", "", "`id` of the application (with -credentials)")
	flags.StringVar(&o.allowedKeys, "allowed-keys", "", "comma-separated `keys` and prefix* patterns to serve")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; accepted are flags only, see -help", flags.Arg(0))
	}
	return o, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, environ map[string]string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
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

// serve serves h until ctx ends, then lets requests finish for a moment.
func serve(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		server.Shutdown(ctx)
	})
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// realAPI is the function with a key from a file.
func realAPI(ctx context.Context, o options, environ map[string]string, stderr io.Writer) (http.Handler, error) {
	environ = overlay(environ, map[string]string{
		"VOXIMPLANT_SECRET_ID":      o.credentials,
		"VOXIMPLANT_APPLICATION_ID": o.applicationID,
		"ALLOWED_KEYS":              o.allowedKeys,
	})
	key := auth.KeyFile(o.credentials)
	if _, err := key(ctx); err != nil {
		return nil, err
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

// overlay is environ with what is set in over.
func overlay(environ, over map[string]string) map[string]string {
	environ = maps.Clone(environ)
	for name, value := range over {
		if value != "" {
			environ[name] = value
		}
	}
	return environ
}
