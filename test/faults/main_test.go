//go:build linux

// Package faults breaks everything around the function, one thing at a time, and
// holds it to what docs/faults.md promises.
package faults

import (
	"context"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"voxkv/internal/e2etest"
	"voxkv/internal/voximplanttest"
)

var (
	// bootstrap is the real binary, for TestBinary.
	bootstrap string

	// accounts are the one whose key the secret holds, and one for rotations.
	accounts [2]*voximplanttest.ServiceAccount
)

func TestMain(m *testing.M) {
	// The tests mostly wait. Given on the command line, -parallel wins.
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "voxkv-faults-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func prepare(dir string) (err error) {
	if os.Getenv("VOXKV_FAULTS") != "" {
		if bootstrap, err = e2etest.Build(context.Background(), dir, "voxkv/cmd/lambda"); err != nil {
			return err
		}
	}
	for i := range accounts {
		if accounts[i], err = voximplanttest.NewServiceAccount(e2etest.AccountID); err != nil {
			return err
		}
	}
	return trust(dir)
}

// trust makes this process trust the servers of httptest, which all have one
// certificate. A process reads its roots once.
func trust(dir string) error {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	file := filepath.Join(dir, "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return errors.Join(os.WriteFile(file, certificate, 0o600), os.Setenv("SSL_CERT_FILE", file))
}
