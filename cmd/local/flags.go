package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// options are the command line.
type options struct {
	addr          string
	credentials   string
	applicationID string
	allowedKeys   string
	functionName  string
	fault         string
	json          bool
	user          *user // who asks
}

// mayPlay reports whether somebody may be played: with a real account only where nobody but this machine can ask.
func (o options) mayPlay() bool { return o.credentials == "" || loopback(o.addr) }

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{user: &user{}}
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // whose error main prints
	flags.StringVar(&o.addr, "addr", "localhost:8080", "`host:port` to listen on")
	flags.StringVar(&o.credentials, "credentials", "", "service-account `file`: use the real Management API, whose items only the page at /, command lines and pages of the origins in CORS_ORIGINS may read")
	flags.StringVar(&o.applicationID, "application-id", "", "`id` of the application (with -credentials)")
	flags.StringVar(&o.allowedKeys, "allowed-keys", "", "comma-separated `keys` and prefix* patterns to serve, with {claim} placeholders and max-age= where needed")
	flags.StringVar(&o.functionName, "function-name", "voxkv", "`name` under which Lambda's Invoke finds the function here")
	flags.StringVar(&o.fault, "fault", noFault, "how the embedded storage fails, a `mode` of: "+faultNames())
	claims := flags.String("claims", "", "`claims` of the one who asks, a JSON object such as {\"sub\":\"42\"}, as if an authorizer had verified them (with -credentials only at an address of this machine)")
	flags.BoolVar(&o.json, "json", false, "log in JSON, as on AWS")
	const accepted = "accepted: -addr, -credentials, -application-id, -allowed-keys, -function-name, -fault, -claims and -json, see -help"
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stderr)
		flags.Usage()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w; %s", err, accepted)
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; %s", flags.Arg(0), accepted)
	case !plainName.MatchString(o.functionName):
		return o, fmt.Errorf("-function-name %q; accepted: 1 to 64 letters, digits, - and _", o.functionName)
	case o.applicationID != "" && o.credentials == "":
		return o, errors.New("-application-id needs -credentials: the embedded storage has an application of its own")
	case *claims != "" && !o.mayPlay():
		return o, fmt.Errorf("-claims and -credentials go together at an address of this machine only, such as localhost:8080: whoever else reached -addr %q would read as that user", o.addr)
	case o.fault != noFault && o.credentials != "":
		return o, errors.New("-fault goes without -credentials: only the embedded storage can be made to fail")
	}
	if _, ok := faultNamed(o.fault); !ok {
		return o, fmt.Errorf("-fault %q; accepted: %s", o.fault, faultNames())
	}
	if err := o.user.become(*claims); err != nil {
		return o, fmt.Errorf("-claims: %w", err)
	}
	return o, nil
}
