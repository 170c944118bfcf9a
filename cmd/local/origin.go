package main

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// crossOrigin tells why r is not from this machine's own page, its address bar, a command line or a page of an allowed
// origin; "" if it is. Without the first rule, a page could give its own name the address 127.0.0.1, and so become of our
// origin.
func crossOrigin(r *http.Request, allowed []string) string {
	if !loopback(r.Host) {
		return "only by a name of this machine, such as http://localhost:8080"
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case slices.Contains(allowed, r.Header.Get("Origin")):
		return ""
	case site == "same-origin", site == "none", r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate":
		return ""
	case site == "" && (r.Header.Get("Origin") == "" || r.Header.Get("Origin") == "http://"+r.Host):
		return "" // no browser, or one from before 2023
	}
	return "not for pages of another origin"
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}
