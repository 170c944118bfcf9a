package runtimetest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// TestMain is a bootstrap where the Runtime API is: the tests start this executable again.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("AWS_LAMBDA_RUNTIME_API") == "":
		os.Exit(m.Run())
	case os.Getenv("EXIT_DURING_INIT") != "":
		fmt.Println("settings are wrong")
		os.Exit(3)
	}
	lambda.Start(serve)
}

// A request tells the handler what to do.
type request struct {
	Do   string
	Size int
}

// A reply is what the handler saw.
type reply struct {
	RequestID, FunctionARN, TraceID, Locale string
	DeadlineMS                              int64
}

type brokenError struct{}

func (*brokenError) Error() string { return "out of order" }

func serve(ctx context.Context, in request) (any, error) {
	switch in.Do {
	case "fail":
		return nil, &brokenError{}
	case "panic":
		panic(errors.New("at the disco"))
	case "exit":
		os.Exit(5)
	case "hang":
		select {}
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "fill":
		return strings.Repeat("x", in.Size), nil
	}
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return reply{
		RequestID:   lc.AwsRequestID,
		FunctionARN: lc.InvokedFunctionArn,
		TraceID:     os.Getenv("_X_AMZN_TRACE_ID"),
		DeadlineMS:  deadline.UnixMilli(),
		Locale:      lc.ClientContext.Env["locale"],
	}, nil
}
