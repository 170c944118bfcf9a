package main

import (
	"context"
	"crypto/x509"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"voxkv/auth"
	"voxkv/internal/function"
	"voxkv/internal/secretsmanagertest"
	"voxkv/internal/voximplanttest"
)

// What Init computes, step by step. Each step is the same every time here; in
// Init it is the first, whose memory and caches are cold.

func newAccount(tb testing.TB) *voximplanttest.ServiceAccount {
	tb.Helper()
	account, err := voximplanttest.NewServiceAccount(1)
	if err != nil {
		tb.Fatal(err)
	}
	return account
}

// BenchmarkInitRoots reads the trusted roots of this machine as crypto/x509 does,
// from the bundle and from a directory.
func BenchmarkInitRoots(b *testing.B) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	t, err := newTrust(server.Certificate())
	if err != nil {
		b.Fatal(err)
	}
	defer t.remove()
	directory, err := filepath.Glob(filepath.Join(t.directory, "*"))
	if err != nil || len(directory) == 0 {
		b.Fatalf("%d roots on this machine, %v", len(directory), err)
	}
	for name, files := range map[string][]string{"bundle": {t.bundle}, "directory": directory} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				pool := x509.NewCertPool()
				for _, file := range files {
					pem, err := os.ReadFile(file)
					if err != nil || !pool.AppendCertsFromPEM(pem) {
						b.Fatalf("%s: %v", file, err)
					}
				}
			}
		})
	}
}

// BenchmarkInitSecret reads the secret with a new client, over plain HTTP; what
// the stand-in does is part of it.
func BenchmarkInitSecret(b *testing.B) {
	var secrets secretsmanagertest.Server
	secrets.Put("voxkv", string(newAccount(b).Credentials()))
	server := httptest.NewServer(&secrets)
	defer server.Close()
	for b.Loop() {
		client, err := function.SecretsManager(map[string]string{
			"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "stand-in", "AWS_SESSION_TOKEN": "stand-in",
			"AWS_ENDPOINT_URL_SECRETS_MANAGER": server.URL,
		})
		if err != nil {
			b.Fatal(err)
		}
		secret := &auth.Secret{ID: "voxkv", GetSecretValue: client.GetSecretValue}
		if _, err := secret.Key(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		server.CloseClientConnections()
		b.StartTimer()
	}
}

// BenchmarkInitKey parses the key, which BenchmarkInitSecret does too.
func BenchmarkInitKey(b *testing.B) {
	credentials := newAccount(b).Credentials()
	for b.Loop() {
		if _, err := auth.ParseServiceAccountKey(credentials); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInitToken signs a token with a key that is parsed already.
func BenchmarkInitToken(b *testing.B) {
	key, err := auth.ParseServiceAccountKey(newAccount(b).Credentials())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		tokens := &auth.TokenSource{Key: func(context.Context) (*auth.ServiceAccountKey, error) { return key, nil }}
		if _, err := tokens.Token(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
