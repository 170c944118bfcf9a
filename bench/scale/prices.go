package main

import (
	"math"
	"time"
)

// List prices in us-east-1 in USD, first tier, without free tiers, as of 2026-11-23.
const (
	// https://aws.amazon.com/api-gateway/pricing/
	httpAPIRequest = 1.00 / 1e6

	// https://aws.amazon.com/lambda/pricing/, ARM
	lambdaRequest  = 0.20 / 1e6
	lambdaGBSecond = 0.0000133334

	// https://aws.amazon.com/cloudfront/pricing/
	cloudFrontRequest = 1.00 / 1e6
	cloudFrontGB      = 0.085

	// https://aws.amazon.com/ec2/pricing/on-demand/
	trafficGB = 0.09

	// https://aws.amazon.com/cloudwatch/pricing/
	logGB = 0.50
	alarm = 0.10

	// https://aws.amazon.com/secrets-manager/pricing/
	secretMonth = 0.40
	secretRead  = 0.05 / 1e4
)

// What a request is made of, as in docs/deploy.md.
const (
	memoryGB = 0.25
	sentGB   = 2e-6   // an answer with its headers
	loggedGB = 1.1e-6 // the function's line and the platform's
	accessGB = 0.3e-6 // the line of the HTTP API's access log
	alarms   = 13 + 3 // and the metric of a log filter, at thrice an alarm's price

	// tokenLife is how long a sandbox goes without reading the secret.
	tokenLife = 14 * time.Minute
	month     = 730 * time.Hour
)

// dollars returns what a month of t costs.
func (t traffic) dollars(cloudFront bool) float64 {
	billed := math.Ceil(float64(t.busy)/float64(time.Millisecond)) / 1000
	function := lambdaRequest + billed*memoryGB*lambdaGBSecond + loggedGB*logGB
	out := t.viewer * (httpAPIRequest + accessGB*logGB + sentGB*trafficGB)
	if cloudFront {
		// What the function's URL sends to CloudFront is free, and there is no HTTP API.
		out = t.viewer * (cloudFrontRequest + sentGB*cloudFrontGB)
	}
	each := month.Seconds() * (t.function*function + out)
	reads := t.sandboxes * month.Seconds() / tokenLife.Seconds()
	return each + reads*secretRead + secretMonth + alarms*alarm
}
