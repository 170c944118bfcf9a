// Command local serves the function on this machine, against an embedded
// Voximplant storage with a few demo items, or with -credentials against the
// real Management API. At / it has a page to try the function out with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"voxkv/internal/settings"
	"voxkv/internal/transport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.SetOutput(transport.RedactingLog(os.Stderr))
	switch err := run(ctx, os.Args[1:], settings.Environment(), os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "local:", strings.ReplaceAll(err.Error(), "\n", "\nlocal: "))
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, environ map[string]string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.version {
		fmt.Fprintln(stdout, version())
		return nil
	}
	v, err := gather(environ, ".env")
	if err != nil {
		return err
	}
	v.printNotes(stderr)
	listener, err := prepare(ctx, o, v)
	v.printNotes(stderr)
	if err != nil {
		return err
	}
	defer listener.Close()
	begin := embedded
	if o.credentials != "" {
		begin = realAPI
	}
	p, err := begin(ctx, o, v, stderr)
	if err != nil {
		return err
	}
	if o.maySimulate() {
		p.simulate(o.caller)
	}
	p.printStart(stdout, root(o.addr, listener.Addr()), v)
	return serve(ctx, listener, p, stderr)
}

// prepare sets the variables that flags stand for, and binds the address. The error has everything that is wrong, each on a
// line of its own, so that a user can correct all of it at once.
func prepare(ctx context.Context, o options, v *variables) (net.Listener, error) {
	problems := []error{o.check()}
	if o.credentials == "" {
		prepareEmbedded(v, o)
	} else {
		problems = append(problems, prepareReal(ctx, v, o))
	}
	_, settingsErr := v.read()
	listener, addrErr := listen(ctx, o.addr)
	err := errors.Join(append(problems, settingsErr, addrErr)...)
	if err != nil && listener != nil {
		listener.Close()
	}
	return listener, err
}

// root is the URL to open: the name that was asked for, with the port that it became.
func root(asked string, got net.Addr) string {
	host, _, _ := net.SplitHostPort(asked) // listen has accepted it
	_, port, _ := net.SplitHostPort(got.String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
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

// serve serves h until ctx ends, then lets requests finish for a moment. What net/http has to say goes to stderr, without
// what others sent.
func serve(ctx context.Context, listener net.Listener, h http.Handler, stderr io.Writer) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(transport.RedactingLog(stderr), "", log.LstdFlags),
	}
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
