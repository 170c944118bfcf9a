package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
)

const arn = "arn:aws:lambda:eu-central-1:123456789012:function:voxkv"

// TestSDK prints what the SDK makes of Invoke, as one JSON object, for whoever runs the voxkv at AWS_ENDPOINT_URL_LAMBDA.
func TestSDK(t *testing.T) {
	if os.Getenv("AWS_ENDPOINT_URL_LAMBDA") == "" {
		t.Skip("AWS_ENDPOINT_URL_LAMBDA is not set")
	}
	settings, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := caller{lambda.NewFromConfig(settings, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })}
	const absent = `{"key":"order:missing"}`
	tail := c.invoke(t, lambda.InvokeInput{Payload: []byte(absent), LogType: "Tail"})
	log, err := base64.StdEncoding.DecodeString(aws.ToString(tail.LogResult))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := middleware.GetRequestIDMetadata(tail.ResultMetadata)
	event := c.invoke(t, lambda.InvokeInput{Payload: []byte(absent), InvocationType: "Event", LogType: "Tail"})
	dry := c.invoke(t, lambda.InvokeInput{InvocationType: "DryRun"})
	failed := c.invoke(t, lambda.InvokeInput{Payload: []byte(`{"key":"a b"}`)})
	alias := c.invoke(t, lambda.InvokeInput{FunctionName: aws.String(arn), Qualifier: aws.String("live"), Payload: []byte(absent)})
	large := func(n int) []byte { return []byte(`"` + strings.Repeat("x", n) + `"`) }
	report, err := json.Marshal(map[string]any{
		"sync":       fmt.Sprintf("%d %s %s", tail.StatusCode, aws.ToString(tail.ExecutedVersion), tail.Payload),
		"log":        id != "" && strings.Contains(string(log), id) && strings.Contains(string(log), `"route":"direct"`),
		"event":      fmt.Sprintf("%d %s%s", event.StatusCode, aws.ToString(event.LogResult), event.Payload),
		"dry":        fmt.Sprintf("%d %s", dry.StatusCode, dry.Payload),
		"alias":      string(alias.Payload),
		"failed":     fmt.Sprintf("%d %s %s", failed.StatusCode, aws.ToString(failed.FunctionError), errorType(t, failed.Payload)),
		"nothing":    errorType(t, c.invoke(t, lambda.InvokeInput{}).Payload),
		"absent":     c.error(t.Context(), lambda.InvokeInput{FunctionName: aws.String(arn + ":green")}),
		"large":      c.error(t.Context(), lambda.InvokeInput{Payload: large(7 << 20)}),
		"largeEvent": c.error(t.Context(), lambda.InvokeInput{Payload: large(1 << 20), InvocationType: "Event"}),
		"garbage":    c.error(t.Context(), lambda.InvokeInput{Payload: []byte("key")}),
		"mismatch":   c.error(t.Context(), lambda.InvokeInput{FunctionName: aws.String(arn + ":live"), Qualifier: aws.String("green")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(report))
}

type caller struct{ *lambda.Client }

func (c caller) invoke(t *testing.T, in lambda.InvokeInput) *lambda.InvokeOutput {
	t.Helper()
	if in.FunctionName == nil {
		in.FunctionName = aws.String("voxkv")
	}
	out, err := c.Invoke(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// error returns the type of the error, and the status.
func (c caller) error(ctx context.Context, in lambda.InvokeInput) string {
	if in.FunctionName == nil {
		in.FunctionName = aws.String("voxkv")
	}
	_, err := c.Invoke(ctx, &in)
	typed, isTyped := errors.AsType[smithy.APIError](err)
	answered, isAnswered := errors.AsType[*awshttp.ResponseError](err)
	if !isTyped || !isAnswered {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("%s %d", typed.ErrorCode(), answered.HTTPStatusCode())
}

func errorType(t *testing.T, payload []byte) string {
	t.Helper()
	var failed struct{ ErrorType string }
	if err := json.Unmarshal(payload, &failed); err != nil {
		t.Fatal(err)
	}
	return failed.ErrorType
}
