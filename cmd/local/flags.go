package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"voxkv/internal/settings"
)

// options are the command line.
type options struct {
	addr          string
	credentials   string
	applicationID string
	allowedKeys   string
	functionName  string
	fault         string
	claims        string
	json          bool
	version       bool
	caller        *simulatedCaller // who asks
}

// maySimulate reports whether a caller may be simulated: with a real account only where nobody but this machine can ask.
func (o options) maySimulate() bool { return o.credentials == "" || loopback(o.addr) }

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{caller: &simulatedCaller{}}
	flags := o.flags()
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		printHelp(stderr, flags)
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w; accepted: %s, see -help", err, flagNames(flags))
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; accepted: %s, see -help", flags.Arg(0), flagNames(flags))
	}
	return o, nil
}

func (o *options) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // whose error main prints
	flags.StringVar(&o.addr, "addr", "localhost:8080", "`host:port` to listen on")
	flags.StringVar(&o.credentials, "credentials", "", "service-account `file`: use the real Management API, whose items only the page at /, command lines and pages of the origins in CORS_ORIGINS may read")
	flags.StringVar(&o.applicationID, "application-id", "", "`id` of the application (with -credentials)")
	flags.StringVar(&o.allowedKeys, "allowed-keys", "", "comma-separated `keys` and prefix* patterns to serve, with {claim} placeholders and max-age= where needed")
	flags.StringVar(&o.functionName, "function-name", "voxkv", "`name` under which Lambda's Invoke finds the function here")
	flags.StringVar(&o.fault, "fault", noFault, "how the embedded storage fails, a `mode` of: "+faultNames())
	flags.StringVar(&o.claims, "claims", "", "`claims` of the one who asks, a JSON object such as {\"sub\":\"42\"}, as if an authorizer had verified them (with -credentials only at an address of this machine)")
	flags.BoolVar(&o.json, "json", false, "log in JSON, as on AWS")
	flags.BoolVar(&o.version, "version", false, "print the version and end")
	return flags
}

// check refuses flags that are malformed or do not go together. It has all of them in its error.
func (o options) check() error {
	var problems []error
	add := func(text string, args ...any) { problems = append(problems, fmt.Errorf(text, args...)) }
	if !plainName.MatchString(o.functionName) {
		add("-function-name %q; accepted: 1 to 64 letters, digits, - and _", o.functionName)
	}
	if o.applicationID != "" && o.credentials == "" {
		add("-application-id needs -credentials: the embedded storage has an application of its own")
	}
	if o.claims != "" && !o.maySimulate() {
		add("-claims and -credentials go together at an address of this machine only, such as localhost:8080: whoever else reached -addr %q would read as that user", o.addr)
	}
	if err := o.caller.setClaims(o.claims); err != nil {
		add("-claims: %w", err)
	}
	if _, known := faultNamed(o.fault); !known {
		add("-fault %q; accepted: %s", o.fault, faultNames())
	} else if o.fault != noFault && o.credentials != "" {
		add("-fault goes without -credentials: only the embedded storage can be made to fail")
	}
	return errors.Join(problems...)
}

func flagNames(flags *flag.FlagSet) string {
	var names []string
	flags.VisitAll(func(f *flag.Flag) { names = append(names, "-"+f.Name) })
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// printHelp prints examples, the flags and the variables.
func printHelp(w io.Writer, flags *flag.FlagSet) {
	io.WriteString(w, `Serves voxkv on this machine, with a page at / to try it out.

With an embedded storage and demo items, or with a real account:

  go run ./cmd/local
  CACHE_MAX_AGE=10s go run ./cmd/local -allowed-keys 'order:*,greeting max-age=2s'
  go run ./cmd/local -allowed-keys 'order:{sub}:*' -claims '{"sub":"42"}'
  go run ./cmd/local -credentials credentials.json -application-id 12345 -allowed-keys 'order:*'

Flags:
`)
	flags.SetOutput(w)
	flags.PrintDefaults()
	io.WriteString(w, `
Variables of the environment or of a file .env in this directory. The environment counts before .env, and a flag before both.
NO_COLOR keeps colours out of the log.
`)
	for _, v := range settings.Variables() {
		if v.Name == "VOXIMPLANT_SECRET_ID" { // -credentials stands in its place
			continue
		}
		fmt.Fprintf(w, "  %s\n    \t%s", v.Name, v.Accepts)
		if v.Default != "" {
			fmt.Fprintf(w, " (default %s)", v.Default)
		}
		fmt.Fprintln(w)
	}
}

// version is that of the module, and of the sources where Go knows it.
func version() string {
	text := "voxkv local"
	if info, ok := debug.ReadBuildInfo(); ok {
		text += " " + info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				text += " " + s.Value
			}
		}
	}
	return text + ", " + runtime.Version()
}
