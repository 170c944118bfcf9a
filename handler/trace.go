package handler

import (
	"context"
	"strings"
)

// traceParent returns the W3C trace context of a request (Trace Context section
// 3.2): what its caller sent, else the X-Ray trace that Lambda put into ctx,
// else "". It is not believed to be anything but well-formed.
func traceParent(ctx context.Context, header string) string {
	if isTraceParent(header) {
		return header
	}
	xray, _ := ctx.Value("x-amzn-trace-id").(string)
	var root, parent, sampled string
	for field := range strings.SplitSeq(xray, ";") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "Root": // 1-5759e988-bd862e3fe1be46a994272793
			root = strings.ReplaceAll(strings.TrimPrefix(value, "1-"), "-", "")
		case "Parent":
			parent = value
		case "Sampled":
			sampled = value
		}
	}
	if parent := "00-" + root + "-" + parent + "-0" + sampled; isTraceParent(parent) {
		return parent
	}
	return ""
}

// isTraceParent reports whether s is version 00: 00-<32 hex>-<16 hex>-<2 hex>,
// in lower case.
func isTraceParent(s string) bool {
	if len(s) != 55 || !strings.HasPrefix(s, "00-") || s[35] != '-' || s[52] != '-' {
		return false
	}
	return strings.Trim(s, "0123456789abcdef-") == "" && strings.Count(s, "-") == 3
}
