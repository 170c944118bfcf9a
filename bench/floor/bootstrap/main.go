// Command bootstrap runs the floor as a Lambda function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"voxkv/bench/floor"
)

func main() { lambda.Start(floor.Handler()) }
