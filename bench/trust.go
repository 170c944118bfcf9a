package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// A trust is the roots that TLS clients read, laid out as on Lambda's operating
// system: all in one bundle, and again in a directory, one file each. Reading
// them is most of a process's first TLS connection (golang/go#79018).
type trust struct{ dir, bundle, directory, own string }

// newTrust takes the roots of this machine and one more.
func newTrust(certificate *x509.Certificate) (trust, error) {
	dir, err := os.MkdirTemp("", "voxkv-bench-")
	if err != nil {
		return trust{}, err
	}
	t := trust{dir, filepath.Join(dir, "bundle.pem"), filepath.Join(dir, "certs"), filepath.Join(dir, "own.pem")}
	if err := os.Mkdir(t.directory, 0o755); err != nil {
		return t, err
	}
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	roots := machineRoots()
	for i, rest := 0, roots; ; i++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if err := write(t.directory, fmt.Sprintf("%d.pem", i), string(pem.EncodeToMemory(block))); err != nil {
			return t, err
		}
	}
	if err := write(dir, "own.pem", string(own)); err != nil {
		return t, err
	}
	return t, write(dir, "bundle.pem", string(own)+string(roots))
}

// machineRoots is empty where there are none.
func machineRoots() []byte {
	for _, file := range []string{"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"} {
		if roots, err := os.ReadFile(file); err == nil {
			return roots
		}
	}
	fmt.Fprintln(os.Stderr, "bench: no bundle of trusted roots on this machine: TLS is set up faster than on Lambda")
	return nil
}

func (t trust) remove() {
	_ = os.RemoveAll(t.dir) // in the system's temporary directory it does no harm
}
