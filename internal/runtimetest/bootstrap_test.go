package runtimetest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// modeVariable turns the test binary into a bootstrap and says how it behaves.
const modeVariable = "RUNTIMETEST_MODE"

func TestMain(m *testing.M) {
	switch os.Getenv(modeVariable) {
	case "":
		os.Exit(m.Run())
	case "exit":
		fmt.Println("settings are wrong")
		os.Exit(3)
	case "init error":
		reportInitError()
		os.Exit(1)
	case "sigterm":
		lambda.StartWithOptions(serve, lambda.WithEnableSIGTERM(func() { os.Exit(4) }))
	default:
		lambda.Start(serve)
	}
}

// A request tells the handler what to do.
type request struct {
	Do   string
	Size int
}

// A reply is what the handler saw.
type reply struct {
	RequestID   string
	FunctionARN string
	TraceID     string
	DeadlineMS  int64
	Locale      string
	Size        int
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
		fmt.Println("hanging")
		select {}
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "meet":
		return nil, crowd().wait(ctx)
	case "fill":
		return strings.Repeat("x", in.Size), nil
	}
	return see(ctx), nil
}

func see(ctx context.Context) reply {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return reply{
		RequestID:   lc.AwsRequestID,
		FunctionARN: lc.InvokedFunctionArn,
		TraceID:     os.Getenv("_X_AMZN_TRACE_ID"),
		DeadlineMS:  deadline.UnixMilli(),
		Locale:      lc.ClientContext.Env["locale"],
	}
}

const crowdSize = 3

// A barrier makes invocations wait until crowdSize of them have arrived.
type barrier struct {
	arrive   sync.WaitGroup
	complete chan struct{}
}

// crowd returns the only barrier of the process.
var crowd = sync.OnceValue(func() *barrier {
	g := &barrier{complete: make(chan struct{})}
	g.arrive.Add(crowdSize)
	go func() {
		g.arrive.Wait()
		close(g.complete)
	}()
	return g
})

func (b *barrier) wait(ctx context.Context) error {
	b.arrive.Done()
	select {
	case <-b.complete:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func reportInitError() {
	url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/init/error"
	document := `{"errorType":"Runtime.BadSettings","errorMessage":"ALLOWED_KEYS is empty"}`
	client := &http.Client{Timeout: 10 * time.Second}
	response, err := client.Post(url, "application/vnd.aws.lambda.error+json", strings.NewReader(document))
	if err != nil || response.StatusCode != http.StatusAccepted {
		os.Exit(2)
	}
}
