// Package voxkv holds documents that programs of this module show.
package voxkv

import "embed"

// Documents are the contract with callers, in words and for programs.
//
//go:embed openapi.yaml docs/http-contract.md
var Documents embed.FS
