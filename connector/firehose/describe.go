package firehose

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose/putbatch"
	"kafka-firehose/connector/retry"
)

const (
	describeAttempts = 4
	describeTimeout  = 10 * time.Second // of each
)

// Describer is the part of [Client] that describes a stream.
type Describer interface {
	DescribeDeliveryStream(context.Context, *firehose.DescribeDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.DescribeDeliveryStreamOutput, error)
}

// IsMissing says that the stream is not there.
func IsMissing(f *putbatch.RequestError) bool {
	_, missing := errors.AsType[*types.ResourceNotFoundException](f)
	return missing
}

// DescribePatiently describes a stream. Failures that may pass by themselves are repeated after a random backoff, each of
// which waiting is called with. After describeAttempts it returns the last failure.
func DescribePatiently(ctx context.Context, api Describer, stream string, waiting func(*putbatch.RequestError)) (*types.DeliveryStreamDescription, *putbatch.RequestError) {
	var f *putbatch.RequestError
	for attempt := range describeAttempts {
		if f != nil {
			waiting(f)
		}
		if err := retry.Sleep(ctx, rand.N(time.Second<<attempt)*time.Duration(min(attempt, 1))); err != nil {
			return nil, cmp.Or(f, &putbatch.RequestError{Class: putbatch.Canceled, Code: "canceled"})
		}
		call, cancel := context.WithTimeout(ctx, describeTimeout)
		out, err := api.DescribeDeliveryStream(call, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &stream, Limit: aws.Int32(1)})
		cancel()
		switch {
		case err == nil && out.DeliveryStreamDescription != nil:
			return out.DeliveryStreamDescription, nil
		case err == nil:
			f = &putbatch.RequestError{Class: putbatch.Ambiguous, Code: "empty answer"}
		default:
			f = putbatch.ClassifyError(context.WithoutCancel(ctx), err, true)
		}
		if IsMissing(f) || f.Class == putbatch.Blocked && f.Code != "dns" { // or no permission: asking again does not help
			break
		}
	}
	return nil, f
}

// OwnKey is the ARN of the customer managed key that encrypts a stream, empty for a key of AWS and for none.
func OwnKey(d *types.DeliveryStreamDescription) string {
	e := d.DeliveryStreamEncryptionConfiguration
	if e == nil || e.KeyType != types.KeyTypeCustomerManagedCmk {
		return ""
	}
	return aws.ToString(e.KeyARN)
}
