package problem

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"voxkv/lookup"
	"voxkv/voximplant"
)

// Of returns the Problem that err is or wraps, or else a new one with err as its
// cause. This is the only place where an error gets a status and a code.
func Of(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	p := classify(err)
	p.cause = err
	return p
}

// OfResults makes the error of each result a *Problem.
func OfResults(results []lookup.Result) []lookup.Result {
	for i := range results {
		if results[i].Err != nil {
			results[i].Err = Of(results[i].Err)
		}
	}
	return results
}

func classify(err error) *Problem {
	if key, ok := errors.AsType[*lookup.KeyError](err); ok {
		return BadRequest(InvalidKey, "Not a key: "+key.Reason+".")
	}
	if limit, ok := errors.AsType[*voximplant.LimitError](err); ok {
		return BadRequest(InvalidRequest, "Not accepted: "+limit.Error()+".")
	}
	switch {
	case errors.Is(err, voximplant.ErrNotFound):
		return New(http.StatusNotFound, NotFound, "No item with this key.")
	case timedOut(err), errors.Is(err, context.Canceled):
		return New(http.StatusGatewayTimeout, UpstreamTimeout, "The storage did not answer in time.")
	}
	if failed, ok := errors.AsType[*voximplant.Error](err); ok {
		return upstream(failed)
	}
	return internal()
}

// timedOut reports whether time ran out for the request, or for a part of it
// that has a limit of its own, such as the TLS handshake.
func timedOut(err error) bool {
	limited, ok := errors.AsType[net.Error](err)
	return ok && limited.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// upstream never blames the caller: the API throttles or refuses our account.
func upstream(failed *voximplant.Error) *Problem {
	switch failed.Kind {
	case voximplant.KindThrottled:
		return retryAfter(failed.RetryAfter, 1, New(http.StatusServiceUnavailable, UpstreamBusy, "The storage is busy."))
	case voximplant.KindUnavailable:
		return retryAfter(failed.RetryAfter, 2, New(http.StatusServiceUnavailable, UpstreamUnavailable, "The storage cannot be reached."))
	case voximplant.KindConfiguration:
		return internal()
	}
	return New(http.StatusBadGateway, UpstreamFailure, "The storage gave no usable answer.")
}

// retryAfter asks the caller to wait for d, rounded up, but for least to 60 seconds.
func retryAfter(d time.Duration, least int64, p *Problem) *Problem {
	p.RetryAfter = min(max(int64((min(d, time.Hour)+time.Second-1)/time.Second), least), 60)
	return p
}

func internal() *Problem {
	return New(http.StatusInternalServerError, InternalError, "The request could not be served.")
}

// CheckCount refuses a request for more than most keys.
func CheckCount(keys, most int) error {
	if keys > most {
		return BadRequest(TooManyKeys, fmt.Sprintf("One request may ask for %d keys at most.", most))
	}
	return nil
}
