package requestlog

import (
	"context"
	"strings"
)

// traceparent returns the trace of a request as a traceparent of version 00 (W3C
// Trace Context): the one that its caller sent, otherwise the trace id that Lambda
// put into ctx in the form of X-Ray, otherwise "". A caller that sent several sent
// none.
func traceparent(ctx context.Context, sent []string) string {
	if len(sent) == 1 {
		if parent := asVersion00(sent[0]); parent != "" {
			return parent
		}
	}
	return fromXRay(xrayTrace(ctx))
}

// xrayTrace returns the X-Ray trace header of the invocation, "" if there is none.
func xrayTrace(ctx context.Context) string {
	trace, _ := ctx.Value("x-amzn-trace-id").(string) // the key that aws-lambda-go uses
	return trace
}

// asVersion00 returns header as a traceparent of version 00, "" if it is not a
// traceparent (sections 3.2.2 and 3.2.4). From a later version it takes what
// version 00 knows: the two ids and whether the trace is sampled.
func asVersion00(header string) string {
	// Only a later version may have more than four fields.
	fields := strings.SplitN(header, "-", 5)
	if len(fields) < 4 {
		return ""
	}
	version, trace, parent, flags := fields[0], fields[1], fields[2], fields[3]
	switch {
	case !isHex(version, 2) || version == "ff" || !isID(trace, 32) || !isID(parent, 16) || !isHex(flags, 2):
		return ""
	case version == "00" && len(fields) == 4:
		return header
	case version == "00":
		return ""
	case strings.ContainsAny(flags[1:], "13579bdf"): // bit 0
		return "00-" + trace + "-" + parent + "-01"
	}
	return "00-" + trace + "-" + parent + "-00"
}

// fromXRay returns an X-Ray trace header as a traceparent, "" if it does not name
// both ids. A root looks like 1-5759e988-bd862e3fe1be46a994272793.
func fromXRay(header string) string {
	var root, parent, sampled string
	for field := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "Root":
			root = value
		case "Parent":
			parent = value
		case "Sampled":
			sampled = value
		}
	}
	ids := strings.Split(root, "-")
	if len(ids) != 3 || ids[0] != "1" || len(ids[1]) != 8 {
		return ""
	}
	return asVersion00("00-" + ids[1] + ids[2] + "-" + parent + "-0" + sampled)
}

// isID reports whether s is an id of n digits, which are not all zeros.
func isID(s string, n int) bool { return isHex(s, n) && strings.Trim(s, "0") != "" }

// isHex reports whether s is n hexadecimal digits in lower case.
func isHex(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" }
