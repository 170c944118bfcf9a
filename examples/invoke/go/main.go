// Command read reads items by invoking voxkv, from another Lambda function or
// from anywhere with AWS credentials.
//
//	VOXKV_FUNCTION=voxkv go run . order:1001             # one key: the item, or null
//	VOXKV_FUNCTION=voxkv go run . order:1001 order:1002  # up to 50: each is answered for itself
//
// The caller needs lambda:InvokeFunction on the function, and nothing else.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// An Item is what is stored under a key. Keep it for MaxAge seconds at most; do
// not keep it if that is 0.
type Item struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	ExpiresAt *int64 `json:"expires_at"` // Unix seconds
	MaxAge    int64  `json:"max_age"`
}

// A ReadError is a read that failed. Its Type is one of voxkv's own, or of
// Lambda, such as Sandbox.Timedout.
type ReadError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *ReadError) Error() string { return e.Type + ": " + e.Message }

// Temporary reports whether the failure passes. The others stay until somebody
// corrects a key (InvalidRequest) or looks after voxkv.
func (e *ReadError) Temporary() bool {
	switch e.Type {
	case "UpstreamBusy", "UpstreamUnavailable", "UpstreamTimeout":
		return true
	}
	return false
}

// A Reader reads items from the function of this name or ARN. Make it once,
// outside of the handler: the client keeps its connection.
type Reader struct {
	Client   *lambda.Client
	Function string
}

// Item returns the item under key, or nil where there is none.
func (r *Reader) Item(ctx context.Context, key string) (*Item, error) {
	var item *Item
	err := r.invoke(ctx, map[string]string{"key": key}, &item)
	return item, err
}

// Items returns the items by key, nil where there is none, and why keys could
// not be read.
func (r *Reader) Items(ctx context.Context, keys ...string) (map[string]*Item, map[string]*ReadError, error) {
	var answer struct {
		Items  map[string]*Item
		Errors map[string]*ReadError
	}
	err := r.invoke(ctx, map[string][]string{"keys": keys}, &answer)
	return answer.Items, answer.Errors, err
}

func (r *Reader) invoke(ctx context.Context, request, answer any) error {
	payload, err := json.Marshal(request)
	if err != nil {
		return err
	}
	out, err := r.Client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &r.Function, Payload: payload})
	if err != nil {
		return err
	}
	// To the SDK the call has succeeded: it neither returns an error nor retries.
	if aws.ToString(out.FunctionError) != "" {
		failed := &ReadError{Type: "Unknown"}
		if err := json.Unmarshal(out.Payload, failed); err != nil {
			return err
		}
		return failed
	}
	return json.Unmarshal(out.Payload, answer)
}

func main() {
	err := run(context.Background(), os.Args[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if failed, ok := errors.AsType[*ReadError](err); ok && failed.Temporary() {
		os.Exit(75) // it says: try again later
	}
	os.Exit(1)
}

func run(ctx context.Context, keys []string) error {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	r := &Reader{Client: lambda.NewFromConfig(settings), Function: os.Getenv("VOXKV_FUNCTION")}
	if len(keys) == 1 {
		item, err := r.Item(ctx, keys[0])
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(item)
	}
	items, failures, err := r.Items(ctx, keys...)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if failed := failures[key]; failed != nil {
			fmt.Println(key, failed.Type)
			continue
		}
		text, err := json.Marshal(items[key])
		if err != nil {
			return err
		}
		fmt.Printf("%s %s\n", key, text)
	}
	return nil
}
