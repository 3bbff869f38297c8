package preflight

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/firehose/putbatch"
	"kafka-firehose/connector/retry"
)

const (
	// describesPerSecond is the quota of DescribeDeliveryStream, of an account in a region.
	// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
	describesPerSecond = 5
	// creationLimit is the maximum wait for a stream that is being created, and creationPoll the mean
	// time between two requests meanwhile.
	creationLimit, creationPoll = 2 * time.Minute, 5 * time.Second
	// checkAgain is the maximum time between two checks of a stream that can't be used.
	checkAgain = time.Minute
)

// StreamCheck describes a delivery stream before records are sent to it.
//
// Members of the group that start together share the quota of DescribeDeliveryStream. The first
// request is sent without a wait all the same, because a start is rarely one of many. A request that
// is throttled is repeated after a random backoff, which spreads the members.
type StreamCheck struct {
	API    firehose.Describer
	Stream string
	Sends  SentRecords // what the stream's settings may conflict with
	Log    *slog.Logger
	// Delay is the wait before the first request.
	Delay time.Duration
	// Described is called with the description of the stream, as soon as there is one.
	Described func(*types.DeliveryStreamDescription)
	// Waiting is called with the reason whenever Run needs another request.
	Waiting func(reason error)
}

// CheckDelay is the Delay of the check number n, from 0, of the streams of one process: more checks
// than the quota allows would only be throttled.
func CheckDelay(n int) time.Duration { return time.Duration(n/describesPerSecond) * time.Second }

// RecheckDelay is a random Delay before the next check of a stream that can't be used.
func RecheckDelay() time.Duration { return checkAgain/2 + rand.N(checkAgain/2) }

// Run describes the stream and returns an error if records can't be delivered to it: it does not exist,
// takes no direct puts, or is not active. Everything else is only logged as a warning, because PutRecordBatch
// may succeed all the same: no permission to describe, throttling, the network, and settings of the stream that
// conflict with Sends. The error is that of ctx when ctx ends first.
func (c StreamCheck) Run(ctx context.Context) error {
	if err := retry.Sleep(ctx, c.Delay); err != nil {
		return err
	}
	end := time.Now().Add(creationLimit)
	for {
		found, err := c.describeStream(ctx)
		if err != nil || found == nil {
			return err
		}
		c.Described(found)
		if found.DeliveryStreamType != types.DeliveryStreamTypeDirectPut {
			return fmt.Errorf("the delivery stream %s is of type %s: only DirectPut streams take records from us", c.Stream, found.DeliveryStreamType)
		}
		switch status := found.DeliveryStreamStatus; {
		case status == types.DeliveryStreamStatusActive:
			c.Sends.logConflicts(found, c.Stream, c.Log)
			return nil
		case status != types.DeliveryStreamStatusCreating || time.Now().After(end):
			return fmt.Errorf("the delivery stream %s is %s, not ACTIVE", c.Stream, status)
		}
		c.Waiting(errors.New("the delivery stream is being created"))
		c.Log.Info("waiting for the delivery stream to be created", "stream", c.Stream)
		if err := retry.Sleep(ctx, creationPoll/2+rand.N(creationPoll)); err != nil {
			return err
		}
	}
}

// describeStream returns nil, and has logged a warning, if the stream can't be described.
func (c StreamCheck) describeStream(ctx context.Context) (*types.DeliveryStreamDescription, error) {
	found, f := firehose.DescribePatiently(ctx, c.API, c.Stream, func(f *putbatch.RequestError) { c.Waiting(f) })
	switch {
	case f == nil:
		return found, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case firehose.IsMissing(f):
		return nil, fmt.Errorf("the delivery stream %s does not exist in this account and region: %s", c.Stream, f.Message)
	}
	c.Log.Warn("could not describe the delivery stream; delivering without the check", "stream", c.Stream, "class", f.Class, "code", f.Code, "error", f.Message)
	return nil, nil
}
