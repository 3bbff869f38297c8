package firehose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// Describer is the part of [Client] that Check uses.
type Describer interface {
	DescribeDeliveryStream(context.Context, *firehose.DescribeDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.DescribeDeliveryStreamOutput, error)
}

const (
	// checkJitter spreads the checks of pods that start together: the whole
	// account has five describes a second.
	checkJitter   = 2 * time.Second
	checkAttempts = 4
	checkTimeout  = 10 * time.Second
	// creating is how long a stream that is being created is waited for, and
	// creatingPoll how often it is looked at.
	creating, creatingPoll = 2 * time.Minute, 5 * time.Second
)

// Check describes the stream and returns an error if nothing can ever be
// delivered to it: it does not exist, takes no direct puts, or is not active.
// What else goes wrong is a warning, because it need not concern the puts: no
// permission to describe, throttling, the network, and what the stream is set up to
// do with what we send.
func Check(ctx context.Context, api Describer, stream string, sends Sends, log *slog.Logger) error {
	if err := sleep(ctx, rand.N(checkJitter)); err != nil {
		return err
	}
	end := time.Now().Add(creating)
	for {
		found, err := describe(ctx, api, stream, log)
		if err != nil || found == nil {
			return err
		}
		if found.DeliveryStreamType != types.DeliveryStreamTypeDirectPut {
			return fmt.Errorf("the delivery stream %s is of type %s: only DirectPut streams take records from us", stream, found.DeliveryStreamType)
		}
		switch status := found.DeliveryStreamStatus; {
		case status == types.DeliveryStreamStatusActive:
			sends.warn(found, stream, log)
			return nil
		case status != types.DeliveryStreamStatusCreating || time.Now().After(end):
			return fmt.Errorf("the delivery stream %s is %s, not ACTIVE", stream, status)
		}
		log.Info("waiting for the delivery stream to be created", "stream", stream)
		if err := sleep(ctx, creatingPoll); err != nil {
			return err
		}
	}
}

// describe returns nil, and has warned, when it can't find out.
func describe(ctx context.Context, api Describer, stream string, log *slog.Logger) (*types.DeliveryStreamDescription, error) {
	found, f := ask(ctx, api, stream)
	switch {
	case f == nil:
		return found, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case f.missing():
		return nil, fmt.Errorf("the delivery stream %s does not exist in this account and region: %s", stream, f.Message)
	}
	log.Warn("could not check the delivery stream; going on without", "stream", stream, "class", f.Class, "code", f.Code, "error", f.Message)
	return nil, nil
}

// missing says that the stream is not there.
func (f *Failure) missing() bool {
	_, missing := errors.AsType[*types.ResourceNotFoundException](f.err)
	return missing
}

// ask describes a stream. What may pass by itself is tried again, with pauses; then it
// says why it could not.
func ask(ctx context.Context, api Describer, stream string) (*types.DeliveryStreamDescription, *Failure) {
	var f *Failure
	for attempt := range checkAttempts {
		if err := sleep(ctx, rand.N(time.Second<<attempt)*time.Duration(min(attempt, 1))); err != nil {
			return nil, cmp.Or(f, &Failure{Class: canceled, Code: "canceled", err: err})
		}
		call, cancel := context.WithTimeout(ctx, checkTimeout)
		out, err := api.DescribeDeliveryStream(call, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &stream, Limit: aws.Int32(1)})
		cancel()
		switch {
		case err == nil && out.DeliveryStreamDescription != nil:
			return out.DeliveryStreamDescription, nil
		case err == nil:
			f = &Failure{Class: Ambiguous, Code: "empty answer"}
		default:
			f = classify(context.WithoutCancel(ctx), err, true)
		}
		if f.missing() || f.Class == Blocked && f.Code != "dns" { // or no permission: asking again does not help
			break
		}
	}
	return nil, f
}
