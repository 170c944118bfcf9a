// Package cachetest runs real caches, as they come from Debian's packages, in
// front of the function, as it is but for the storage behind it, which can be
// made to fail.
package cachetest

import (
	"embed"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"
)

// conf holds a directory for each kind of cache. Every file in it is a template.
//
//go:embed all:conf
var conf embed.FS

// startTimeout bounds the start of a cache on a machine that starts many.
const startTimeout = 3 * time.Minute

// A Kind is a kind of cache.
type Kind struct {
	Name    string
	program string
	conf    string   // its directory in conf
	args    []string // templates too
	options string   // lines of its configuration
}

// Kinds returns the caches that the function's promise is held against.
func Kinds() []Kind {
	return []Kind{
		nginx("nginx", ""),
		{Name: "Varnish", program: "varnishd", conf: "varnish", args: []string{"-F", "-a", "{{.Addr}}", "-f", "{{.Dir}}/default.vcl", "-n", "{{.Dir}}/work", "-s", "malloc,16m"}},
		{Name: "Squid", program: "squid", conf: "squid", args: []string{"-N", "-f", "{{.Dir}}/squid.conf"}},
		{Name: "Traffic Server", program: "traffic_server", conf: "trafficserver", args: []string{"--run-root={{.Dir}}/runroot.yaml"}},
		httpd("httpd, disk", "CacheEnable disk /"),
		httpd("httpd, socache", "CacheEnable socache /"),
		{Name: "HAProxy", program: "haproxy", conf: "haproxy", args: []string{"-db", "-f", "{{.Dir}}/haproxy.cfg"}},
	}
}

// ObstinateKinds returns nginx as people set it up who want everything cached,
// left with one of the headers that it obeys.
func ObstinateKinds() []Kind {
	const forLong = " proxy_cache_valid any 10m;"
	return []Kind{
		nginx("nginx, Expires alone", "proxy_ignore_headers Cache-Control X-Accel-Expires;"+forLong),
		nginx("nginx, X-Accel-Expires alone", "proxy_ignore_headers Cache-Control Expires;"+forLong),
	}
}

// StaleKinds returns caches told to serve stale items, which no header can talk
// them out of.
func StaleKinds() []Kind {
	return []Kind{
		nginx("nginx, proxy_cache_use_stale", "proxy_cache_use_stale error timeout http_500 http_503;"),
		nginx("nginx, proxy_cache_background_update", "proxy_cache_use_stale updating; proxy_cache_background_update on;"),
		httpd("httpd, CacheLock", "CacheEnable disk /\nCacheLock on\nCacheLockPath {{.Dir}}/lock"),
	}
}

func nginx(name, options string) Kind {
	args := []string{"-p", "{{.Dir}}", "-c", "{{.Dir}}/nginx.conf", "-e", "{{.Dir}}/error.log"}
	return Kind{Name: name, program: "nginx", conf: "nginx", args: args, options: options}
}

func httpd(name, options string) Kind {
	args := []string{"-D", "FOREGROUND", "-f", "{{.Dir}}/httpd.conf"}
	return Kind{Name: name, program: "apache2", conf: "httpd", args: args, options: options}
}

// A Cache is a running cache.
type Cache struct {
	Kind
	URL string // its root, without a slash at the end
	dir string
}

// A place is what the templates may name.
type place struct {
	Dir                            string
	Addr, Host, Port               string
	Origin, OriginHost, OriginPort string
	Options                        string
}

// Start starts a cache in front of the origin at the address origin. The cache
// runs until the test ends. It may not be ready before Await returns.
func Start(t testing.TB, kind Kind, origin string) *Cache {
	t.Helper()
	p := place{Dir: t.TempDir(), Addr: freeAddr(t), Origin: origin}
	p.Options = p.expand(kind.options)
	p.Host, p.Port, _ = net.SplitHostPort(p.Addr)
	p.OriginHost, p.OriginPort, _ = net.SplitHostPort(origin)
	if err := p.render(kind.conf); err != nil {
		t.Fatalf("configuration of %s: %v", kind.Name, err)
	}
	command := []string{kind.program}
	for _, arg := range kind.args {
		command = append(command, p.expand(arg))
	}
	run(t, p.Dir, command)
	return &Cache{Kind: kind, URL: "http://" + p.Addr, dir: p.Dir}
}

// render writes the files of conf's directory from.
func (p place) render(from string) error {
	root := "conf/" + from
	return fs.WalkDir(conf, root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(p.Dir, strings.TrimPrefix(path, root))
		if entry.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		text, err := conf.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(p.expand(string(text))), 0o644)
	})
}

// expand executes a template, all of which are constants of this package.
func (p place) expand(text string) string {
	var out strings.Builder
	if err := template.Must(template.New("").Parse(text)).Execute(&out, p); err != nil {
		panic(err)
	}
	return out.String()
}

// Await returns when the cache passes answers on.
func (c *Cache) Await(t testing.TB) {
	t.Helper()
	client := &http.Client{Timeout: startTimeout}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for begin := time.Now(); time.Since(begin) < startTimeout; <-again.C {
		if res, err := client.Get(c.URL + "/v1/health"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("%s did not start:\n%s", c.Name, output(c.dir))
}

// freeAddr returns a loopback address that nothing listens on, and that no other
// cache is given. Its port is below those that systems hand out by themselves,
// to other tests and as the near end of connections.
func freeAddr(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		// Whoever listens on the neighbour has the port to itself.
		reserved, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:"+port)
		if err != nil {
			continue
		}
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+port)
		if err != nil {
			reserved.Close()
			continue
		}
		l.Close()
		t.Cleanup(func() { reserved.Close() })
		return "127.0.0.1:" + port
	}
	t.Fatal("no port is free")
	return ""
}
