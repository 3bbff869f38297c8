package preflight

import (
	"context"
	"errors"
	"slices"

	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/firehose/putbatch"
	"kafka-firehose/connector/preflight/check"
)

// tryPut finds out whether records may be put, without putting one: it sends a request that has none. AWS asks whether
// the caller may do it before it validates the request. That follows from answers of the service to names that no
// stream can have, which are denied and not called invalid; it is not in its documentation. So a request that is called
// invalid was authorized.
func tryPut(ctx context.Context, api putbatch.API, stream, key string, found *check.Findings) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	_, err := api.PutRecordBatch(ctx, &awsfirehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: []types.Record{}})
	var answer smithy.APIError
	if err == nil || errors.As(err, &answer) && slices.Contains([]string{"ValidationException", "InvalidArgumentException"}, answer.ErrorCode()) {
		text := ", puts are authorized"
		if key != "" { // a request is validated before the key is used
			text += ", the key was not tried"
		}
		amendFinding(found, text)
		return
	}
	f := putbatch.ClassifyError(context.WithoutCancel(ctx), err, true)
	f.AddKey(key)
	switch {
	case f.Key: // the message says what the key asks for
		found.AddError(check.Stream, stream, "can't be written to: "+f.Error(), "")
	case f.Code == "AccessDeniedException":
		found.AddError(check.Stream, stream, "may not be written to: "+f.Message, "allow firehose:PutRecordBatch on it")
	case f.Class == putbatch.Blocked && !firehose.IsMissing(f):
		found.AddError(check.Stream, stream, "can't be written to: "+f.Error(), "")
	default: // the finding on its description has told the reason
		amendFinding(found, ", putting was not tried")
	}
}

// amendFinding adds to the one finding that says that all is well.
func amendFinding(found *check.Findings, text string) {
	if len(*found) == 1 && (*found)[0].Severity == check.OK {
		(*found)[0].Found += text
	}
}
