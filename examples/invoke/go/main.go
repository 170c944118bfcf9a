// Command voxkv-caller tries out the package voxkv, which is the file to copy.
//
//	VOXKV_FUNCTION=voxkv go run . get order:1001
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/config"

	"voxkv-caller/voxkv"
)

func main() {
	answer, err := run(context.Background(), os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if failed, ok := errors.AsType[*voxkv.Error](err); ok && failed.Temporary() {
		os.Exit(75) // it says: try again later
	}
	os.Exit(1)
}

func run(ctx context.Context, args []string) (any, error) {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	client, err := voxkv.New(settings)
	if err != nil {
		return nil, err
	}
	if text := os.Getenv("VOXKV_CLAIMS"); text != "" {
		var claims map[string]any
		if err := json.Unmarshal([]byte(text), &claims); err != nil {
			return nil, fmt.Errorf("VOXKV_CLAIMS: %w", err)
		}
		client = client.WithClaims(claims)
	}
	return call(ctx, client, args)
}

var errUsage = errors.New("accepted: get KEY, many KEY…, list PREFIX, set KEY VALUE SECONDS, delete KEY")

func call(ctx context.Context, client *voxkv.Client, args []string) (any, error) {
	if len(args) < 2 {
		return nil, errUsage
	}
	switch command, key := args[0], args[1]; {
	case command == "get" && len(args) == 2:
		return client.Get(ctx, key)
	case command == "many":
		return many(ctx, client, args[1:])
	case command == "list" && len(args) == 2:
		return client.List(ctx, key, 0, 0)
	case command == "set" && len(args) == 4:
		ttl, err := strconv.ParseInt(args[3], 10, 64)
		if err != nil {
			return nil, err
		}
		return client.Set(ctx, key, args[2], voxkv.Life{TTL: ttl})
	case command == "delete" && len(args) == 2:
		return nil, client.Delete(ctx, key)
	}
	return nil, errUsage
}

// many returns for each key the item, nil or the type of an error.
func many(ctx context.Context, client *voxkv.Client, keys []string) (any, error) {
	items, failures, err := client.Many(ctx, keys...)
	if err != nil {
		return nil, err
	}
	answers := map[string]any{}
	for _, key := range keys {
		answers[key] = items[key]
		if failed := failures[key]; failed != nil {
			answers[key] = failed.Type
		}
	}
	return answers, nil
}
